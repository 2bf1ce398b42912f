"""From the events of an experiment to a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.experiments.cohort import (
    Cohort,
    Totals,
    UnitEvents,
    cohort_of,
    last_event,
    past_events,
    unit_events,
)
from tritonkit.client.experiments.columns import Collector, Joined, Values
from tritonkit.client.experiments.control import Control
from tritonkit.client.experiments.effects import Draft, Pair, decided, value_of
from tritonkit.client.experiments.findings import Findings, verdict, warnings
from tritonkit.client.experiments.log import EventLog, Loss
from tritonkit.client.experiments.question import BUILT_IN, Question
from tritonkit.client.experiments.report import (
    ArmReport,
    Effect,
    Latency,
    Look,
    MetricValue,
    Report,
    VersionSpan,
)
from tritonkit.client.experiments.timeline import Timeline
from tritonkit.client.statistics.cuped import CupedArm, cuped
from tritonkit.client.statistics.interval import Interval
from tritonkit.client.statistics.moments import Comoments, Moments
from tritonkit.client.statistics.proportions import proportion_sequence
from tritonkit.client.statistics.quantiles import quantile_sequence
from tritonkit.client.statistics.sample_ratio import SampleRatio, sample_ratio
from tritonkit.errors import ConfigError

__all__ = ["analyse", "collect", "report_of"]


async def collect(log: EventLog, experiment: str) -> Joined:
    """
    All events of an experiment, read page by page.

    Raises:
        ServerUnavailable: If the log cannot be read.
    """
    collector, after = Collector(), ""
    while True:
        page = await log.read(experiment, after=after)
        if not page.events:
            return collector.joined()
        collector.add(page.events)
        after = page.cursor


async def report_of(log: EventLog, experiment: str, question: Question) -> Report:
    """
    What an experiment has shown so far.

    Raises:
        ServerUnavailable: If the log cannot be read.
        ConfigError: If it has no such experiment, version, arm or metric.
    """
    if experiment not in await log.experiments():
        raise ConfigError(f"the log knows no experiment {experiment!r}.")
    return analyse(
        experiment,
        await collect(log, experiment),
        question,
        control=await log.control(experiment),
        losses=await log.losses(),
        weights=await log.weights(experiment),
    )


def analyse(
    experiment: str,
    joined: Joined,
    question: Question,
    *,
    control: Control | None = None,
    losses: Mapping[Loss, int] | None = None,
    weights: Mapping[str, Mapping[str, float]] | None = None,
) -> Report:
    """
    Look at the events, as often as one likes.

    The unit of analysis is that of the assignment: a unit counts once in each metric,
    with what is made of all its answers and outcomes, so answers of one unit may depend on
    each other. Rates of units are exact at every look, means are asymptotic and begin
    at 100 units an arm. Rates and quantiles by answer (errors, degraded, latencies) take
    answers to be independent, and are for looking at, not for deciding.

    Raises:
        ConfigError: If there is no such version, arm or metric.
    """
    versions = _versions(joined)
    place = _place(versions, question.version)
    if question.weights is None and place >= 0:
        question = replace(question, weights=(weights or {}).get(joined.versions[place]))
    said = control or Control()
    bandit = place >= 0 and joined.versions[place] in joined.bandits
    if bandit and said.weights is not None:
        # Those that it began with are history.
        question = replace(question, weights=_whole(said.weights))
    analysis = _Analysis(joined, question, place)
    effects = analysis.effects()
    ratio = analysis.sample_ratio()
    if bandit:
        effects, ratio = tuple(map(_undecided, effects)), None
    arms = tuple(analysis.arm(arm) for arm in analysis.arms)
    found = Findings(
        experiment=experiment,
        version=joined.versions[place] if versions else "",
        versions=versions,
        arms=arms,
        effects=effects,
        sample_ratio=ratio,
        crossed=int(analysis.cohort.crossed.sum()),
        unexposed=int((~analysis.cohort.exposed).sum()),
        unknown=joined.unknown,
        joined=len(joined.outcomes.at),
        losses=losses or {},
        decides=analysis.deciding,
        bandit=bandit,
    )
    names = [name for name in analysis.names if name not in BUILT_IN]
    timeline = Timeline(joined, analysis.cohort, question.bins)
    kpis = question.kpis or ((analysis.deciding,) if analysis.deciding in names else ())
    return Report(
        experiment=experiment,
        version=found.version,
        versions=versions,
        state=said.state,
        reason=said.reason,
        promoted=said.arm,
        at=last_event(joined),
        alpha=question.alpha,
        decides=analysis.deciding,
        arms=arms,
        sample_ratio=ratio,
        effects=effects,
        bins=timeline.bins(analysis.arms, names),
        movements=timeline.movements(kpis, question.alpha),
        warnings=tuple(warnings(found)),
        verdict=verdict(found),
        bandit=bandit,
    )


def _versions(joined: Joined) -> tuple[VersionSpan, ...]:
    spans = []
    for place, name in enumerate(joined.versions):
        of = joined.answers.version == place
        exposed = joined.exposures.version == place
        times = np.concatenate((joined.answers.at[of], joined.exposures.at[exposed]))
        units = np.union1d(joined.answers.unit[of], joined.exposures.unit[exposed])
        first, last = float(times.min()), float(times.max())
        spans.append(
            VersionSpan(
                version=name, first=first, last=last, units=len(units), answers=int(of.sum())
            )
        )
    return tuple(sorted(spans, key=lambda span: (span.first, span.version)))


def _place(versions: Sequence[VersionSpan], wanted: str) -> int:
    names = sorted(span.version for span in versions)
    if not wanted and versions:
        return names.index(versions[-1].version)
    close = [name for name in names if wanted and name.startswith(wanted)]
    if wanted and len(close) != 1:
        raise ConfigError(f"version must be one of {names}, but got {wanted!r}.")
    return names.index(close[0]) if close else -1


@dataclass(frozen=True, slots=True, eq=False)
class _Sampled:
    """A metric's value of each unit, at one look."""

    value: Values
    known: NDArray[np.bool_]


