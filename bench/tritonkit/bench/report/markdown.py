"""Measurements as Markdown, for a pull request or a wiki."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from math import isfinite

from tritonkit.bench.conditions import Conditions
from tritonkit.bench.measurement import Measurement, percentile_name
from tritonkit.bench.report.json import Report
from tritonkit.bench.report.lines import busy, condition_lines, notes_of
from tritonkit.units import format_duration

__all__ = ["details", "escape", "render", "table"]

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$&])")


def render(reports: Sequence[Report]) -> str:
    """
    A table of each report with a row for each measurement, what to be wary of, and the
    conditions folded away.
    """
    return "\n".join(_one(report.conditions, report.measurements) for report in reports)


def _one(conditions: Conditions, measurements: Sequence[Measurement]) -> str:
    percentiles = sorted({p for m in measurements for p in m.latency.percentiles_us})
    head = ["point", "req/s", "infer/s", *map(percentile_name, percentiles), "max", "errors",
            "client CPU"]  # fmt: skip
    rows = []
    for measurement in measurements:
        latency = measurement.latency
        rows.append(
            (
                str(measurement.point),
                _rate(measurement.requests_per_second),
                _rate(measurement.inferences_per_second),
                *(_time(latency.percentiles_us.get(p)) for p in percentiles),
                _time(latency.max_us),
                f"{measurement.error_rate:.1%}" if measurement.failed else "0",
                f"{measurement.client_cpu:.0%}",
            )
        )
    was_busy = busy(conditions)
    notes = [*([was_busy] if was_busy else []), *notes_of(conditions, measurements)]
    parts = [
        f"### {escape(conditions.model)}",
        table(head, rows, left=1),
        "\n".join(f"- {escape(note)}" for note in notes),
        details(
            "Conditions",
            table(("condition", "value"), list(condition_lines(conditions)), left=2),
        ),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, left: int) -> str:
    """
    A table; its cells are text and nothing else.

    Args:
        head: Names of the columns.
        rows: Cells.
        left: How many columns begin at the left; numbers end at the right.
    """
    rule = ["---" if number < left else "---:" for number in range(len(head))]
    return "\n".join(_lines(head, rule, rows))


def details(summary: str, inner: str) -> str:
    """A part that is folded away until somebody asks for it."""
    return f"<details><summary>{escape(summary)}</summary>\n\n{inner}\n\n</details>"


def escape(text: str) -> str:
    """Text in which nothing is markup, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _lines(
    head: Sequence[str], rule: Sequence[str], rows: Iterable[Sequence[str]]
) -> Iterator[str]:
    yield f"| {' | '.join(map(escape, head))} |"
    yield f"| {' | '.join(rule)} |"
    for row in rows:
        yield f"| {' | '.join(map(escape, row))} |"


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _time(us: float | None) -> str:
    return format_duration(us / 1e6) if us is not None and isfinite(us) else "-"
