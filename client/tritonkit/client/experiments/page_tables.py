"""The tables of an experiment's page, and numbers as it writes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from math import isfinite, isnan

from tritonkit.client.experiments.effects import figure
from tritonkit.client.experiments.markup import Html, element
from tritonkit.client.experiments.page_parts import left, table
from tritonkit.client.experiments.report import ArmReport, Effect, Latency, MetricValue, Report
from tritonkit.client.statistics.interval import Interval

__all__ = [
    "arms_table",
    "cache_name",
    "effects_table",
    "latency_table",
    "movements_table",
    "ratio_table",
    "time_of",
    "tone_of",
    "versions_table",
]

NOTHING = "–"
"""Stands for a number that is not known."""


def arms_table(report: Report) -> Html:
    """What the arms did, beside each other."""
    arms = report.arms
    head = [_arm_head(arm, "col") for arm in arms]
    rows = [
        _row("units", [str(arm.units) for arm in arms]),
        _row("share of the units", [_of(arm.units, report.units) for arm in arms]),
        _row("weight", [NOTHING if arm.weight is None else f"{arm.weight:.4g}" for arm in arms]),
        _row("answers", [str(arm.answers) for arm in arms]),
        _row("answers of a unit", [_number(arm.answers_per_unit) for arm in arms]),
        _row("units that came back", [str(arm.returning) for arm in arms]),
        _row("errors, of answers", [_with_interval(arm.error_rate, "rate") for arm in arms]),
        _row("degraded, of answers", [_with_interval(arm.degraded_rate, "rate") for arm in arms]),
        _row("cost", [_number(arm.cost) for arm in arms]),
        _row("cost of an answer", [_number(arm.cost_per_answer) for arm in arms]),
        _row("cost of a success", [_number(arm.cost_per_success) for arm in arms]),
    ]
    for metrics in zip(*(arm.metrics for arm in arms), strict=False):
        unit = " in s" if metrics[0].name == "latency" else ""
        name = f"{metrics[0].name}{unit}, {_aggregate(metrics[0])}"
        rows.append(_row(name, [_with_interval(one.value, one.kind) for one in metrics]))
    caption = f"Means over units, with what they may be at confidence {1 - report.alpha:g}."
    if report.bandit:
        caption = "Means over units; a bandit's are biased, and their intervals do not hold."
    # The corner above the names of rows heads nothing.
    return table(caption, [element("td"), *head], rows)


def effects_table(report: Report) -> Html:
    """What differs from the control."""
    head = [*(left(name) for name in ("metric", "arm")), "difference", "relative",
            left("verdict")]  # fmt: skip
    rows = []
    for effect in report.effects:
        rate, mark = effect.kind == "rate", " (decides)" if effect.decides else ""
        ends = [figure(v, rate=rate, sign=True) for v in _ends(effect.difference)]
        estimate = figure(effect.difference.estimate, rate=rate, sign=True)
        cells = [
            element("th", effect.metric + mark, scope="row", class_="wrap"),
            element("td", effect.arm, class_="left wrap"),
            _cell(estimate, _between(ends)),
            _cell(
                _percent(effect.relative.estimate, NOTHING), _between(_percents(effect.relative))
            ),
            element("td", effect.verdict, class_=f"left wrap {tone_of(effect)}"),
        ]
        rows.append(element("tr", *cells))
    return table("Each arm less the control, mean over units.", head, rows)


def latency_table(report: Report) -> Html:
    """How long answers took, by where they came from."""
    head = [left("answers from"), left("arm"), "answers", "p50", "p95", "p99"]
    rows = []
    for arm, one in latencies(report):
        cells = [
            element("th", cache_name(one), scope="row", class_="wrap"),
            element("td", arm.name, class_="left wrap"),
            element("td", str(one.answers)),
            *(_cell(_ms(q.estimate), _between([_ms(v) for v in _ends(q)])) for q in
              (one.p50, one.p95, one.p99)),
        ]  # fmt: skip
        rows.append(element("tr", *cells))
    return table("Answers that are errors are left out.", head, rows)


def latencies(report: Report) -> Iterator[tuple[ArmReport, Latency]]:
    """All answers first, then each cache state; arms that can be compared are neighbours."""
    states = dict.fromkeys(one.cache for arm in report.arms for one in arm.latencies)
    for state in states:
        for arm in report.arms:
            for one in arm.latencies:
                if one.cache == state:
                    yield arm, one


def ratio_table(report: Report) -> Html:
    """Units as they came, and as the weights say."""
    total = sum(arm.weight or 0.0 for arm in report.arms)
    rows = [
        element(
            "tr",
            element("th", arm.name, scope="row", class_="wrap"),
            element("td", str(arm.units)),
            element("td", _of(arm.units, report.units)),
            element("td", _of(arm.weight or 0.0, total)),
        )
        for arm in report.arms
    ]
    return table("Units by arm.", [left("arm"), "units", "share", "weight's share"], rows)


def movements_table(report: Report) -> Html:
    """What moves together over time."""
    head = [
        left("outcome"),
        left("metric"),
        "correlation",
        "lag in bins",
        "bins",
        "bin, s",
    ]
    rows = []
    for one in report.movements:
        found = one.found
        ends = [f"{v:+.2f}" for v in (found.interval.low, found.interval.high)]
        cells = [
            element("th", one.kpi, scope="row", class_="wrap"),
            element("td", one.metric, class_="left wrap"),
            _cell(f"{found.correlation:+.2f}", _between(ends)),
            *(element("td", f"{value:g}") for value in (found.lag, found.bins, one.seconds)),
        ]
        rows.append(element("tr", *cells))
    return table("Over all arms together.", head, rows)


def versions_table(report: Report) -> Html:
    """The versions of the experiment, the oldest first."""
    head = [left("version"), left("first event"), left("last event"), "units", "answers"]
    rows = []
    for span in report.versions:
        name = f"{span.version} (this one)" if span.version == report.version else span.version
        cells = [
            element("th", name, scope="row", class_="wrap"),
            element("td", time_of(span.first), class_="left"),
            element("td", time_of(span.last), class_="left"),
            element("td", str(span.units)),
            element("td", str(span.answers)),
        ]
        rows.append(element("tr", *cells))
    return table("They are never added up.", head, rows)


def tone_of(effect: Effect) -> str:
    """The colour of what was decided."""
    return effect.decision if effect.decision in ("better", "worse") else "unsure"


def time_of(at: float) -> str:
    """Seconds since 1970 as a date; empty where nothing happened."""
    try:
        return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC" if at else NOTHING
    except (ValueError, OverflowError, OSError):
        return f"{at:g}"


def cache_name(one: Latency) -> str:
    """Where answers came from."""
    return one.cache or "anywhere"


def _arm_head(arm: ArmReport, scope: str) -> Html:
    name = f"{arm.name} (control)" if arm.control else arm.name
    return element("th", name, scope=scope, class_="wrap")


def _row(name: str, values: Sequence[str | Html]) -> Html:
    cells = [v if isinstance(v, Html) else element("td", v) for v in values]
    return element("tr", element("th", name, scope="row", class_="wrap"), *cells)


def _cell(value: str, beside: str = "") -> Html:
    return element("td", value, element("small", beside) if beside else None)


def _aggregate(metric: MetricValue) -> str:
    if metric.kind == "rate" and metric.aggregate == "any":
        return "share of units"
    return {"any": "share of units", "mean": "mean of a unit's", "sum": "sum of a unit's"}[
        metric.aggregate
    ]


def _with_interval(interval: Interval, kind: str) -> Html:
    if isnan(interval.estimate):
        return _cell(NOTHING)
    shown = _share if kind == "rate" else _number
    if not interval.bounded:
        return _cell(shown(interval.estimate), "too few to say")
    return _cell(shown(interval.estimate), _between([shown(v) for v in _ends(interval)]))


def _ends(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


def _between(ends: Sequence[str]) -> str:
    low, high = ends
    return f"{low.removesuffix(' points').removesuffix(' ms')} to {high}"


def _percents(interval: Interval) -> list[str]:
    return [_percent(value) for value in _ends(interval)]


def _percent(value: float, otherwise: str = "open") -> str:
    return f"{100 * value:+.3g}%" if isfinite(value) else otherwise


def _share(value: float) -> str:
    return f"{value:.2%}" if isfinite(value) else "?"


def _of(part: float, whole: float) -> str:
    return f"{part / whole:.2%}" if whole else NOTHING


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms" if isfinite(seconds) else NOTHING


def _number(value: float) -> str:
    return f"{value:.4g}" if isfinite(value) else NOTHING
