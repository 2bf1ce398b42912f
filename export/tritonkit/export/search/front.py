"""The Pareto front of size, throughput and accuracy."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tritonkit.export.search.candidate import Candidate

__all__ = ["dominates", "has_nan", "inaccuracy", "pareto_front"]


def pareto_front(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """
    The candidates that no other one dominates, in the order given.

    Equals are all on it; one with a figure that is NaN never is.
    """
    known = [candidate for candidate in candidates if not has_nan(candidate)]
    return tuple(
        candidate for candidate in known if not any(dominates(other, candidate) for other in known)
    )


def dominates(one: Candidate, other: Candidate) -> bool:
    """Whether *one* is nowhere worse than *other*, and somewhere better."""
    worse = (
        one.size_bytes > other.size_bytes,
        one.speed.throughput < other.speed.throughput,
        inaccuracy(one) > inaccuracy(other),
    )
    better = (
        one.size_bytes < other.size_bytes,
        one.speed.throughput > other.speed.throughput,
        inaccuracy(one) < inaccuracy(other),
    )
    return any(better) and not any(worse)


def inaccuracy(candidate: Candidate) -> tuple[float, float]:
    """
    What accuracy is ranked by, lower is better: the loss of the task's metric, then cosine.

    A gain over the source counts as no loss: it is chance.
    """
    accuracy = candidate.accuracy
    return max(accuracy.loss, 0.0), -accuracy.cosine_mean


def has_nan(candidate: Candidate) -> bool:
    """Whether a figure that candidates are ranked by is not a number."""
    accuracy = candidate.accuracy
    # Not by `inaccuracy`: max(NaN, 0.0) depends on the order of its arguments.
    return any(map(math.isnan, (candidate.speed.throughput, accuracy.loss, accuracy.cosine_mean)))
