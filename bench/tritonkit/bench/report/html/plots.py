"""Pictures of the bench as SVG, drawn from numbers alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, log

from tritonkit.bench.report.html.axis import Axis
from tritonkit.client.experiments.axes import (
    AXIS,
    LABEL,
    MARGIN,
    WIDTH,
    points_of,
    px,
    rule,
    svg,
    text,
)
from tritonkit.client.experiments.markup import Html, element

__all__ = ["Grid", "Row", "Series", "bars", "heat", "xy"]

COLOURS = 6
"""Series that look different; the next begins again."""

_TOP = 22.0


@dataclass(frozen=True, slots=True)
class Series:
    """
    A line through points.

    Args:
        label: Its name.
        points: x, y and what a pointer above it is told; where y is not finite is a gap.
        number: Which colour, and which button switches it.
        faint: Whether it stands behind the others.
        dots: Whether its points are marked.
    """

    label: str
    points: Sequence[tuple[float, float, str]]
    number: int
    faint: bool = False
    dots: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """
    A bar of several parts.

    Args:
        label: Its name.
        parts: Amount of each, what it is, and how full its colour is, 0 to 1.
        told: What a pointer above the bar is told.
        beside: What stands at the right end.
    """

    label: str
    parts: Sequence[tuple[float, str, float]]
    told: str
    beside: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """Values by row and column; None where nothing was measured."""

    rows: Sequence[str]
    columns: Sequence[str]
    values: Sequence[Sequence[float | None]]
    words: Sequence[Sequence[str]]


def xy(
    series: Sequence[Series],
    across: Axis,
    up: Axis,
    *,
    title: str,
    height: float = 280.0,
    front: Sequence[tuple[float, float]] = (),
    shades: Sequence[tuple[float, float]] = (),
) -> Html:
    """
    Lines over an axis.

    Args:
        series: Drawn in their order.
        across: The lower axis.
        up: The axis on the left.
        title: What a reader of the screen says.
        height: In the picture's own units.
        front: Points of a dashed line behind them.
        shades: From where to where the background is darker.
    """
    bottom = height - 34
    x, y = across.between(AXIS + 4, WIDTH - MARGIN), up.between(bottom, _TOP)
    parts = [
        element(
            "rect",
            x=px(x(begin)),
            y=px(_TOP),
            width=px(x(end) - x(begin)),
            height=px(bottom - _TOP),
            class_="shade",
        )
        for begin, end in shades
        if end > begin
    ]
    parts += _frame(across, up, height)
    if front:
        along = [(x(at), y(value)) for at, value in front]
        parts.append(element("polyline", points=points_of(along), class_="front"))
    parts += [_line(one, across, up, height) for one in series]
    return svg(title, height, parts)


def bars(rows: Sequence[Row], across: Axis, *, title: str, kinds: int) -> Html:
    """
    Bars below each other, each of parts beside each other.

    Args:
        rows: From the top.
        across: Their axis.
        title: What a reader of the screen says.
        kinds: Kinds of parts, which have colours of their own; 0 for one colour in shades.
    """
    height = 30.0 * len(rows) + 34
    x = across.between(MARGIN, WIDTH - MARGIN - 4)
    parts = []
    for mark in across.marks:
        parts.append(rule(x(mark), 6, x(mark), height - 28, "grid"))
        side = "start" if x(mark) < 24 else "end" if x(mark) > WIDTH - 36 else "middle"
        parts.append(text(across.word(mark), x(mark), height - 15, "tick", side))
    parts.append(text(across.name, WIDTH - MARGIN, height - 3, "name", "end"))
    for place, row in enumerate(rows):
        top = 30.0 * place + 8
        inner = [element("title", row.told), text(_shortened(row.label), MARGIN, top + 8, "tick")]
        if row.beside:
            inner.append(text(row.beside, WIDTH - MARGIN, top + 8, "tick", "end"))
        begin = 0.0
        for number, (size, told, depth) in enumerate(row.parts):
            if size > 0:
                inner.append(
                    element(
                        "rect",
                        element("title", f"{row.label}: {told}"),
                        x=px(x(begin)),
                        y=px(top + 11),
                        width=px(max(x(begin + size) - x(begin) - 0.5, 0.5)),
                        height="11",
                        class_=f"part{number}" if kinds else "share",
                        opacity=None if kinds else f"{0.2 + 0.8 * depth:.2f}",
                    )
                )
            begin += size
        parts.append(element("g", *inner))
    return svg(title, height, parts)


def heat(grid: Grid, *, title: str, rows_are: str, columns_are: str) -> Html:
    """Cells that are fuller in colour the larger their value is."""
    left, top, size = 70.0, 18.0, 26.0
    width = (WIDTH - MARGIN - left) / max(len(grid.columns), 1)
    height = top + size * len(grid.rows) + 34
    known = [v for row in grid.values for v in row if v is not None and isfinite(v)]
    low, high = min(known, default=0.0), max(known, default=1.0)
    parts = [text(rows_are, MARGIN, 12, "name")]
    for place, name in enumerate(grid.rows):
        y = top + size * place
        parts.append(text(name[:12], left - 6, y + size / 2 + 3, "tick", "end"))
        for number, column in enumerate(grid.columns):
            value, words = grid.values[place][number], grid.words[place][number]
            x = left + width * number
            if value is None or not isfinite(value):
                continue
            depth = 0.08 + 0.62 * _depth(value, low, high)
            parts.append(
                element(
                    "g",
                    element("title", f"{name}, {column}: {words}"),
                    element(
                        "rect",
                        x=px(x + 1),
                        y=px(y + 1),
                        width=px(width - 2),
                        height=px(size - 2),
                        rx="3",
                        class_="cell",
                        opacity=f"{depth:.2f}",
                    ),
                    text(words, x + width / 2, y + size / 2 + 3.5, "in", "middle"),
                )
            )
    foot = top + size * len(grid.rows) + 13
    for number, column in enumerate(grid.columns):
        parts.append(text(column[:9], left + width * (number + 0.5), foot, "tick", "middle"))
    parts.append(text(columns_are, WIDTH - MARGIN, foot + 14, "name", "end"))
    return svg(title, height, parts)


def _shortened(label: str) -> str:
    """With its end, which is the load: names of a sweep begin alike."""
    return label if len(label) <= LABEL else f"{label[: LABEL - 26]}…{label[-25:]}"


def _depth(value: float, low: float, high: float) -> float:
    """0 to 1; by factors where the largest would leave all others pale."""
    if high <= low:
        return 0.5
    if low > 0 and high > 10 * low:
        return log(value / low) / log(high / low)
    return (value - low) / (high - low)


def _frame(across: Axis, up: Axis, height: float) -> list[Html]:
    bottom = height - 34
    x, y = across.between(AXIS + 4, WIDTH - MARGIN), up.between(bottom, _TOP)
    parts = [text(up.name, 6, 13, "name")]
    for mark in up.marks:
        parts.append(rule(AXIS + 4, y(mark), WIDTH - MARGIN, y(mark), "grid"))
        parts.append(text(up.word(mark), AXIS, y(mark) + 3.5, "tick", "end"))
    last = -100.0
    for mark in across.marks:
        at = x(mark)
        parts.append(rule(at, _TOP, at, bottom, "grid"))
        word = across.word(mark)
        side = "end" if at > WIDTH - MARGIN - 14 else "middle"
        # A number that would stand on the one before is left out.
        if at - last > 8.5 * len(word) / (1 if side == "middle" else 0.7):
            parts.append(text(word, at, bottom + 14, "tick", side))
            last = at
    parts.append(text(across.name, WIDTH - MARGIN, bottom + 28, "name", "end"))
    return parts


def _line(series: Series, across: Axis, up: Axis, height: float) -> Html:
    x, y = across.between(AXIS + 4, WIDTH - MARGIN), up.between(height - 34, _TOP)
    colour = f"s{series.number % COLOURS}"
    faint = " faint" if series.faint else ""
    parts = [element("title", series.label)]
    for run in _runs(series.points):
        places = [(x(at), y(value)) for at, value, _ in run]
        if len(places) > 1:
            parts.append(
                element("polyline", points=points_of(places), class_=f"curve {colour}{faint}")
            )
        if series.dots or len(places) == 1:
            for (left, top), (_, _, told) in zip(places, run, strict=True):
                parts.append(
                    element(
                        "circle",
                        element("title", f"{series.label}: {told}"),
                        cx=px(left),
                        cy=px(top),
                        r="2.5" if series.faint else "4",
                        class_=f"dot{faint}",
                    )
                )
    return element("g", *parts, class_=colour, data_series=str(series.number))


def _runs(points: Sequence[tuple[float, float, str]]) -> list[list[tuple[float, float, str]]]:
    runs: list[list[tuple[float, float, str]]] = [[]]
    for point in points:
        if isfinite(point[1]):
            runs[-1].append(point)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]
