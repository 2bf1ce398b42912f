"""Comparators of what a classifier or a ranking puts first."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.layers.shadow.comparator import Comparator, at_least
from tritonkit.client.layers.tiers.confidence import labels
from tritonkit.errors import ConfigError

__all__ = ["Argmax", "TopK"]


class Argmax(Comparator):
    """
    The likeliest class is the same, in every position of the row.

    Classes are along the last axis; of equal values the first counts. The distance is
    the share of positions that differ.
    """

    nan = -np.inf

    def __repr__(self) -> str:
        return "Argmax()"

    def distances(self, primary: NDArray[Any], shadow: NDArray[Any]) -> NDArray[np.float64]:
        """
        The share of each row's positions whose likeliest classes differ.

        Raises:
            ConfigError: If the arrays have no classes.
        """
        _check(self, primary)
        share: NDArray[np.float64] = (labels(primary) != labels(shadow)).mean(axis=1)
        return share


class TopK(Comparator):
    """
    Of the k largest values, most are in the same places, in whatever order.

    Classes or candidates are along the last axis; of equal values the first count. The
    distance is the share of the k that only one of both has, in the worst position.

    Args:
        k: How many; all where there are fewer.
        overlap: The share of them that both must have.

    Raises:
        ConfigError: If an argument is out of range.
    """

    nan = -np.inf

    def __init__(self, k: int = 5, *, overlap: float = 1.0) -> None:
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise ConfigError(f"k must be at least 1, but got {k!r}.")
        self.k = k
        self.overlap = at_least(overlap, 0, 1, "overlap")
        # 1 - 0.8 is a little less than 1 of 5.
        self.tolerance = 1 - self.overlap + 1e-9

    def __repr__(self) -> str:
        return f"TopK({self.k}, overlap={self.overlap:g})"

    def distances(self, primary: NDArray[Any], shadow: NDArray[Any]) -> NDArray[np.float64]:
        """
        One less the overlap of each row.

        Raises:
            ConfigError: If the arrays have no classes.
        """
        _check(self, primary)
        k = min(self.k, primary.shape[-1])
        both = _largest(primary, k) & _largest(shadow, k)
        missing = 1 - both.sum(axis=-1) / k
        worst: NDArray[np.float64] = missing.reshape(len(primary), -1).max(axis=1)
        return worst


def _largest(values: NDArray[Any], k: int) -> NDArray[np.bool_]:
    # Unsigned integers have no negative, and the first of equals is wanted: sorted from behind.
    order = values.shape[-1] - 1 - np.argsort(values[..., ::-1], axis=-1, kind="stable")
    chosen = np.zeros(values.shape, np.bool_)
    np.put_along_axis(chosen, order[..., -k:], True, axis=-1)
    return chosen


def _check(comparator: Comparator, values: NDArray[Any]) -> None:
    if values.dtype.kind not in "biuf" or values.ndim < 2 or not values.shape[-1]:
        raise ConfigError(
            f"{comparator!r} needs classes along the last axis, but got {values.dtype} "
            f"{list(values.shape)}."
        )
