"""Plots as SVG, drawn from numbers alone; colours are the page's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, isnan

from tritonkit.client.experiments.axes import (
    AXIS,
    MARGIN,
    WIDTH,
    grid,
    linear,
    log_ticks,
    logarithmic,
    points_of,
    px,
    rule,
    svg,
    text,
    ticks,
    times,
    upright,
)
from tritonkit.client.experiments.markup import Html, element

__all__ = ["Bar", "Line", "Marks", "Moment", "forest", "lines", "narrowing", "quantiles"]

TINY = 1e-9
"""What an axis that grows by factors has no room for."""


@dataclass(frozen=True, slots=True)
class Bar:
    """
    One row of a forest plot.

    Args:
        label: Its name.
        low: Where it begins; -inf where that is open.
        estimate: Where its mark is; NaN where nobody knows.
        high: Where it ends; inf where that is open.
        tone: "better", "worse" or "unsure", for its colour.
    """

    label: str
    low: float
    estimate: float
    high: float
    tone: str


@dataclass(frozen=True, slots=True)
class Moment:
    """An interval as it was at a time, in seconds since 1970."""

    at: float
    low: float
    estimate: float
    high: float


@dataclass(frozen=True, slots=True)
class Marks:
    """One row of latencies: p50, p95 and p99 with their intervals, as (low, estimate, high)."""

    label: str
    marks: Sequence[tuple[float, float, float]]


@dataclass(frozen=True, slots=True)
class Line:
    """A series over time; what is not finite leaves a gap."""

    label: str
    points: Sequence[tuple[float, float]]


def forest(bars: Sequence[Bar], *, title: str, unit: str) -> Html:
    """
    Intervals below each other, on one axis with 0 in its middle.

    The axis has room for the first one, and for three of four others; an arrow says that
    an interval goes on beyond it.
    """
    half = _half_width(bars)
    across = linear(-half, half, MARGIN, WIDTH - MARGIN)
    height = 38.0 * len(bars) + 30
    parts = [grid(ticks(-half, half), across, 4, height - 22, unit)]
    parts.append(rule(across(0), 4, across(0), height - 22, "zero"))
    for row, bar in enumerate(bars):
        top = 38.0 * row + 16
        parts.append(text(bar.label, MARGIN, top, "label"))
        if not isfinite(bar.estimate):
            parts.append(text("not known yet", MARGIN, top + 15, "hint"))
            continue
        # What is not known at all is open.
        begin = -inf if isnan(bar.low) else bar.low
        end = inf if isnan(bar.high) else bar.high
        low, high = (min(max(one, -half), half) for one in (begin, end))
        parts.append(rule(across(low), top + 11, across(high), top + 11, f"bar {bar.tone}"))
        parts += [_arrow(across(-half), top + 11, -1, bar.tone)] if begin < -half else []
        parts += [_arrow(across(half), top + 11, 1, bar.tone)] if end > half else []
        if abs(bar.estimate) <= half:
            parts.append(
                element(
                    "circle",
                    cx=px(across(bar.estimate)),
                    cy=px(top + 11),
                    r="4.5",
                    class_=f"mark {bar.tone}",
                )
            )
    return svg(title, height, parts)


def narrowing(
    moments: Sequence[Moment], *, title: str, unit: str, least: float = 0.0, tone: str = "unsure"
) -> Html:
    """
    An interval over time, with its estimate, and a band of what does not matter.

    The axis has room for the second half of them; before, most know little.
    """
    height = 190.0
    known = [m for m in moments if isfinite(m.low) and isfinite(m.high) and isfinite(m.estimate)]
    if len(known) < 2:
        return svg(title, 40, [text("not known yet", WIDTH / 2, 24, "hint", "middle")])
    late = known[len(known) // 2 :]
    ends = [0.0, least, -least, *(m.low for m in late), *(m.high for m in late)]
    low, high = min(ends), max(ends)
    pad = 0.06 * (high - low) or 1.0
    low, high = low - pad, high + pad
    up = linear(low, high, height - 26, 8)
    along = linear(known[0].at, known[-1].at, AXIS, WIDTH - MARGIN)
    parts = [upright(ticks(low, high), up, unit)]
    if least:
        top = up(least)
        parts.append(
            element(
                "rect",
                x=AXIS,
                y=px(top),
                width=px(WIDTH - MARGIN - AXIS),
                height=px(up(-least) - top),
                class_="least",
            )
        )
    parts.append(rule(AXIS, up(0), WIDTH - MARGIN, up(0), "zero"))

    def inside(value: float) -> float:
        return up(min(max(value, low), high))

    upper = [(along(m.at), inside(m.high)) for m in known]
    lower = [(along(m.at), inside(m.low)) for m in reversed(known)]
    parts.append(element("polygon", points=points_of(upper + lower), class_=f"area {tone}"))
    middle = [(along(m.at), inside(m.estimate)) for m in known]
    parts.append(element("polyline", points=points_of(middle), class_=f"curve {tone}"))
    parts.append(times(known[0].at, known[-1].at, height))
    return svg(title, height, parts)


def quantiles(rows: Sequence[Marks], *, title: str, unit: str) -> Html:
    """p50, p95 and p99 of each row, on one axis that grows by factors."""
    values = [v for row in rows for mark in row.marks for v in mark if isfinite(v) and v > TINY]
    if not values:
        return svg(title, 40, [text("not known yet", WIDTH / 2, 24, "hint", "middle")])
    low, high = min(values), max(values)
    low, high = (low / 1.2, high * 1.2)
    across = logarithmic(low, high, MARGIN, WIDTH - MARGIN)
    height = 36.0 * len(rows) + 30
    parts = [grid(log_ticks(low, high), across, 4, height - 22, unit)]
    for place, row in enumerate(rows):
        top = 36.0 * place + 16
        parts.append(text(row.label, MARGIN, top, "label"))
        for number, (left, middle, right) in enumerate(row.marks):
            if not (isfinite(middle) and middle > TINY):
                continue
            begin = left if isfinite(left) and left > TINY else low
            end = right if isfinite(right) else high
            parts.append(rule(across(begin), top + 11, across(end), top + 11, f"bar q{number}"))
            parts.append(_shape(number, across(middle), top + 11))
    return svg(title, height, parts)


def lines(series: Sequence[Line], *, title: str, unit: str) -> Html:
    """Series over time from 0 upwards, each with a stroke of its own."""
    points = [p for line in series for p in line.points if isfinite(p[1])]
    height = 150.0 + 16 * len(series)
    if not points:
        return svg(title, 40, [text("not known yet", WIDTH / 2, 24, "hint", "middle")])
    first, last = min(p[0] for p in points), max(p[0] for p in points)
    high = max(p[1] for p in points) or 1.0
    up = linear(0, high * 1.05, 124, 8)
    along = linear(first, last, AXIS, WIDTH - MARGIN)
    parts = [upright(ticks(0, high * 1.05), up, unit)]
    for number, line in enumerate(series):
        stroke = f"curve s{number % 4}"
        for run in _runs(line.points):
            place = [(along(at), up(value)) for at, value in run]
            if len(place) == 1:
                x, y = place[0]
                parts.append(element("circle", cx=px(x), cy=px(y), r="2", class_=f"s{number % 4}"))
            else:
                parts.append(element("polyline", points=points_of(place), class_=stroke))
        y = 160.0 + 16 * number
        parts.append(rule(AXIS, y - 4, AXIS + 26, y - 4, stroke))
        parts.append(text(line.label, AXIS + 34, y, "label"))
    parts.append(times(first, last, 150))
    return svg(title, height, parts)


def _half_width(bars: Sequence[Bar]) -> float:
    reach = [
        max(abs(bar.low), abs(bar.high))
        for bar in bars
        if isfinite(bar.low) and isfinite(bar.high) and isfinite(bar.estimate)
    ]
    if not reach:
        estimates = [abs(bar.estimate) for bar in bars if isfinite(bar.estimate)]
        return 1.5 * max(estimates, default=0.0) or 1.0
    return 1.05 * max(reach[0], sorted(reach)[3 * (len(reach) - 1) // 4]) or 1.0


def _runs(points: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    runs: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if isfinite(point[1]):
            runs[-1].append(point)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _shape(number: int, x: float, y: float) -> Html:
    if number == 0:
        return element("circle", cx=px(x), cy=px(y), r="4.5", class_="mark q0")
    if number == 1:
        around = [(x, y - 5.5), (x + 5.5, y), (x, y + 5.5), (x - 5.5, y)]
        return element("polygon", points=points_of(around), class_="mark q1")
    return element("rect", x=px(x - 4), y=px(y - 4), width="8", height="8", class_="mark q2")


def _arrow(x: float, y: float, way: int, tone: str) -> Html:
    points = [(x + 7 * way, y), (x, y - 5), (x, y + 5)]
    return element("polygon", points=points_of(points), class_=f"mark {tone}")
