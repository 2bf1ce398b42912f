"""The units of one version of an experiment, and what each of them came to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.experiments.columns import Index, Joined, Values
from tritonkit.client.experiments.question import BUILT_IN, Aggregate

__all__ = [
    "Cohort",
    "Totals",
    "UnitEvents",
    "cohort_of",
    "last_event",
    "past_events",
    "unit_events",
]


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """
    Who is in, each unit once: a unit of two arms is one of the first of them.

    Args:
        unit: Places in the names of units, ascending.
        arm: Place of each one's arm in the names of arms.
        start: When it was exposed, in seconds since 1970.
        exposed: Whether its exposure is recorded; else it begins with its first answer.
        crossed: Whether it has answers of another arm, which count for its own.
        settled: When all that counts of it has happened; *start* without a window.
        rows: Places of its answers.
        at: For each of these the place of its unit in this cohort.
    """

    unit: Index
    arm: Index
    start: Values
    exposed: NDArray[np.bool_]
    crossed: NDArray[np.bool_]
    settled: Values
    rows: Index
    at: Index


@dataclass(frozen=True, slots=True, eq=False)
class UnitEvents:
    """What one metric is made of: values, whose units and when; their sum or mean is scaled."""

    unit: Index
    value: Values
    at: Values
    aggregate: Aggregate
    scale: float = 1.0


class Totals:
    """Of each unit: how many values, how many are not 0, and their sum. Grows by slices."""

    def __init__(self, units: int) -> None:
        self._sum, self._count, self._some = (np.zeros(units) for _ in range(3))

    def add(self, unit: Index, value: Values) -> None:
        """Take some more."""
        units = len(self._sum)
        self._sum += np.bincount(unit, value, units)
        self._count += np.bincount(unit, minlength=units)
        self._some += np.bincount(unit, value != 0, units)

    def values(self, aggregate: Aggregate) -> tuple[Values, NDArray[np.bool_]]:
        """The value of each unit, and which units have one."""
        known = self._count > 0
        if aggregate == "mean":
            mean: Values = self._sum / np.maximum(self._count, 1)
            return mean, known
        everybody = np.ones(len(known), np.bool_)
        if aggregate == "any":
            return (self._some > 0).astype(np.float64), everybody
        return self._sum.copy(), everybody


def cohort_of(joined: Joined, version: int, window: float | None) -> Cohort:
    """The units of a version, and their answers within the window."""
    answers, exposures = joined.answers, joined.exposures
    rows = np.flatnonzero(answers.version == version)
    of_version = exposures.version == version
    unit, arm = exposures.unit[of_version], exposures.arm[of_version]
    start = exposures.at[of_version]
    # Whose exposure was lost: its first answer tells the arm.
    stray = rows[~np.isin(answers.unit[rows], unit)]
    stray = stray[np.lexsort((answers.arm[stray], answers.at[stray], answers.unit[stray]))]
    _, first = np.unique(answers.unit[stray], return_index=True)
    stray = stray[first]
    exposed = np.concatenate((np.ones(len(unit), np.bool_), np.zeros(len(stray), np.bool_)))
    unit = np.concatenate((unit, answers.unit[stray]))
    order = np.argsort(unit, kind="stable")
    unit = unit[order]
    arm = np.concatenate((arm, answers.arm[stray]))[order]
    start = np.concatenate((start, answers.at[stray]))[order]
    at = np.searchsorted(unit, answers.unit[rows])
    crossed = np.zeros(len(unit), np.bool_)
    crossed[at[answers.arm[rows] != arm[at]]] = True
    settled = start
    if window is not None:
        settled = start + window
        inside = answers.at[rows] <= settled[at]
        rows, at = rows[inside], at[inside]
    return Cohort(
        unit=unit,
        arm=arm,
        start=start,
        exposed=exposed[order],
        crossed=crossed,
        settled=settled,
        rows=rows,
        at=at,
    )


def unit_events(
    joined: Joined, cohort: Cohort, name: str, aggregate: Aggregate | None, window: float | None
) -> UnitEvents:
    """What a metric is made of, in this cohort."""
    if name in BUILT_IN:
        return _of_answers(joined, cohort.rows, cohort.at, name)
    unit, value, at = _of_outcomes(joined, cohort.rows, cohort.at, name)
    if window is not None:
        inside = at <= cohort.settled[unit]
        unit, value, at = unit[inside], value[inside], at[inside]
    return UnitEvents(unit, value, at, aggregate or _natural(value))


def past_events(
    joined: Joined, cohort: Cohort, version: int, control: int, name: str, aggregate: Aggregate
) -> UnitEvents:
    """
    The same of what the units did before they were exposed, where that is no effect of an arm.

    That is in other versions which had the control arm alone. A unit keeps its arm through
    most changes, so where there was another, who has a past in the control arm is
    in it now as well; and a past that one arm has more often than the other makes their
    difference seem surer than it is.
    """
    answers, exposures = joined.answers, joined.exposures
    mixed = np.union1d(
        answers.version[answers.arm != control], exposures.version[exposures.arm != control]
    )
    rows = np.flatnonzero((answers.version != version) & ~np.isin(answers.version, mixed))
    at = np.searchsorted(cohort.unit, answers.unit[rows])
    known = at < len(cohort.unit)
    rows, at = rows[known], at[known]
    before = (cohort.unit[at] == answers.unit[rows]) & (answers.at[rows] < cohort.start[at])
    rows, at = rows[before], at[before]
    if name in BUILT_IN:
        return _of_answers(joined, rows, at, name)
    unit, value, when = _of_outcomes(joined, rows, at, name)
    before = when < cohort.start[unit]
    return UnitEvents(unit[before], value[before], when[before], aggregate)


def last_event(joined: Joined) -> float:
    """When the last one happened, in seconds since 1970; 0 without any."""
    times = (joined.exposures.at, joined.answers.at, joined.outcomes.at)
    return max((float(at.max()) for at in times if len(at)), default=0.0)


def _of_answers(joined: Joined, rows: Index, at: Index, name: str) -> UnitEvents:
    answers = joined.answers
    aggregate: Aggregate = "mean"
    scale = 1.0
    value: Values
    if name == "latency":
        good = ~answers.failed[rows]
        rows, at = rows[good], at[good]
        value = answers.seconds[rows]
    elif name == "errors":
        value = answers.failed[rows].astype(np.float64)
    elif name == "degraded":
        value = answers.degraded[rows].astype(np.float64)
    elif name == "cost":
        # Sums of whole numbers are exact: equal costs stay equal.
        value, scale = answers.cost[rows], 1e-6
    else:
        value, aggregate = np.ones(len(rows)), "sum"
    return UnitEvents(at, value, answers.at[rows], aggregate, scale)


def _of_outcomes(joined: Joined, rows: Index, at: Index, name: str) -> tuple[Index, Values, Values]:
    unit = np.full(len(joined.answers), -1, np.int64)
    unit[rows] = at
    outcomes = joined.outcomes
    named = outcomes.name == (joined.names.index(name) if name in joined.names else -1)
    owner = unit[outcomes.answer[named]]
    inside = owner >= 0
    return owner[inside], outcomes.value[named][inside], outcomes.at[named][inside]


def _natural(value: Values) -> Aggregate:
    """See `Metric.aggregate`."""
    if not ((value == 0) | (value == 1)).all():
        return "sum"
    return "any" if value.all() else "mean"
