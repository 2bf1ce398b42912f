"""An arm against the control: how different, how sure, and what follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, inf, isfinite, log
from typing import NamedTuple

from tritonkit.client.experiments.question import Metric
from tritonkit.client.experiments.report import Decision, Effect, Look
from tritonkit.client.statistics.interval import Interval
from tritonkit.client.statistics.means import (
    LEAST,
    difference_evidence,
    difference_sequence,
    mean_sequence,
    relative_sequence,
)
from tritonkit.client.statistics.moments import Moments
from tritonkit.client.statistics.multiplicity import e_bh
from tritonkit.client.statistics.proportions import MOST, proportion_sequence
from tritonkit.client.statistics.rates import (
    Trials,
    rate_difference,
    rate_evidence,
    rate_ratio,
)

__all__ = ["Draft", "Pair", "decided", "figure", "value_of"]


def value_of(units: Moments, *, rate: bool, alpha: float, tuned_for: float) -> Interval:
    """The mean over units: exact for a rate."""
    if rate:
        return proportion_sequence(round(units.total), units.n, alpha=alpha)
    return mean_sequence(units, alpha=alpha, tuned_for=tuned_for)


class Pair(NamedTuple):
    """
    Two arms' units, in one metric.

    Args:
        treatment: Moments over its units.
        control: Likewise.
        rate: Whether every unit's value is 0 or 1.
        alpha: Of the sequences.
        tuned_for: Units at which sequences of means are narrowest.
    """

    treatment: Moments
    control: Moments
    rate: bool
    alpha: float
    tuned_for: float

    @property
    def difference(self) -> Interval:
        """The treatment less the control."""
        if self.rate:
            return rate_difference(*self._trials, alpha=self.alpha)
        return difference_sequence(
            self.treatment, self.control, alpha=self.alpha, tuned_for=self.tuned_for
        )

    @property
    def relative(self) -> Interval:
        """The same as a share of the control's."""
        if self.rate:
            return rate_ratio(*self._trials, alpha=self.alpha)
        return relative_sequence(
            self.treatment, self.control, alpha=self.alpha, tuned_for=self.tuned_for
        )

    def evidence(self, difference: float = 0.0) -> float:
        """The log e-value against "they differ by *difference*"."""
        if self.rate:
            return rate_evidence(*self._trials, difference=difference)
        return difference_evidence(
            self.treatment,
            self.control,
            difference=difference,
            alpha=self.alpha,
            tuned_for=self.tuned_for,
        )

    def times(self, factor: float) -> Pair:
        """As if there were so many times the units, and they were alike."""
        treatment, control = (
            Moments(ceil(arm.n * factor), arm.mean, arm.m2 * factor)
            for arm in (self.treatment, self.control)
        )
        return self._replace(treatment=treatment, control=control)

    @property
    def units(self) -> int:
        """Of both."""
        return self.treatment.n + self.control.n

    @property
    def _trials(self) -> tuple[Trials, Trials]:
        treatment, control = self.treatment, self.control
        return (
            Trials(min(treatment.total, treatment.n), treatment.n),
            Trials(min(control.total, control.n), control.n),
        )


@dataclass(frozen=True, slots=True)
class Draft:
    """A comparison before all of them are looked at together."""

    arm: str
    metric: Metric
    pair: Pair
    decides: bool
    variance_removed: float
    looks: tuple[Look, ...]


def decided(drafts: Sequence[Draft]) -> tuple[Effect, ...]:
    """
    What follows from all comparisons together.

    The metric that decides is corrected for the number of arms; the others for that
    of arms and metrics: of what is called better or worse among each, a share of alpha
    is neither, on average.
    """
    effects: dict[int, Effect] = {}
    for decides in (True, False):
        places = [i for i, draft in enumerate(drafts) if draft.decides is decides]
        if not places:
            continue
        evidence = [drafts[i].pair.evidence() for i in places]
        alpha = drafts[places[0]].pair.alpha
        found = e_bh(evidence, alpha)
        # What the next one needs to stand among these.
        enough = log(len(places) / (alpha * min(len(places), sum(found) + 1)))
        for i, e, discovered in zip(places, evidence, found, strict=True):
            effects[i] = _effect(drafts[i], e, discovered=discovered, enough=enough)
    return tuple(effects[i] for i in range(len(drafts)))


def _effect(draft: Draft, evidence: float, *, discovered: bool, enough: float) -> Effect:
    metric, pair = draft.metric, draft.pair
    difference = pair.difference
    decision: Decision = "undecided"
    if metric.least and _within(difference, metric.least):
        decision = "no difference"
    elif discovered:
        up = difference.estimate > 0
        decision = "better" if up == (metric.direction == "higher") else "worse"
    more = _more(pair, metric.least, enough) if decision == "undecided" else 0
    effect = Effect(
        metric=metric.name,
        arm=draft.arm,
        kind="rate" if pair.rate else "mean",
        better=metric.direction,
        decides=draft.decides,
        least=metric.least,
        difference=difference,
        relative=pair.relative,
        evidence=evidence,
        discovered=discovered,
        variance_removed=draft.variance_removed,
        decision=decision,
        more=more,
        verdict="",
        looks=draft.looks,
    )
    return replace(effect, verdict=_words(effect))


def _within(difference: Interval, least: float) -> bool:
    return -least <= difference.low and difference.high <= least


def _more(pair: Pair, least: float, enough: float) -> int | None:
    """Until it is better, worse or no difference, where units go on as so far."""
    fewest = min(pair.treatment.n, pair.control.n)
    if not fewest or (not least and pair.treatment.mean == pair.control.mean):
        return None

    def done(factor: float) -> bool:
        grown = pair.times(factor)
        return grown.evidence() >= enough or (least > 0 and _within(grown.difference, least))

    low, high = 1.0, max(2.0, LEAST / fewest)
    while not done(high):
        low, high = high, 2 * high
        if high * pair.units > MOST:
            return None
    while high / low > 1.01:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if done(middle) else (middle, high)
    return max(1, ceil((high - 1) * pair.units))


def _words(effect: Effect) -> str:
    rate = effect.kind == "rate"
    if effect.decision == "no difference":
        return f"no difference beyond {figure(effect.least, rate=rate)}"
    if effect.decision == "undecided":
        if effect.more is None:
            return "undecided: nobody knows how many more units"
        return f"undecided: needs about {effect.more} more units"
    low, high, estimate = (
        figure(value, rate=rate, sign=True)
        for value in (effect.difference.low, effect.difference.high, effect.difference.estimate)
    )
    return f"{effect.decision}: {estimate} ({low.removesuffix(' points')} to {high})"


def figure(value: float, *, rate: bool, sign: bool = False) -> str:
    """A difference as it is written: percentage points of a rate, else three digits."""
    if not isfinite(value):
        return "?" if value != inf and value != -inf else "open"
    plus = "+" if sign else ""
    return f"{100 * value:{plus}.3g} points" if rate else f"{value:{plus}.3g}"
