"""
A fair judgement of a search on a machine that is never quite quiet.

Two things of it make a judgement a matter of luck. A point at the very edge of the target
keeps it in one run and breaks it in the next. And the best of several noisy figures is
flattered by its noise: who is compared with it seems worse than he is.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Judgement", "Ran", "contenders", "judged", "limit_between"]

NEAR = 0.8
"""The share of the best figure from which a point at the edge of the target would matter."""

STEPS = 200


@dataclass(frozen=True, slots=True)
class Ran:
    """
    What a point of the grid gave.

    Args:
        rate: To be best.
        p95: To be below the limit.
    """

    rate: float
    p95: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """
    A choice beside the best of all that keep the target.

    Args:
        share: Median of the rounds' ratios; 0 where the choice breaks the target.
        low: The second smallest ratio: of nine, with the second largest it holds the
            median with 96 %.
        high: The second largest.
    """

    share: float
    low: float
    high: float


def limit_between(ran: Sequence[Ran], lowest: float, highest: float) -> float:
    """
    The limit that is furthest from every point that would matter under it.

    Those are the points whose rate is at least 80 % of the best that keeps it: what is
    slow says nothing about a search, wherever it lies.

    Args:
        ran: All points.
        lowest: The limit is not below it.
        highest: Nor above it.
    """
    wide = math.log(highest / lowest)
    limits = [lowest * math.exp(wide * step / STEPS) for step in range(STEPS + 1)]

    def distance(limit: float) -> float:
        best = max((one.rate for one in ran if one.p95 < limit), default=math.inf)
        matter = [one for one in ran if one.rate >= NEAR * best]
        return min((abs(math.log(one.p95 / limit)) for one in matter), default=0.0)

    return max(limits, key=distance)


def contenders(ran: Sequence[Ran], limit: float) -> list[int]:
    """Indices of the points that would matter and whose p95 is within a factor of 2 of it."""
    best = max((one.rate for one in ran if one.p95 < limit), default=math.inf)
    return [
        index
        for index, one in enumerate(ran)
        if one.rate >= NEAR * best and limit / 2 < one.p95 < limit * 2
    ]


def judged(choice: Sequence[Ran], others: Sequence[Sequence[Ran]], limit: float) -> Judgement:
    """
    A choice beside the others, all measured in the same rounds.

    What breaks the target, by the median of its p95, is out. In each round the choice is
    compared with whichever of all, itself among them, is the best by the median of the
    other rounds: the round that names the best is not the one that it is measured by.

    Args:
        choice: Its rounds.
        others: Of each other one, as many.
        limit: Of p95.
    """

    def keeps(rounds: Sequence[Ran]) -> bool:
        return statistics.median(one.p95 for one in rounds) < limit

    if not keeps(choice):
        return Judgement(0.0, 0.0, 0.0)
    left = [choice, *filter(keeps, others)]
    ratios = []
    for number, own in enumerate(choice):

        def elsewhere(rounds: Sequence[Ran], number: int = number) -> float:
            return statistics.median(one.rate for at, one in enumerate(rounds) if at != number)

        best = max(left, key=elsewhere)
        ratios.append(own.rate / best[number].rate)
    ratios.sort()
    return Judgement(statistics.median(ratios), ratios[1], ratios[-2])
