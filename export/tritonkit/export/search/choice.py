"""Which candidate is served."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tritonkit.export.accuracy.budget import Budget
from tritonkit.export.search.candidate import Candidate
from tritonkit.export.search.front import has_nan, inaccuracy
from tritonkit.export.search.speed import BASE

__all__ = ["Choice", "Objective", "choose"]

Objective: TypeAlias = Literal["speed", "size"]
"""What is best among the candidates within the budget: the fastest, or the smallest."""

_LEAST_NOISE, _MOST_NOISE = 0.03, 0.05
"""
Shares of a throughput within which two are tied: the best and another, fp32 and a candidate.

In between, two standard errors. More noise than the larger is a reason to
measure again, not to give speed away.
"""

_SAME_SIZE = 1.01
"""Sizes within 1 % are the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """
    What is served, and why the others are not.

    Args:
        candidate: The chosen one; None where no candidate keeps the budget.
        reason: Why it, in a sentence.
        refused: By recipe, what keeps it from being chosen at all.
    """

    candidate: Candidate | None
    reason: str
    refused: Mapping[str, str]


def choose(
    candidates: Sequence[Candidate],
    *,
    budget: Budget,
    objective: Objective = "speed",
    force: bool = False,
) -> Choice:
    """
    The best candidate within *budget*.

    "speed" takes the fastest at the largest batch; of those within the noise of it
    the smallest, of these the most accurate. "size" takes the smallest; of those
    within 1 % of it the fastest, of these the most accurate.

    Args:
        candidates: What was tried, in any order.
        budget: The limits of accuracy; none is taken that misses one.
        objective: Speed by default: whoever serves a model pays for time.
        force: Whether one slower than fp32 may be taken.
    """
    refused = {
        candidate.recipe: "; ".join(why)
        for candidate in candidates
        if (why := _objections(candidate, budget, force=force))
    }
    eligible = [candidate for candidate in candidates if candidate.recipe not in refused]
    if not eligible:
        missed = "; ".join(f"{name}: {why}" for name, why in refused.items())
        return Choice(
            candidate=None,
            reason=f"no candidate keeps the budget: {missed or 'none was made'}",
            refused=refused,
        )
    if refused and [candidate.recipe for candidate in eligible] == [BASE]:
        reason = "no other candidate is as fast and keeps the budget"
        return Choice(candidate=eligible[0], reason=reason, refused=refused)
    chosen, reason = (_fastest if objective == "speed" else _smallest)(eligible)
    return Choice(candidate=chosen, reason=reason, refused=refused)


def _objections(candidate: Candidate, budget: Budget, *, force: bool) -> list[str]:
    if has_nan(candidate):
        return ["a figure of it is not a number"]
    why = list(budget.findings(candidate.accuracy))
    speed = candidate.speed
    if not force and speed.throughput < 1 - _noise(speed.error.get(speed.batch, 0.0)):
        why.append(f"slower than fp32, {speed.throughput:.2f} times at batch {speed.batch}")
    return why


def _fastest(eligible: Sequence[Candidate]) -> tuple[Candidate, str]:
    fastest = max(eligible, key=lambda one: one.speed.throughput)
    tied = [one for one in eligible if _as_fast(one, fastest)]
    least = min(one.size_bytes for one in tied)
    small = [one for one in tied if one.size_bytes <= _SAME_SIZE * least]
    chosen = min(small, key=lambda one: (inaccuracy(one), -one.speed.throughput, one.recipe))
    speed = chosen.speed
    rate = f"{speed.throughput:.2f} times fp32 at batch {speed.batch}"
    if len(tied) == 1:
        return chosen, f"the fastest within the budget, {rate}"
    better = "smallest" if len(small) == 1 else "most accurate of the smallest"
    return chosen, f"the {better} of {len(tied)} that are as fast within the noise, {rate}"


def _smallest(eligible: Sequence[Candidate]) -> tuple[Candidate, str]:
    least = min(one.size_bytes for one in eligible)
    tied = [one for one in eligible if one.size_bytes <= _SAME_SIZE * least]
    fastest = max(tied, key=lambda one: one.speed.throughput)
    fast = [one for one in tied if _as_fast(one, fastest)]
    chosen = min(fast, key=lambda one: (inaccuracy(one), one.size_bytes, one.recipe))
    reason = f"the smallest within the budget, {chosen.times_smaller:.2f} times smaller than fp32"
    return chosen, reason if len(tied) == 1 else f"{reason}, and the best of {len(tied)} so small"


def _as_fast(one: Candidate, fastest: Candidate) -> bool:
    """Whether the two differ by no more than the noise of their measurement."""
    best = fastest.speed.throughput
    error = math.hypot(*(speed.error.get(speed.batch, 0.0) for speed in (one.speed, fastest.speed)))
    noise = _noise(error / best) if best > 0 else 0.0
    return one.speed.throughput >= best * (1 - noise)


def _noise(error: float) -> float:
    """The share within which two are tied whose ratio has this standard error."""
    return min(max(_LEAST_NOISE, 2 * error), _MOST_NOISE)
