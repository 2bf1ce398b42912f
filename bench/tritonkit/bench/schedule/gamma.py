"""Arrivals that come in bursts, or more evenly than chance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.bench.schedule.arrivals import Arrivals
from tritonkit.bench.schedule.chunks import accumulated, checked_rate, chunk_size
from tritonkit.errors import ConfigError

__all__ = ["Gamma"]


class Gamma(Arrivals):
    """
    Independent gaps of a gamma distribution.

    Args:
        rate: Mean arrivals a second.
        burstiness: The shape of the distribution, as vLLM's `--burstiness` and
            AIPerf's `--arrival-smoothness` have it: below 1 the arrivals come in
            bursts, 1 is a Poisson process, and the larger, the more even they are.
            The gaps' coefficient of variation is 1 / sqrt(burstiness).
    """

    def __init__(self, rate: float, burstiness: float) -> None:
        self._rate = checked_rate(rate)
        if not (burstiness > 0 and math.isfinite(burstiness)):
            raise ConfigError(f"burstiness must be above 0, but got {burstiness}.")
        self._shape = float(burstiness)

    @property
    def rate(self) -> float:
        """Mean arrivals a second."""
        return self._rate

    def offsets(self, seed: int) -> Iterator[NDArray[np.int64]]:
        """The first arrival comes after a gap, as all others."""
        rng = np.random.default_rng(seed)
        scale = 1e9 / self._rate / self._shape
        return accumulated(lambda size: rng.gamma(self._shape, scale, size), chunk_size(self._rate))

    def describe(self) -> Mapping[str, Any]:
        """The settings in JSON's types."""
        return {"kind": "gamma", "rate": self._rate, "burstiness": self._shape}

    def __str__(self) -> str:
        return f"{self._rate:g}/s, gamma with burstiness {self._shape:g}"
