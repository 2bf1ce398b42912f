"""Arrivals of many callers that do not know of each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.bench.schedule.arrivals import Arrivals
from tritonkit.bench.schedule.chunks import accumulated, checked_rate, chunk_size

__all__ = ["Poisson"]


class Poisson(Arrivals):
    """
    A Poisson process: the gaps are independent and exponential.

    Args:
        rate: Mean arrivals a second.
    """

    def __init__(self, rate: float) -> None:
        self._rate = checked_rate(rate)

    @property
    def rate(self) -> float:
        """Mean arrivals a second."""
        return self._rate

    def offsets(self, seed: int) -> Iterator[NDArray[np.int64]]:
        """The first arrival comes after a gap, as all others."""
        rng = np.random.default_rng(seed)
        mean = 1e9 / self._rate
        return accumulated(lambda size: rng.exponential(mean, size), chunk_size(self._rate))

    def describe(self) -> Mapping[str, Any]:
        """The settings in JSON's types."""
        return {"kind": "poisson", "rate": self._rate}

    def __str__(self) -> str:
        return f"{self._rate:g}/s, Poisson"
