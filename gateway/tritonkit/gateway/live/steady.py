"""Whether the wall clock can be trusted with what is old."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

__all__ = ["Steady"]

JUMP = 60.0
"""Seconds by which the wall clock may go otherwise than the other one, and still be steady."""

TRUST = 600.0
"""Seconds for which it must have been."""


class Steady:
    """
    Compares the wall clock with one that only grows.

    A clock that was set to the next year, by mistake, would have all history dropped as old.
    It is trusted when it was not set for ten minutes.

    Args:
        wall: Seconds since 1970.
        clock: Seconds that only grow.
    """

    def __init__(self, wall: Callable[[], float], clock: Callable[[], float] = monotonic) -> None:
        self._wall, self._clock = wall, clock
        self._offset = wall() - clock()
        self._since = clock()

    @property
    def trusted(self) -> bool:
        """Whether it was not set lately."""
        now = self._clock()
        offset = self._wall() - now
        if abs(offset - self._offset) > JUMP:
            self._offset, self._since = offset, now
        return now - self._since >= TRUST
