"""Which rows are looked at."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import inf, log, log1p
from zlib import crc32

__all__ = ["Sampling"]


class Sampling:
    """
    A share of rows, and no more than so many a second.

    Rows of a request with an id are taken all or not at all, by a hash of the
    id: every process tells the same of it. Of others each row is drawn. Threads may ask at
    the same time; a row more or less is no matter.

    Args:
        share: 0 to 1.
        most: Rows a second.
        clock: Seconds that only grow.
        chance: Draws.
    """

    def __init__(
        self, share: float, most: float, *, clock: Callable[[], float], chance: random.Random
    ) -> None:
        self.share, self.most = share, most
        self._clock = clock
        self._random = chance.random
        self._hashed = share * 2**32
        self._left = float(most)
        self._filled = clock()
        self._skip = self._gap()

    def wanted(self, id: str) -> bool:
        """Whether the rows of this id are looked at."""
        return crc32(id.encode(errors="replace")) < self._hashed

    def choose(self, rows: int, id: str) -> tuple[int, ...] | range:
        """The places of the rows to look at; mostly none."""
        if id:
            return range(rows) if self.wanted(id) else ()
        if self._skip >= rows:
            self._skip -= rows
            return ()
        place = int(self._skip)
        chosen = []
        while place < rows:
            chosen.append(place)
            gap = self._gap()
            if gap == inf:
                break
            place += 1 + int(gap)
        self._skip = max(0, place - rows)
        return tuple(chosen)

    def allow(self, rows: int) -> int:
        """How many of them may be looked at now."""
        now = self._clock()
        if self.most == inf:
            return rows
        # Of less than one a second there is one, now and then.
        full = max(self.most, 1.0) if self.most else 0.0
        self._left = min(full, self._left + (now - self._filled) * self.most)
        self._filled = now
        allowed = min(rows, int(self._left))
        self._left -= allowed
        return allowed

    def _gap(self) -> float:
        """Rows to pass over: geometric."""
        if self.share <= 0:
            return inf
        if self.share >= 1:
            return 0
        return float(int(log(1 - self._random()) / log1p(-self.share)))
