"""Who takes the most, in a table that does not grow."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["Heavy"]

T = TypeVar("T", bound=Hashable)


class Heavy(Generic[T]):
    """
    The names with the largest sums, each in a place of its own.

    A new name takes the place of the one with the least, and its sum as a start. So
    whoever has more than a share of 1 / *places* of everything has a place, however many
    others there are.

    Source: Metwally, Agrawal and El Abbadi, Space-Saving (2005).
    """

    def __init__(self, places: int) -> None:
        self._names: list[T] = []
        self._places: dict[T, int] = {}
        self._sums: list[float] = []
        self._new: list[int] = [0] * places
        self._most = places

    def add(self, name: T, count: int) -> tuple[int, bool]:
        """
        *name* takes *count* more.

        Returns:
            Its place, and whether it was another's or nobody's before. Place 0 and False
            where there are no places.
        """
        place = self._places.get(name)
        new = place is None
        if place is None:
            if not self._most:
                return 0, False
            if len(self._names) < self._most:
                place = len(self._names)
                self._names.append(name)
                self._sums.append(0.0)
            else:
                place = self._sums.index(min(self._sums))
                del self._places[self._names[place]]
                self._names[place] = name
            self._places[name] = place
            self._new[place] = 0
        self._sums[place] += count
        self._new[place] += count
        return place, new

    def name(self, place: int) -> T:
        """Who is there."""
        return self._names[place]

    def take(self) -> list[int]:
        """What each place took since this was asked last."""
        taken, self._new = self._new, [0] * self._most
        return taken

    def decay(self, factor: float) -> None:
        """Let what was long ago count less."""
        self._sums = [each * factor for each in self._sums]
