"""How many second requests there may be: a share of the first ones."""

from __future__ import annotations

__all__ = ["BURST", "Tokens"]

BURST = 10
"""Second requests that may be saved up for when many answers are late at once."""

_WHOLE = 10**6


class Tokens:
    """
    Every call adds a share of a token, every second request takes a whole one.

    Among any *n* calls in a row at most *share* x *n* + *burst* are taken; from
    the beginning on, at most *share* x *n*. In millionths, so that nothing is
    gained or lost by rounding.

    Args:
        share: Of the calls; 0 to 1.
        burst: The most tokens that are kept.
    """

    def __init__(self, share: float, burst: int = BURST) -> None:
        # Rounded down, but for what a float does to 0.07.
        self._share = int(share * _WHOLE + 1e-6)
        self._most = burst * _WHOLE
        self._millionths = 0

    def add(self) -> None:
        """A call was made."""
        self._millionths = min(self._most, self._millionths + self._share)

    def take(self) -> bool:
        """Take a token, if there is one."""
        if self._millionths < _WHOLE:
            return False
        self._millionths -= _WHOLE
        return True

    def give_back(self) -> None:
        """What was taken was not used."""
        self._millionths = min(self._most, self._millionths + _WHOLE)
