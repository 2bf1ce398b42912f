"""The figures of an experiment's page, with the tables that say the same."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from tritonkit.client.experiments import plots
from tritonkit.client.experiments.markup import Html, element
from tritonkit.client.experiments.page_parts import figure
from tritonkit.client.experiments.page_tables import (
    cache_name,
    effects_table,
    latencies,
    latency_table,
    tone_of,
)
from tritonkit.client.experiments.report import Effect, Report

__all__ = ["bins", "effects", "latency", "looks", "seen"]


def effects(report: Report) -> Iterator[Html]:
    """The forest plot of all effects, and their table."""
    bars = [
        plots.Bar(
            f"{effect.metric}, {effect.arm}",
            100 * effect.relative.low,
            100 * effect.relative.estimate,
            100 * effect.relative.high,
            tone_of(effect),
        )
        for effect in report.effects
    ]
    title = "Relative differences from the control, with their confidence sequences"
    yield figure(
        plots.forest(bars, title=title, unit="%"),
        "Each arm relative to the control. Blue is better, orange is worse, grey is "
        "undecided or no difference that matters; an arrow goes on beyond the axis. The "
        "table has the same numbers.",
    )
    yield effects_table(report)


def looks(report: Report) -> Iterator[Html]:
    """Each effect as it was at each look, that which decides first."""
    first = [effect for effect in report.effects if effect.decides and seen(effect)]
    others = [effect for effect in report.effects if not effect.decides and seen(effect)]
    note = "The interval at each look; it holds at all of them together, so it may be watched."
    if report.bandit:
        note = "The interval at each look, which does not hold for a bandit."
    yield element("p", note)
    if first:
        yield element("div", *map(_look, first), class_="pair")
    if others:
        summary = element("summary", "Other metrics" if first else "All metrics")
        yield element("details", summary, element("div", *map(_look, others), class_="pair"))


def _look(effect: Effect) -> Html:
    scale, unit = (100.0, "") if effect.kind == "rate" else (1.0, "")
    moments = [
        plots.Moment(
            look.at,
            scale * look.difference.low,
            scale * look.difference.estimate,
            scale * look.difference.high,
        )
        for look in effect.looks
    ]
    name = f"{effect.metric}, {effect.arm} less the control"
    drawn = plots.narrowing(
        moments, title=name, unit=unit, least=scale * effect.least, tone=tone_of(effect)
    )
    told = f"{name}, in {'percentage points' if scale > 1 else 'its own unit'}"
    band = "; the grey band does not matter" if effect.least else ""
    return figure(drawn, f"{told}{band}.")


def latency(report: Report) -> Iterator[Html]:
    """Percentiles by cache state and arm."""
    rows = [
        plots.Marks(
            f"{cache_name(one)}: {arm.name}",
            [(1e3 * q.low, 1e3 * q.estimate, 1e3 * q.high) for q in (one.p50, one.p95, one.p99)],
        )
        for arm, one in latencies(report)
    ]
    yield figure(
        plots.quantiles(rows, title="Latency percentiles by cache state and arm", unit=" ms"),
        "p50 (circle), p95 (diamond) and p99 (square), by where answers came from. An arm with "
        "less traffic has a colder cache: compare like with like.",
    )
    yield latency_table(report)


def bins(report: Report) -> Iterator[Html]:
    """Answers and p95 over time."""
    arms = [arm.name for arm in report.arms]
    answers = [
        plots.Line(arm, [(b.at, float(b.answers)) for b in report.bins if b.arm == arm])
        for arm in arms
    ]
    slow = [
        plots.Line(arm, [(b.at, 1e3 * b.p95) for b in report.bins if b.arm == arm]) for arm in arms
    ]
    seconds = f"{report.bins[0].seconds:.4g} s"
    drawn = [
        figure(
            plots.lines(answers, title="Answers over time by arm", unit=""),
            f"Answers of each arm in bins of {seconds}.",
        ),
        figure(
            plots.lines(slow, title="p95 of latency over time by arm, in ms", unit=""),
            f"p95 of latency in ms, in bins of {seconds}.",
        ),
    ]
    yield element("div", *drawn, class_="pair")


def seen(effect: Effect) -> bool:
    """Whether an effect's looks make a picture."""
    return sum(isfinite(look.difference.width) for look in effect.looks) > 1
