"""What happened lately, as sums."""

from __future__ import annotations

__all__ = ["Recent"]

BUCKETS = 10


class Recent:
    """
    Sums over the last *window* seconds, in a ring of ten buckets.

    A bucket is forgotten as a whole, so a sum reaches back nine tenths of the
    window at least and never further than the window.

    Args:
        window: Seconds, above 0.
        kinds: How many sums there are; they are called by number.
    """

    __slots__ = ("_buckets", "_newest", "_sums", "_width")

    def __init__(self, window: float, kinds: int) -> None:
        self._width = window / BUCKETS
        self._buckets = [[0] * kinds for _ in range(BUCKETS)]
        self._sums = [0] * kinds
        self._newest = 0

    def add(self, now: float, kind: int, amount: int = 1) -> None:
        """Count *amount* at *now*, which is no earlier than any time before."""
        self._turn(now)
        self._buckets[self._newest % BUCKETS][kind] += amount
        self._sums[kind] += amount

    def sums(self, now: float) -> tuple[int, ...]:
        """One sum for each kind."""
        self._turn(now)
        return tuple(self._sums)

    def clear(self) -> None:
        """Forget everything."""
        kinds = len(self._sums)
        self._buckets = [[0] * kinds for _ in range(BUCKETS)]
        self._sums = [0] * kinds

    def _turn(self, now: float) -> None:
        newest = int(now // self._width)
        if newest <= self._newest:
            return
        for number in range(max(self._newest + 1, newest - BUCKETS + 1), newest + 1):
            bucket = self._buckets[number % BUCKETS]
            for kind, amount in enumerate(bucket):
                self._sums[kind] -= amount
                bucket[kind] = 0
        self._newest = newest
