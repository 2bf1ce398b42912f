"""The points of a sweep as a table, grouped by their settings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tritonkit.bench.measurement import Measurement
from tritonkit.bench.sweep.front import pareto_front
from tritonkit.bench.sweep.grid import Group
from tritonkit.extras import require
from tritonkit.units import format_duration

__all__ = ["FRONT", "sweep_table"]

FRONT = "*: no other point has both more throughput and a shorter p99"
"""What the mark in the table means."""


def sweep_table(title: str, measurements: Sequence[Measurement], model: str = "") -> Any:
    """
    A `rich.table.Table`, with a section for each group of settings.

    Args:
        title: What was swept.
        measurements: Points of equal settings one after the other; at least one.
        model: Whose batch sizes are shown: the one that settings change.
    """
    rich_table, box = require("rich.table", extra="bench"), require("rich.box", extra="bench")
    table = rich_table.Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("settings")
    table.add_column("load")
    for column in ("infer/s", "p50", "p99", "mean\nbatch", "queue", "errors", ""):
        table.add_column(column, justify="right")
    front = set(pareto_front(measurements))
    shown: dict[str, str] | None = None
    for index, one in enumerate(measurements):
        settings = dict(one.point.settings)
        first = settings != shown
        if first and shown is not None:
            table.add_section()
        shown = settings
        times = _of(one, model)
        rows = f", {one.point.batch_size} rows" if one.point.batch_size > 1 else ""
        table.add_row(
            str(Group(settings, ())) if first else "",
            f"{one.point.load}{rows}",
            _rate(one.inferences_per_second),
            *(_time(one.latency.percentiles_us[p]) for p in (50.0, 99.0)),
            f"{times.mean_batch:.1f}" if times is not None and times.executions else "-",
            _time(times.queue.mean_us) if times is not None and times.queue.count else "-",
            f"{one.error_rate:.1%}" if one.failed else "0",
            "*" if index in front else "",
        )
    return table


def _of(measurement: Measurement, model: str) -> Any | None:
    times = measurement.server or ()
    return next((t for t in times if t.model == model), times[0] if times else None)


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _time(us: float) -> str:
    return format_duration(us / 1e6) if math.isfinite(us) else "-"
