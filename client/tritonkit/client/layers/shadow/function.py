"""A comparator of the user's own."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.layers.shadow.comparator import Comparator, at_least

__all__ = ["CompareBy"]


class CompareBy(Comparator):
    """
    Whatever a function says; it runs in a thread, where it may take its time.

    Rows that are equal to the last bit agree without being asked about.

    Args:
        function: Takes both arrays of an output, rows first, NaN that both have replaced by
            0; gives whether each row agrees, or how far its two answers are apart.
        tolerance: The largest distance of rows that agree.
        symmetric: Whether the function is.

    Raises:
        ConfigError: If the tolerance is negative.
    """

    inline = False

    def __init__(
        self,
        function: Callable[[NDArray[Any], NDArray[Any]], Any],
        *,
        tolerance: float = 0.0,
        symmetric: bool = False,
    ) -> None:
        self.function = function
        self.tolerance = at_least(tolerance, 0, math.inf, "tolerance")
        self.symmetric = symmetric

    def __repr__(self) -> str:
        return f"CompareBy({getattr(self.function, '__name__', None) or repr(self.function)})"

    def distances(self, primary: NDArray[Any], shadow: NDArray[Any]) -> NDArray[np.float64]:
        """What the function gives; False is an infinite distance."""
        found = np.asarray(self.function(primary, shadow))
        if found.dtype == np.bool_:
            return np.where(found, 0.0, np.inf)
        distance: NDArray[np.float64] = found.astype(np.float64)
        return distance
