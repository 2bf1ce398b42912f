"""A report of an experiment for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime

from tritonkit.client.commands.table import table
from tritonkit.client.experiments.effects import figure
from tritonkit.client.experiments.report import ArmReport, Effect, Latency, Report
from tritonkit.client.statistics.interval import Interval
from tritonkit.units import format_duration

__all__ = ["report_text", "status_line"]


def status_line(report: Report) -> tuple[str, ...]:
    """One row of the table of all experiments."""
    state: str = report.state
    if report.promoted:
        state += f" {report.promoted}"
    return (
        report.experiment,
        state,
        str(report.units),
        str(report.answers),
        _ratio(report),
        report.verdict if report.state == "running" or not report.reason else report.reason,
    )


def report_text(report: Report) -> str:
    """For reading: the verdict first, what stands against it last."""
    blocks = ["\n".join(_head(report))]
    if report.arms:
        blocks += [
            table([_ARMS, *map(_arm, report.arms)], right=range(1, len(_ARMS))),
            table(
                [_LATENCIES, *(_latency(a.name, one) for a in report.arms for one in a.latencies)],
                right=range(2, len(_LATENCIES)),
            ),
            table([_METRICS, *_metrics(report)], right=(2,)),
        ]
    if report.effects:
        blocks.append(table([_EFFECTS, *map(_effect, report.effects)], right=(2, 3)))
    if report.movements:
        lines = ["Moves together over time, which is not causal:"]
        for one in report.movements:
            found = one.found
            lines.append(
                f"  {one.kpi} and {one.metric}: {found.correlation:+.2f} "
                f"({found.interval.low:+.2f} to {found.interval.high:+.2f}), {found.bins} bins of "
                f"{format_duration(one.seconds)}"
            )
        blocks.append("\n".join(lines))
    if report.warnings:
        blocks.append("\n".join(f"Warning: {text}." for text in report.warnings))
    return "\n\n".join(blocks)


_ARMS = ("arm", "weight", "units", "answers", "per unit", "returning", "errors", "degraded",
         "cost/answer", "cost/success")  # fmt: skip
_LATENCIES = ("arm", "cache", "answers", "p50", "p95", "p99")
_METRICS = ("metric", "arm", "units", "mean per unit")
_EFFECTS = ("metric", "arm", "difference", "relative", "verdict")


def _head(report: Report) -> Iterator[str]:
    state = report.state + (f" {report.promoted}" if report.promoted else "")
    yield f"{report.experiment}, version {report.version or '(none)'}: {state}"
    if report.reason:
        yield f"  because      {report.reason}"
    yield f"  verdict      {report.verdict}"
    yield f"  sample ratio {_ratio(report)}"
    if report.at:
        at = datetime.fromtimestamp(report.at, UTC).isoformat(timespec="seconds")
        yield f"  last event   {at}; confidence {1 - report.alpha:g} at every look"


def _ratio(report: Report) -> str:
    ratio = report.sample_ratio
    if ratio is None:
        return "not checked"
    return f"{'off' if ratio.mismatch else 'ok'} (p {ratio.p:.2g})"


def _arm(arm: ArmReport) -> tuple[str, ...]:
    return (
        f"{arm.name} (control)" if arm.control else arm.name,
        "-" if arm.weight is None else f"{arm.weight:g}",
        str(arm.units),
        str(arm.answers),
        _number(arm.answers_per_unit),
        str(arm.returning),
        _share(arm.error_rate),
        _share(arm.degraded_rate),
        _number(arm.cost_per_answer),
        _number(arm.cost_per_success),
    )


def _latency(arm: str, one: Latency) -> tuple[str, ...]:
    quantiles = (_seconds(interval) for interval in (one.p50, one.p95, one.p99))
    return (arm, one.cache or "(all)", str(one.answers), *quantiles)


def _metrics(report: Report) -> Iterator[tuple[str, ...]]:
    for metrics in zip(*(arm.metrics for arm in report.arms), strict=True):
        for arm, metric in zip(report.arms, metrics, strict=True):
            shown = _share if metric.kind == "rate" else _mean
            yield _label(metric.name), arm.name, str(metric.units), shown(metric.value)


def _effect(effect: Effect) -> tuple[str, ...]:
    rate = effect.kind == "rate"
    relative = effect.relative.estimate
    mark = " *" if effect.decides else ""
    return (
        _label(effect.metric) + mark,
        effect.arm,
        figure(effect.difference.estimate, rate=rate, sign=True),
        f"{relative:+.1%}" if math.isfinite(relative) else "-",
        effect.verdict,
    )


def _label(metric: str) -> str:
    return "latency (s)" if metric == "latency" else metric


def _share(interval: Interval) -> str:
    if math.isnan(interval.estimate):
        return "-"
    return f"{interval.estimate:.2%} ({interval.low:.2%} to {interval.high:.2%})"


def _mean(interval: Interval) -> str:
    if math.isnan(interval.estimate):
        return "-"
    if not interval.bounded:
        return f"{interval.estimate:.4g} (too few to say)"
    return f"{interval.estimate:.4g} ({interval.low:.4g} to {interval.high:.4g})"


def _seconds(interval: Interval) -> str:
    if math.isnan(interval.estimate):
        return "-"
    ends = (f"{1e3 * end:.3g}" if math.isfinite(end) else "?" for end in
            (interval.low, interval.high))  # fmt: skip
    return f"{1e3 * interval.estimate:.3g} ms ({' to '.join(ends)})"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3g}"
