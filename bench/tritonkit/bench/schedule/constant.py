"""Arrivals at equal distances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.bench.schedule.arrivals import Arrivals
from tritonkit.bench.schedule.chunks import checked_rate, chunk_size

__all__ = ["Constant"]


class Constant(Arrivals):
    """
    One arrival every 1 / rate seconds, the first at once.

    Args:
        rate: Arrivals a second.
    """

    def __init__(self, rate: float) -> None:
        self._rate = checked_rate(rate)

    @property
    def rate(self) -> float:
        """Arrivals a second."""
        return self._rate

    def offsets(self, seed: int) -> Iterator[NDArray[np.int64]]:
        """Multiples of the distance, rounded each for itself, so that no error adds up."""
        size = chunk_size(self._rate)
        first = 0
        while True:
            numbers = np.arange(first, first + size, dtype=np.float64)
            yield np.rint(numbers * 1e9 / self._rate).astype(np.int64)
            first += size

    def describe(self) -> Mapping[str, Any]:
        """The settings in JSON's types."""
        return {"kind": "constant", "rate": self._rate}

    def __str__(self) -> str:
        return f"{self._rate:g}/s, constant"
