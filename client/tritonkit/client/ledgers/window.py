"""A sliding window in buckets: never less than what a window holds, a little more for a while."""

from __future__ import annotations

import math

from tritonkit.client.ledgers.ledger import bucket_us

__all__ = ["Window"]


class Window:
    """
    What one scope has spent lately, and what is reserved.

    The oldest bucket counts as long as any of it lies in the window. What lies in
    the future, for the clock was set back, counts as well.

    Args:
        window_us: Its length in microseconds.
    """

    __slots__ = ("_buckets", "_length", "_oldest", "_size", "_total", "reserved", "violations")

    def __init__(self, window_us: int) -> None:
        self._length = window_us
        self._size = bucket_us(window_us)
        self._buckets: dict[int, int] = {}
        self._total = 0
        self._oldest = 0
        self.reserved = 0
        self.violations = 0

    def settled(self, now: int) -> int:
        """What is spent as of *now*, in microseconds."""
        oldest = (now - self._length) // self._size
        if oldest != self._oldest:
            self._oldest = oldest
            for index in [index for index in self._buckets if index < oldest]:
                self._total -= self._buckets.pop(index)
        return self._total

    def charge(self, amount: int, at: int) -> None:
        """Count *amount* as spent at a moment."""
        if amount:
            index = at // self._size
            self._buckets[index] = self._buckets.get(index, 0) + amount
            self._total += amount

    def retry_after_us(self, limit: int, amount: int, now: int) -> float:
        """
        Microseconds until *amount* fits below *limit*, if nobody else spends.

        Open reservations may be released at any time: a bucket's length where
        only they stand in the way.
        """
        if amount > limit or not limit:
            return math.inf
        missing = self.settled(now) + self.reserved + amount - limit
        for index in sorted(self._buckets):
            missing -= self._buckets[index]
            if missing <= 0:
                return (index + 1) * self._size + self._length - now
        return self._size

    def idle(self, now: int) -> bool:
        """Whether it is as good as new."""
        return not self.reserved and not self.settled(now)