class _Analysis:
    def __init__(self, joined: Joined, question: Question, version: int) -> None:
        self._joined, self._question, self._version = joined, question, version
        self.cohort: Cohort = cohort_of(joined, version, question.window)
        self._now = last_event(joined)
        self.arms = self._order()
        self.names = [*BUILT_IN, *(name for name in joined.names if name not in BUILT_IN)]
        for metric in question.metrics:
            if metric.name not in self.names:
                raise ConfigError(
                    f"metric must be one of {self.names}, but got {metric.name!r}: no outcome "
                    "of that name is recorded."
                )
        self.deciding = question.metrics[0].name if question.metrics else ""
        self._events: dict[str, UnitEvents] = {
            name: unit_events(
                joined, self.cohort, name, question.metric(name).aggregate, question.window
            )
            for name in self.names
        }
        everything = self._sampled_all()
        self._final = {name: samples[-1] for name, samples in everything.items()}
        self._earlier = {name: samples[:-1] for name, samples in everything.items()}
        self._past = {name: self._past_of(name) for name in self.names}
        self._rates = {name: self._is_rate(name) for name in self.names}

    def sample_ratio(self) -> SampleRatio | None:
        """Whether units came as the weights say."""
        weights = self._question.weights
        if weights is None or not self.arms:
            return None
        counts = {self._joined.arms[arm]: int((self.cohort.arm == arm).sum()) for arm in self.arms}
        strange = [name for name in counts if name not in weights]
        if strange:
            raise ConfigError(f"weights must name every arm, but {strange} are missing.")
        return sample_ratio([counts.get(name, 0) for name in weights], list(weights.values()))

    def arm(self, arm: int) -> ArmReport:
        """All that is shown of one."""
        cohort, answers, alpha = self.cohort, self._joined.answers, self._question.alpha
        mine = cohort.arm == arm
        rows = cohort.rows[mine[cohort.at]]
        count = len(rows)
        failed = int(answers.failed[rows].sum())
        degraded = int(answers.degraded[rows].sum())
        cost = float(answers.cost[rows].sum()) / 1e6
        per_unit = np.bincount(cohort.at, minlength=len(cohort.unit))[mine]
        weights = self._question.weights
        return ArmReport(
            name=self._joined.arms[arm],
            control=arm == self.arms[0],
            weight=None if weights is None else float(weights[self._joined.arms[arm]]),
            units=int(mine.sum()),
            exposures=int(cohort.exposed[mine].sum()),
            answers=count,
            errors=failed,
            degraded=degraded,
            error_rate=proportion_sequence(failed, count, alpha=alpha),
            degraded_rate=proportion_sequence(degraded, count, alpha=alpha),
            returning=int((per_unit > 1).sum()),
            answers_per_unit=float(per_unit.mean()) if len(per_unit) else nan,
            cost=cost,
            cost_per_answer=cost / count if count else nan,
            cost_per_success=cost / (count - failed) if count > failed else nan,
            latencies=self._latencies(rows[~answers.failed[rows]]),
            metrics=tuple(self._metric(name, arm) for name in self.names),
        )

    def effects(self) -> tuple[Effect, ...]:
        """Of each arm but the control, by each metric."""
        drafts = []
        for name in sorted(self.names, key=lambda name: name != self.deciding):
            metric = self._question.metric(name)
            for arm in self.arms[1:]:
                pair, removed = self._pair(name, arm, self._final[name], self._now)
                drafts.append(
                    Draft(
                        arm=self._joined.arms[arm],
                        metric=metric,
                        pair=pair,
                        decides=name == self.deciding,
                        variance_removed=removed,
                        looks=self._looks(name, arm),
                    )
                )
        return decided(drafts)

    def _order(self) -> list[int]:
        """Arms that have units, or weights, the control first."""
        names, question = self._joined.arms, self._question
        present = [int(arm) for arm in np.unique(self.cohort.arm)]
        known = {names[arm] for arm in present}
        ordered = [name for name in question.weights or () if name in known]
        ordered += sorted(known.difference(ordered), key=lambda name: (name != "control", name))
        if question.control:
            if question.control not in known:
                raise ConfigError(
                    f"control must be one of {sorted(known)}, but got {question.control!r}."
                )
            ordered.sort(key=lambda name: name != question.control)
        return [names.index(name) for name in ordered]

    def _sampled_all(self) -> dict[str, list[_Sampled]]:
        times = self._times()
        return {name: self._sampled(events, times) for name, events in self._events.items()}

    def _times(self) -> list[float]:
        looks, start = self._question.looks, self.cohort.start
        if not looks or not len(start):
            return [self._now]
        return [*np.linspace(float(start.min()), self._now, looks + 1)[1:-1].tolist(), self._now]

    def _sampled(self, events: UnitEvents, times: Sequence[float]) -> list[_Sampled]:
        # What another machine's clock puts after the end counts all the same.
        look = np.minimum(np.searchsorted(times, events.at), len(times) - 1)
        order = np.argsort(look.astype(np.uint16), kind="stable")
        ends = np.cumsum(np.bincount(look, minlength=len(times)))
        totals, begin, made = Totals(len(self.cohort.unit)), 0, []
        for end, time in zip(ends.tolist(), times, strict=True):
            slice_ = order[begin:end]
            totals.add(events.unit[slice_], events.value[slice_])
            value, known = totals.values(events.aggregate)
            made.append(_Sampled(value * events.scale, known & (self.cohort.settled <= time)))
            begin = end
        return made

    def _past_of(self, name: str) -> _Sampled | None:
        aggregate = self._events[name].aggregate
        if not self.arms or len(self._joined.versions) < 2:
            return None
        cohort, control = self.cohort, self.arms[0]
        past = past_events(self._joined, cohort, self._version, control, name, aggregate)
        if not len(past.unit):
            return None
        totals = Totals(len(cohort.unit))
        totals.add(past.unit, past.value)
        value = totals.values(aggregate)[0] * past.scale
        seen = past_events(self._joined, cohort, self._version, control, "answers", "sum")
        known = np.bincount(past.unit if aggregate == "mean" else seen.unit, minlength=len(value))
        return _Sampled(value, known > 0)

    def _is_rate(self, name: str) -> bool:
        for sample in (*self._earlier[name], self._final[name]):
            value = sample.value[sample.known]
            if not ((value == 0) | (value == 1)).all():
                return False
        return True

    def _moments(self, sample: _Sampled, arm: int) -> Moments:
        value = sample.value[sample.known & (self.cohort.arm == arm)]
        if len(value) and value.min() == value.max():
            # Rounding would make a little variance of none.
            return Moments(len(value), float(value[0]), 0.0)
        return Moments.of(value)

    def _pair(self, name: str, arm: int, sample: _Sampled, at: float) -> tuple[Pair, float]:
        control, removed = self.arms[0], 0.0
        past = self._past[name]
        arms = [self._moments(sample, one) for one in (arm, control)]
        if past is not None and not self._rates[name]:
            adjusted = cuped([self._with_past(sample, past, one) for one in (arm, control)])
            arms, removed = list(adjusted.arms), adjusted.removed
        question = self._question
        pair = Pair(arms[0], arms[1], self._rates[name], question.alpha, question.tuned_for)
        return pair, removed

    def _with_past(self, sample: _Sampled, past: _Sampled, arm: int) -> CupedArm:
        mine = sample.known & (self.cohort.arm == arm)
        old, new = mine & past.known, mine & ~past.known
        return CupedArm(
            Comoments.of(past.value[old], sample.value[old]), Moments.of(sample.value[new])
        )

    def _looks(self, name: str, arm: int) -> tuple[Look, ...]:
        # Exact rates take their time, so only what is likely to be drawn.
        if not self._question.looks or not (name == self.deciding or self._drawn(name)):
            return ()
        made = []
        samples = [*self._earlier[name], self._final[name]]
        for time, sample in zip(self._times(), samples, strict=True):
            pair, _ = self._pair(name, arm, sample, time)
            made.append(Look(at=time, units=pair.units, difference=pair.difference))
        return tuple(made)

    def _drawn(self, name: str) -> bool:
        return not self.deciding and name not in BUILT_IN

    def _metric(self, name: str, arm: int) -> MetricValue:
        question, events = self._question, self._events[name]
        moments = self._moments(self._final[name], arm)
        rate = self._rates[name]
        value = value_of(moments, rate=rate, alpha=question.alpha, tuned_for=question.tuned_for)
        return MetricValue(
            name=name,
            kind="rate" if rate else "mean",
            aggregate=events.aggregate,
            units=moments.n,
            events=int((self.cohort.arm[events.unit] == arm).sum()),
            value=value,
            deviation=moments.deviation,
        )

    def _latencies(self, rows: NDArray[np.int64]) -> tuple[Latency, ...]:
        answers, alpha = self._joined.answers, self._question.alpha
        cache = answers.cache[rows]
        kinds, counts = np.unique(cache, return_counts=True)
        order = sorted(zip((-counts).tolist(), kinds.tolist(), strict=True))
        parts = [("", answers.seconds[rows])]
        parts += [(self._joined.caches[k], answers.seconds[rows[cache == k]]) for _, k in order]
        return tuple(
            Latency(cache=name, answers=len(seconds), **_percentiles(seconds, alpha))
            for name, seconds in parts
        )


def _percentiles(seconds: Values, alpha: float) -> dict[str, Interval]:
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    return {name: quantile_sequence(seconds, q, alpha=alpha) for name, q in shares.items()}


def _whole(weights: Mapping[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    return {arm: weight / total for arm, weight in weights.items()}


def _undecided(effect: Effect) -> Effect:
    """Of a bandit: its numbers, and nothing that follows from them."""
    return replace(
        effect,
        decision="undecided",
        discovered=False,
        more=None,
        verdict="not decided: a bandit's intervals do not hold",
    )
