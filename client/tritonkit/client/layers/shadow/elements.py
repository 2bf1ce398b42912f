"""Comparators that look at every value by itself."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.layers.shadow.comparator import Comparator, at_least, by_row, wide
from tritonkit.errors import ConfigError

__all__ = ["AllClose", "Exact"]


class Exact(Comparator):
    """
    Every value is the same: for labels, counts and text.

    The distance is the share of values that differ.
    """

    def __repr__(self) -> str:
        return "Exact()"

    def distances(self, primary: NDArray[Any], shadow: NDArray[Any]) -> NDArray[np.float64]:
        """The share of each row's values that differ."""
        differ = by_row(np.asarray(primary != shadow, dtype=np.bool_))
        share: NDArray[np.float64] = differ.mean(axis=1)
        return share


class AllClose(Comparator):
    """
    Every value is nearly the same.

    Two values agree where they differ by no more than atol + rtol times the larger of
    both; numpy's own measures by the second, so that it matters which is which. The
    distance of a row is the largest difference, as a part of what is allowed.

    Args:
        rtol: Of the larger value. 0.001 is beyond what another batch or another kernel does
            to float32, and below what another precision does.
        atol: For values near 0.

    Raises:
        ConfigError: If either is negative or no number.
    """

    tolerance = 1.0

    def __init__(self, rtol: float = 1e-3, atol: float = 1e-5) -> None:
        self.rtol = at_least(rtol, 0, math.inf, "rtol")
        self.atol = at_least(atol, 0, math.inf, "atol")

    def __repr__(self) -> str:
        return f"AllClose(rtol={self.rtol:g}, atol={self.atol:g})"

    def distances(self, primary: NDArray[Any], shadow: NDArray[Any]) -> NDArray[np.float64]:
        """
        The largest difference of each row.

        Raises:
            ConfigError: If the arrays are text.
        """
        if primary.dtype.kind not in "biuf":
            raise ConfigError(f"{self!r} needs numbers, but got {primary.dtype}.")
        a, b = wide(primary), wide(shadow)
        allowed = self.atol + self.rtol * np.maximum(np.abs(a), np.abs(b))
        # An infinity allows for everything, and is near to nothing but itself.
        finite = np.isfinite(a) & np.isfinite(b)
        parts = np.where(finite, np.abs(a - b) / allowed, np.inf)
        largest: NDArray[np.float64] = np.where(a == b, 0.0, parts).max(axis=1, initial=0.0)
        return largest
