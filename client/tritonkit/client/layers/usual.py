"""How long calls usually take."""

from __future__ import annotations

from collections.abc import Hashable

__all__ = ["Usual"]

WEIGHT = 0.1
"""Of the newest call: the last twenty or so make the average."""

MAX_KEYS = 1_000
"""Whoever asks for models that do not exist must not fill the memory."""


class Usual:
    """
    A moving average of the seconds that answered calls took, by whatever tells them apart.

    Calls that were not answered do not count: they took as long as they were given.
    """

    def __init__(self) -> None:
        self._seconds: dict[Hashable, float] = {}

    def note(self, key: Hashable, seconds: float) -> None:
        """One call was answered in *seconds*."""
        known = self._seconds.get(key)
        if known is None:
            if len(self._seconds) >= MAX_KEYS:
                del self._seconds[next(iter(self._seconds))]
            self._seconds[key] = seconds
        else:
            self._seconds[key] = known + WEIGHT * (seconds - known)

    def seconds(self, key: Hashable) -> float:
        """The average; 0 before the first answer, when any time may be enough."""
        return self._seconds.get(key, 0.0)
