"""Measurements as text for people."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tritonkit.bench.conditions import Conditions
from tritonkit.bench.measurement import Measurement, percentile_name
from tritonkit.extras import require
from tritonkit.units import format_duration, format_size

__all__ = ["BUSY_CLIENT", "latency_table", "notes", "server_table"]

BUSY_CLIENT = 0.9
"""Share of a core from which on the load generator is named as the likely limit."""

_SHOWN_BATCHES = 3

_CONCURRENCY = "concur-\nrency"


def latency_table(conditions: Conditions, measurements: Sequence[Measurement]) -> Any:
    """A `rich.table.Table`, a row for each measurement; at least one."""
    batch_size = measurements[0].point.batch_size
    percentiles = sorted(measurements[0].latency.percentiles_us)
    table = _table(f"{conditions.model}, batch size {batch_size}, {conditions.load}")
    times = [*(percentile_name(p) for p in percentiles), "max"]
    for column in (_CONCURRENCY, "req/s", "infer/s", *times, "errors", "client\nCPU"):
        table.add_column(column, justify="right")
    for measurement in measurements:
        latency = measurement.latency
        table.add_row(
            str(measurement.point.concurrency),
            _rate(measurement.requests_per_second),
            _rate(measurement.inferences_per_second),
            *(_time(latency.percentiles_us[p]) for p in percentiles),
            _time(latency.max_us),
            _errors(measurement),
            f"{measurement.client_cpu:.0%}",
        )
    return table


def server_table(measurements: Sequence[Measurement]) -> Any | None:
    """A `rich.table.Table` of the server's own times; None where there are none."""
    rows = [(m.point.concurrency, times) for m in measurements for times in m.server or ()]
    if not rows:
        return None
    cached = any(times.cache_hit.count for _, times in rows)
    table = _table("the server's own times, mean of a request; batch sizes by executions")
    table.add_column(_CONCURRENCY, justify="right")
    table.add_column("model")
    for column in ("queue", "input", "infer", "output", "mean\nbatch"):
        table.add_column(column, justify="right")
    table.add_column("batch sizes")
    if cached:
        table.add_column("cache\nhits", justify="right")
    for concurrency, times in rows:
        stages = (times.queue, times.compute_input, times.compute_infer, times.compute_output)
        table.add_row(
            str(concurrency),
            times.model,
            *(_time(stage.mean_us) if stage.count else "-" for stage in stages),
            f"{times.mean_batch:.1f}" if times.executions else "-",
            _batches(times.batches),
            *([f"{times.cache_hit.count:,}"] if cached else []),
        )
    return table


def notes(conditions: Conditions, measurements: Sequence[Measurement]) -> Iterator[str]:
    """Lines below the tables: the conditions, what failed, and what to be wary of."""
    machine = conditions.machine
    yield (
        f"{conditions.server} at {conditions.url}; load from {machine.cpu}, {machine.cores} cores, "
        f"{format_size(machine.memory_bytes)}; tritonkit {conditions.versions['tritonkit']}"
    )
    for name, source in conditions.inputs.items():
        yield f"input {name}: {source}"
    for measurement in measurements:
        at = f"concurrency {measurement.point.concurrency}"
        for failure in measurement.failures:
            yield f"{at}: {failure.count} times {failure.kind}, the first: {failure.first}"
        if measurement.client_cpu >= BUSY_CLIENT:
            yield (
                f"{at}: the load generator used {measurement.client_cpu:.0%} of its core; "
                "the server may be able to do more"
            )
        if measurement.interrupted:
            yield f"{at}: interrupted after {format_duration(measurement.seconds)}"
    if all(measurement.server is None for measurement in measurements):
        yield "the server does not give its statistics"


def _table(title: str) -> Any:
    rich_table, box = require("rich.table", extra="bench"), require("rich.box", extra="bench")
    # Narrow enough for a terminal of 80 columns.
    return rich_table.Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=0,
    )


def _batches(batches: Mapping[int, int]) -> str:
    """The commonest batch sizes with their shares: "32 (97%), 8 (3%)"."""
    total = sum(batches.values())
    common = sorted(batches.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{size} ({count / total:.0%})" for size, count in common[:_SHOWN_BATCHES]]
    return ", ".join([*shown, *(["..."] if len(common) > _SHOWN_BATCHES else [])]) or "-"


def _errors(measurement: Measurement) -> str:
    if not measurement.failed:
        return "0"
    return f"{measurement.failed} ({measurement.error_rate:.1%})"


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _time(us: float) -> str:
    return format_duration(us / 1e6) if math.isfinite(us) else "-"
