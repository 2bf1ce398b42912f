"""How many requests may be sent besides: a share of the first ones, in whole tokens."""

from __future__ import annotations

__all__ = ["BURST", "TOKEN", "Tokens", "part_of_token"]

BURST = 10
"""Requests that may be saved up for when many answers are late at once."""

TOKEN = 10**6
"""In millionths, so that nothing is gained or lost by rounding."""


def part_of_token(share: float) -> int:
    """Rounded down, but for what a float may lack of a millionth."""
    return int(share * TOKEN + 1e-6)


class Tokens:
    """
    Every call adds a share of a token, every request besides takes a whole one.

    Among any *n* calls in a row at most *share* x *n* + *burst* are taken; from
    the beginning on, at most *share* x *n*.

    Args:
        share: Of the calls; 0 to 1.
        burst: The most tokens that are kept.
    """

    def __init__(self, share: float, burst: int = BURST) -> None:
        self._share = part_of_token(share)
        self._most = burst * TOKEN
        self._millionths = 0

    def add(self) -> None:
        """A call was made."""
        self._millionths = min(self._most, self._millionths + self._share)

    def take(self) -> bool:
        """Take a token, if there is one."""
        if self._millionths < TOKEN:
            return False
        self._millionths -= TOKEN
        return True

    def give_back(self) -> None:
        """What was taken was not used."""
        self._millionths = min(self._most, self._millionths + TOKEN)
