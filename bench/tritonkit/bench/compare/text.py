"""A comparison as people read it: on a terminal, and in a pull request."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Any

from tritonkit.bench.compare.comparison import Change, Comparison
from tritonkit.bench.compare.metric import Metric
from tritonkit.bench.report.markdown import details, escape, table
from tritonkit.extras import require
from tritonkit.units import format_duration

__all__ = ["markdown", "notes", "summary", "terminal_table"]

_HEAD = ("point", "metric", "base", "new", "change", "verdict")

_MOST = 10.0
"""A change beyond which nobody asks how much."""

_LINES = {"better": "▲ better", "worse": "▼ worse", "same": "same", "unclear": "unclear"}
"""A sign beside the word, since colours are not seen by all."""


def terminal_table(comparison: Comparison) -> Any:
    """A `rich.table.Table`, a row for each change."""
    rich_table, box = require("rich.table", extra="bench"), require("rich.box", extra="bench")
    text = require("rich.text", extra="bench")
    shown = rich_table.Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for name in _HEAD:
        shown.add_column(
            name, justify="left" if name in ("point", "metric", "verdict") else "right"
        )
    colours = {"better": "green", "worse": "red", "unclear": "yellow"}
    last = None
    for change in _shown(comparison):
        point = str(change.point)
        cells = _cells(change)
        # What a user named may look like a style.
        shown.add_row(
            text.Text("" if point == last else point),
            *cells[1:-1],
            text.Text(cells[-1], style=colours.get(change.verdict, "")),
        )
        last = point
    return shown


def markdown(comparison: Comparison) -> str:
    """For a pull request: the verdict, the table, and the conditions folded away."""
    parts = [
        f"### {escape(comparison.model)}: {escape(summary(comparison))}",
        table(_HEAD, [_cells(change) for change in _shown(comparison)], left=2),
        "\n".join(f"- {escape(note)}" for note in notes(comparison)),
    ]
    if comparison.differences:
        rows = [(one.name, one.base, one.new) for one in comparison.differences]
        inner = table(("condition", *comparison.names), rows, left=3)
        parts.append(details(f"Conditions that differ: {len(rows)}", inner))
    return "\n\n".join(part for part in parts if part) + "\n"


def summary(comparison: Comparison) -> str:
    """One line: how many got worse, and how many of how many are unclear."""
    counts = dict.fromkeys(_LINES, 0)
    for change in _shown(comparison):
        counts[change.verdict] += 1
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)


def notes(comparison: Comparison) -> Iterator[str]:
    """Lines below the table: what the words mean, and what to be wary of."""
    level = f"{1 - comparison.alpha:.0%}"
    allowed = f"{comparison.margin:.4g}" if comparison.margin < 1e-4 else f"{comparison.margin:.3%}"
    allowed = allowed.rstrip("%").rstrip("0").rstrip(".") + "%" if "%" in allowed else allowed
    yield (
        f"Intervals hold all together in {level} of comparisons. Better and worse are by more "
        f"than {allowed}, same is within it"
        + (" (of errors: 0.1 points)." if comparison.margin else ".")
    )
    reasons = dict.fromkeys(
        f"{change.point}, {change.metric}: {change.reason}."
        for change in comparison.changes
        if change.reason
    )
    yield from reasons
    for name, points in zip(
        comparison.names, (comparison.only_base, comparison.only_new), strict=True
    ):
        if points:
            yield f"Only in {name}: {'; '.join(map(str, points))}."
    yield from comparison.notes


def _shown(comparison: Comparison) -> list[Change]:
    """All but errors where there was none."""
    return [
        change
        for change in comparison.changes
        if change.metric.relative or change.base.value or change.new.value
    ]


def _cells(change: Change) -> tuple[str, ...]:
    return (
        str(change.point),
        str(change.metric),
        _value(change.metric, change.base.value),
        _value(change.metric, change.new.value),
        _changed(change),
        _LINES[change.verdict],
    )


def _value(metric: Metric, value: float) -> str:
    if not isfinite(value):
        return "-"
    if metric.higher_is_better:
        return f"{value:,.0f}/s" if value >= 100 else f"{value:.1f}/s"
    return format_duration(value / 1e6) if metric.relative else f"{value:.2%}"


def _changed(change: Change) -> str:
    interval = change.interval
    unit, scale = ("%", 100.0) if change.metric.relative else (" pt", 100.0)
    if not isfinite(interval.estimate):
        return "-"
    middle = f"{scale * interval.estimate:+.1f}{unit}"
    if not interval.bounded:
        return middle
    high = min(interval.high, _MOST)
    beyond = "more than " if interval.high > _MOST else ""
    return f"{middle} ({scale * interval.low:+.1f} to {beyond}{scale * high:+.1f})"
