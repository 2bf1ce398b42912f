"""Label values, of which there are only so many."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["OTHER", "Names"]

OTHER = "other"
"""What a label says of a value for which there is no room."""


class Names:
    """
    The values that a label may have.

    Args:
        known: Those that have room in any case.
        most: How many there may be in all.
    """

    def __init__(self, known: Iterable[str] = (), *, most: int) -> None:
        self._names = {"", *known}
        self._most = max(most, len(self._names))
        self.overflows = 0
        """How often there was no room for a value."""

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def expect(self, name: str) -> None:
        """Make room for *name*, one that the configuration has."""
        if name not in self._names:
            self._names.add(name)
            self._most += 1

    def admit(self, name: str) -> str:
        """*name*, which has room from now on, or OTHER where there is none left."""
        if name in self._names:
            return name
        if len(self._names) > self._most:
            self.overflows += 1
            return OTHER
        self._names.add(name)
        return name

    def known(self, name: str) -> str:
        """*name*, if it has room already, and OTHER if not."""
        return name if name in self._names else OTHER
