"""Whether a second run of the bench was better or worse than the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf, isfinite, log
from typing import Literal

from tritonkit.bench.compare.differences import Difference, differences
from tritonkit.bench.compare.matching import match
from tritonkit.bench.compare.metric import DEFAULT, Metric
from tritonkit.bench.compare.noise import Figure, figures
from tritonkit.bench.compare.student import t_quantile, welch
from tritonkit.bench.measurement import Measurement, Point
from tritonkit.bench.report.json import Report
from tritonkit.bench.report.lines import busy
from tritonkit.client.statistics.interval import Interval
from tritonkit.client.statistics.multiplicity import bonferroni
from tritonkit.errors import ConfigError

__all__ = ["ERRORS_MARGIN", "MARGIN", "Change", "Comparison", "Verdict", "change_of", "compare"]

MARGIN = 0.05
"""A change that matters, where nobody says otherwise."""

ERRORS_MARGIN = 0.001
"""The same of errors, as a share of the requests: a tenth of a percentage point."""

_KNOWN = 10**-0.5
"""The error of the logarithm of ten answers: where ten were there, none come by chance in one
of 20,000 runs."""

Verdict = Literal["better", "worse", "same", "unclear"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """
    One metric at one point.

    Args:
        point: The settings.
        metric: The figure.
        base: Its value in the first run, with its noise.
        new: In the second.
        interval: The change: new / base - 1, and of errors new - base.
        verdict: What can be said of it.
        reason: Why the verdict is what it is where the interval is not known.
    """

    point: Point
    metric: Metric
    base: Figure
    new: Figure
    interval: Interval
    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """
    Two runs beside each other.

    Args:
        names: Of the two.
        model: Name of the second run's model.
        changes: By point and metric.
        only_base: Points that only the first run has.
        only_new: Points that only the second run has.
        differences: Conditions that are not the same.
        notes: What else to be wary of.
        margin: Changes up to it do not matter.
        alpha: With probability 1 - alpha no interval misses.
    """

    names: tuple[str, str]
    model: str
    changes: tuple[Change, ...]
    only_base: tuple[Point, ...]
    only_new: tuple[Point, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]
    margin: float
    alpha: float

    @property
    def worse(self) -> tuple[Change, ...]:
        """What got worse by more than the margin."""
        return tuple(change for change in self.changes if change.verdict == "worse")


def compare(
    base: Report,
    new: Report,
    *,
    metrics: Sequence[Metric] = DEFAULT,
    margin: float = MARGIN,
    alpha: float = 0.05,
    seed: int = 0,
    names: tuple[str, str] = ("BASE", "NEW"),
) -> Comparison:
    """
    Compare two runs, point by point.

    A metric is "worse" where its whole interval is beyond the margin, "better" likewise,
    "same" where it is within, and else "unclear". The intervals hold all together, so of
    runs that differ by at most the margin a share of at most alpha has anything "worse".

    Args:
        base: The first run.
        new: The second.
        metrics: What is compared.
        margin: The share up to which a change does not matter; 0 for any change.
        alpha: The share of comparisons in which an interval misses.
        seed: Of the bootstrap.
        names: Of the two, for errors and reports.

    Raises:
        ConfigError: If the runs have no point in common.
    """
    if not 0 <= margin < inf:
        raise ConfigError(f"margin must not be negative, but got {margin}.")
    matched = match(base.measurements, new.measurements, names)
    level = bonferroni(alpha, len(matched.pairs) * len(metrics))
    changes = []
    sources = set()
    for first, second in matched.pairs:
        # One seed for all would let the noise of both runs be the same.
        before = figures(first, metrics, seed=2 * seed)
        after = figures(second, metrics, seed=2 * seed + 1)
        for metric in metrics:
            changes.append(
                change_of(
                    first.point, metric, before[metric], after[metric], margin=margin, alpha=level
                )
            )
            sources |= {before[metric].source, after[metric].source} - {""}
    return Comparison(
        names=names,
        model=new.conditions.model,
        changes=tuple(changes),
        only_base=matched.only_base,
        only_new=matched.only_new,
        differences=differences(base.conditions, new.conditions),
        notes=_notes(base, new, matched.pairs, sources, names),
        margin=margin,
        alpha=alpha,
    )


def change_of(
    point: Point, metric: Metric, base: Figure, new: Figure, *, margin: float, alpha: float
) -> Change:
    """One metric at one point, with an interval that misses in a share of *alpha*."""
    interval, reason = _interval(metric, base, new, alpha)
    allowed = margin if metric.relative else ERRORS_MARGIN if margin else 0.0
    verdict = _verdict(metric, interval, allowed)
    if new.nothing and base.error < _KNOWN:
        verdict, reason = "worse", f"it has {new.reason} any more"
    return Change(
        point=point,
        metric=metric,
        base=base,
        new=new,
        interval=interval,
        verdict=verdict,
        reason=reason,
    )


def _interval(metric: Metric, base: Figure, new: Figure, alpha: float) -> tuple[Interval, str]:
    relative = metric.relative
    if relative and not (base.value > 0 and new.value > 0):
        return Interval.unknown(), base.reason or new.reason or "no answers"
    estimate = log(new.value / base.value) if relative else new.value - base.value
    if not (isfinite(base.error) and isfinite(new.error)):
        return (
            Interval.unknown(exp(estimate) - 1 if relative else estimate),
            base.reason or new.reason,
        )
    error, df = welch((base.error, base.df), (new.error, new.df))
    reach = t_quantile(alpha / 2, df) * error if error else 0.0
    low, high, middle = estimate - reach, estimate + reach, estimate
    if relative:
        # A number that does not fit is no bound.
        low, high, middle = (exp(min(end, 700.0)) - 1 for end in (low, high, middle))
    return Interval(low, high, middle), ""


def _verdict(metric: Metric, change: Interval, margin: float) -> Verdict:
    if not change.bounded:
        return "unclear"
    if change.low > margin:
        return "better" if metric.higher_is_better else "worse"
    if change.high < -margin:
        return "worse" if metric.higher_is_better else "better"
    if -margin <= change.low and change.high <= margin:
        return "same"
    return "unclear"


def _notes(
    base: Report,
    new: Report,
    pairs: Sequence[tuple[Measurement, Measurement]],
    sources: set[str],
    names: tuple[str, str],
) -> tuple[str, ...]:
    notes = []
    if "slices" in sources or "band" in sources:
        notes.append(
            "Some points were measured in one window: what differs between runs, such as "
            "another start of the server, is not in their intervals. Measure with --repeats."
        )
    if any(one.repeats == 2 for pair in pairs for one in pair):
        notes.append(
            "Of two windows nobody knows how far the next would be: intervals are wide, and a "
            "change hardly shows. Measure with --repeats 3 or more, or in one longer window."
        )
    for report, name in ((base, names[0]), (new, names[1])):
        if (reason := busy(report.conditions)) is not None:
            notes.append(f"{name}: {reason}.")
    for index, name in enumerate(names):
        for pair in pairs:
            measurement = pair[index]
            if measurement.unstable is not None:
                notes.append(f"{name}, {measurement.point}: unstable, {measurement.unstable}.")
            if measurement.interrupted:
                notes.append(f"{name}, {measurement.point}: interrupted.")
    return tuple(notes)
