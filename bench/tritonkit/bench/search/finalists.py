"""What is looked at before a search ends, however sure it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from tritonkit.bench.search.judgement import Estimate
from tritonkit.bench.search.knowledge import Seen, pooled
from tritonkit.bench.search.surrogate import Belief

__all__ = ["beside", "in_turn", "keeps"]

_COMPARABLE = 0.2
"""How much worse than the best a neighbour may seem and still be looked at, as a share."""

_CLOSE = 0.1
"""How much worse what was measured may seem and still be a finalist."""

_HOPEFUL = 0.1
"""The probability of keeping the target above which these are looked at."""


def keeps(index: int, margin: Belief) -> float:
    """The probability that a candidate keeps the target."""
    return Estimate(float(margin.mean[index]), float(margin.spread[index])).above(0.0)


def beside(
    best: int, neighbours: Iterable[int], seen: Mapping[int, Seen], gain: Belief, margin: Belief
) -> int | None:
    """
    Of what is one step from the best and was not measured, the most promising.

    A model of the server is wrong by some percent, and alike for candidates that are
    alike: it tells where the best are, and not which of them it is.
    """
    near = (index for index in neighbours if index not in seen)
    return _largest(near, float(gain.mean[best]) - _COMPARABLE, gain, margin)


def in_turn(
    best: int,
    alive: Callable[[int], bool],
    seen: Mapping[int, Seen],
    gain: Belief,
    margin: Belief,
    *,
    confidence: float,
    tolerance: float,
) -> int | None:
    """
    What is measured again, until runs alone say that nothing measured is better.

    A finalist is what was measured and may be as good as the best. Where the runs of
    the two, without any model, do not tell with *confidence* that it is not better by
    more than the *tolerance*, whichever of them was measured less is measured again; so
    they are measured in turn, and what slows the machine down meanwhile meets both.
    """
    doubtful = []
    own = pooled(seen[best].gains, gain.noise)
    for index, one in seen.items():
        if index == best or not alive(index) or not one.gains:
            continue
        other = pooled(one.gains, gain.noise)
        lead = Estimate(own.mean - other.mean, math.hypot(own.spread, other.spread))
        if one.count == 1 or lead.above(math.log1p(-tolerance)) < confidence:
            doubtful.append(index)
    rival = _largest(doubtful, float(gain.mean[best]) - _CLOSE, gain, margin)
    if rival is None:
        return None
    return best if seen[best].count < seen[rival].count else rival


def _largest(candidates: Iterable[int], least: float, gain: Belief, margin: Belief) -> int | None:
    hopeful = (i for i in candidates if gain.mean[i] > least and keeps(i, margin) > _HOPEFUL)
    return max(hopeful, key=lambda index: float(gain.mean[index]), default=None)
