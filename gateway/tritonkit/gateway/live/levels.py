"""How long history is kept in which steps."""

from __future__ import annotations

import math
from typing import NamedTuple

from tritonkit.gateway.live.document import Point, TierPoint
from tritonkit.gateway.live.sample import Sample

__all__ = ["LEVELS", "Level", "level_for", "point_of", "step_for"]


class Level(NamedTuple):
    """
    Samples of one length.

    Args:
        seconds: Of each.
        share: Of the time that minutes are kept, at most; those of seconds have their own.
    """

    seconds: int
    share: float


LEVELS = (Level(1, 0.0), Level(15, 1 / 28), Level(60, 1.0), Level(360, 1.0))
"""
The finest first. Those beside seconds and minutes are for the page's views: an hour, or a day, in
240 points is read from as many rows, and a week from seven times as many. Of minutes a week has
10,080, which take seconds to read.
"""


_FEW = 300
"""Seconds that are shown one by one."""


def step_for(seconds: float, points: int) -> int:
    """
    Seconds of a step for *points* of them over *seconds*.

    The least whole number of them with which there are no more; a multiple of a level's.
    Single seconds are for a few minutes: a row of each worker takes 100 us to read.
    """
    least = max(1 if seconds <= _FEW else LEVELS[1].seconds, math.ceil(seconds / points))
    fits = level_for(least)
    return math.ceil(least / fits.seconds) * fits.seconds


def level_for(step: int) -> Level:
    """The coarsest level of which a step may be made."""
    return next(level for level in reversed(LEVELS) if level.seconds <= step)


def point_of(at: float, step: float, sample: Sample) -> Point:
    """One step of the history."""
    tiers: dict[str, TierPoint] = {}
    for tier, sketch in sorted(sample.tiers.items()):
        p50, p95, p99 = sketch.quantiles((0.5, 0.95, 0.99))
        if sketch.count:
            tiers[tier] = {"p50": p50, "p95": p95, "p99": p99, "requests": sketch.count}
    return {
        "at": at,
        "requests_per_second": sample.requests / step,
        "errors_per_second": sample.errors / step,
        "hit_share": sample.hit_share,
        "by_origin": dict(sample.origins),
        "cost_per_second": sample.cost / step,
        "cost_per_success": sample.cost_per_success,
        "in_flight": sample.in_flight / step,
        "tiers": tiers,
    }
