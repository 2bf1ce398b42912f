"""How far two answers to the same row are apart, and how far they may be."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError

__all__ = ["Comparator", "Distances"]


class Distances(NamedTuple):
    """
    Of one output, row by row.

    Args:
        distance: From 0 for equal rows; infinite where they have no distance.
        agrees: Whether that is within the comparator's tolerance.
        nan: Whether either row has a NaN.
    """

    distance: NDArray[np.float64]
    agrees: NDArray[np.bool_]
    nan: NDArray[np.bool_]


class Comparator(ABC):
    """
    Compares two arrays of the same type and shape, row by row.

    A row agrees with itself, whatever is in it: NaN equals NaN in the same place,
    and is flagged. NaN in one row only is an infinite distance.
    """

    tolerance: float = 0.0
    """The largest distance of rows that agree."""

    symmetric: bool = True
    """Whether it makes no difference which answer is the primary's."""

    inline: bool = True
    """Whether it is quick enough for an event loop, for small arrays."""

    nan: float = 0.0
    """What stands for a NaN that both rows have in the same place."""

    @abstractmethod
    def distances(self, primary: NDArray[Any], shadow: NDArray[Any]) -> NDArray[np.float64]:
        """
        The distance of each row.

        Args:
            primary: Rows first, one or more, without NaN.
            shadow: Likewise, of the same type and shape.

        Raises:
            ConfigError: If such arrays cannot be compared so.
        """

    def __call__(self, primary: NDArray[Any], shadow: NDArray[Any]) -> Distances:
        """
        Compare every row.

        Args:
            primary: Rows first.
            shadow: Of the same type and shape.

        Raises:
            ConfigError: If such arrays cannot be compared so.
        """
        count = len(primary)
        same = primary == shadow
        nan: NDArray[np.bool_] = np.zeros(count, np.bool_)
        missing = nan
        if primary.dtype.kind in "fc":
            here, there = np.isnan(primary), np.isnan(shadow)
            nan = np.asarray(by_row(here | there).any(axis=1))
            if nan.any():
                missing = np.asarray(by_row(here != there).any(axis=1))
                same = same | (here & there)
                primary = np.where(here, primary.dtype.type(self.nan), primary)
                shadow = np.where(there, shadow.dtype.type(self.nan), shadow)
        equal = by_row(np.asarray(same, dtype=np.bool_)).all(axis=1)
        distance = np.zeros(count)
        if not equal.all():
            # What is equal is not asked about: it has no distance from itself by any measure.
            other = ~equal
            distance[other] = self._checked(primary[other], shadow[other])
            distance[missing | np.isnan(distance)] = np.inf
        return Distances(distance, distance <= self.tolerance, nan)

    def _checked(self, primary: NDArray[Any], shadow: NDArray[Any]) -> NDArray[np.float64]:
        with np.errstate(all="ignore"):
            distance = np.asarray(self.distances(primary, shadow), dtype=np.float64)
        if distance.shape != (len(primary),):
            raise ConfigError(
                f"{self!r} must give one number for each of {len(primary)} rows, but gave an "
                f"array of shape {list(distance.shape)}."
            )
        return distance


def by_row(array: NDArray[Any]) -> NDArray[Any]:
    """Shape (rows, values); a scalar a row is one value."""
    return array.reshape(len(array), -1 if array.size else 0)


def wide(array: NDArray[Any]) -> NDArray[np.float64]:
    """The values of each row as float64."""
    flat: NDArray[np.float64] = by_row(array).astype(np.float64)
    return flat


def at_least(value: float, least: float, most: float, name: str) -> float:
    """
    *value*, where it is a number in a range.

    Raises:
        ConfigError: If it is not.
    """
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not least <= value <= most:
        bounds = f"{least:g} or more" if most == np.inf else f"{least:g} to {most:g}"
        raise ConfigError(f"{name} must be {bounds}, but got {value!r}.")
    return float(value)
