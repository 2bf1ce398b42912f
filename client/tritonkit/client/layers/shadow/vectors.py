"""A comparator of directions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.layers.shadow.comparator import Comparator, at_least, wide
from tritonkit.errors import ConfigError

__all__ = ["Cosine"]


class Cosine(Comparator):
    """
    Two rows point in nearly the same direction: for embeddings.

    All values of a row are one vector. The distance is 1 less the cosine, 0 to 2; a row
    of zeros has no direction, and is 1 away from any other.

    Args:
        threshold: The least cosine of rows that agree. Dynamic int8 keeps nearly every answer
            of all-MiniLM-L6-v2 above 0.98; see benchmarks/rollout.py.

    Raises:
        ConfigError: If the threshold is not -1 to 1.
    """

    def __init__(self, threshold: float = 0.98) -> None:
        self.threshold = at_least(threshold, -1, 1, "threshold")
        self.tolerance = 1 - self.threshold

    def __repr__(self) -> str:
        return f"Cosine({self.threshold:g})"

    def distances(self, primary: NDArray[Any], shadow: NDArray[Any]) -> NDArray[np.float64]:
        """
        One less the cosine of each row.

        Raises:
            ConfigError: If the arrays are text.
        """
        if primary.dtype.kind not in "biuf":
            raise ConfigError(f"{self!r} needs numbers, but got {primary.dtype}.")
        a, b = _unit(wide(primary)), _unit(wide(shadow))
        # Half the squared chord: exact where both are nearly the same, as 1 - a @ b is not.
        chord: NDArray[np.float64] = ((a - b) ** 2).sum(axis=1) / 2
        none = ~(a.any(axis=1) & b.any(axis=1))
        neither = ~(a.any(axis=1) | b.any(axis=1))
        return np.where(neither, 0.0, np.where(none, 1.0, np.minimum(chord, 2.0)))


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of length 1; NaN where that is not defined, zeros stay zeros."""
    # By the largest first: the square of 1e200 is no float.
    largest = np.abs(rows).max(axis=1, initial=0.0, keepdims=True)
    scaled = rows / np.where(largest > 0, largest, 1.0)
    norm = np.sqrt((scaled**2).sum(axis=1, keepdims=True))
    return np.where(largest < math.inf, scaled / np.where(norm > 0, norm, 1.0), np.nan)
