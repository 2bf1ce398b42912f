"""A share of the rows, the least sure of them, whatever the scores are."""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterable

from tritonkit.units import parse_share

__all__ = ["Rate"]

_WINDOW = 1000
"""Scores that a rank is among."""


class Rate:
    """
    Chooses rows one after the other so that the chosen are a given share of them.

    A row is chosen if its rank among recent scores is below a level, which falls
    by STEP * (1 - share) with each row that is chosen and rises by STEP * share
    with each that is not. Ranks are 0 to 1, so the level stays within a step of
    that, and the share after n rows is off by (1 + STEP) / (STEP * n) at the most:
    one percentage point after 10,100 rows for any scores in any order, far
    earlier for scores that keep their distribution. Equal scores have ranks drawn
    at random between those beside them. One thread at a time.

    Source of the bound: Gibbs and Candès, Adaptive conformal inference (2021), prop. 4.1.

    Args:
        share: 0 to 1, or "20%".
        rng: Draws between equal scores.
    """

    STEP = 0.01
    """How far one row may move the level."""

    def __init__(self, share: str | float, *, rng: random.Random | None = None) -> None:
        self.share = parse_share(share, name="share")
        self.chosen = 0
        self.seen = 0
        self._level = self.share
        self._rng = rng or random.Random()
        self._recent: deque[float] = deque()
        self._sorted: list[float] = []

    def choose(self, scores: Iterable[float]) -> list[bool]:
        """Whether each row is one of the share; a score that is NaN is the lowest of all."""
        return [self._one(score) for score in scores]

    def _one(self, score: float) -> bool:
        if score != score:
            score = float("-inf")
        chosen = self._rank(score) < self._level
        self._level += self.STEP * (self.share - chosen)
        self._remember(score)
        self.seen += 1
        self.chosen += chosen
        return chosen

    def _rank(self, score: float) -> float:
        """Of the score among the recent ones and itself: 0 for the lowest, below 1."""
        low, high = bisect_left(self._sorted, score), bisect_right(self._sorted, score)
        return (low + self._rng.random() * (high - low + 1)) / (len(self._sorted) + 1)

    def _remember(self, score: float) -> None:
        if len(self._recent) == _WINDOW:
            del self._sorted[bisect_left(self._sorted, self._recent.popleft())]
        self._recent.append(score)
        insort(self._sorted, score)
