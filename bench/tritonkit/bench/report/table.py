"""Measurements as text for people."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tritonkit.bench.conditions import Conditions
from tritonkit.bench.load.shape import Closed
from tritonkit.bench.measurement import (
    PERCENTILES,
    Band,
    Latency,
    Measurement,
    Point,
    percentile_name,
)
from tritonkit.bench.report.lines import LATE_US, busy, notes_of
from tritonkit.extras import require
from tritonkit.units import format_duration, format_size

__all__ = [
    "latency_tables",
    "notes",
    "server_table",
    "tables",
    "ways_table",
]

_SHOWN_BATCHES = 3

_SHOWN = (50.0, 95.0, 99.0, 99.9)
"""Of the percentiles that every measurement has; a document has all of them."""

_SERVICE = (50.0, 99.0)
"""Of the service time, beside the latency of an open loop."""


def tables(
    conditions: Conditions,
    measurements: Sequence[Measurement],
    *,
    goodput: float | None = None,
    width: int | None = None,
) -> Iterator[Any]:
    """
    Every `rich.table.Table` there is something to say in.

    Args:
        conditions: Of all measurements.
        measurements: At least one; closed and open loops have a table each.
        goodput: Seconds within which an answer counts as good; None for no such column.
        width: Columns of the terminal; None for any number.
    """
    closed = [m for m in measurements if isinstance(m.point.load, Closed)]
    opened = [m for m in measurements if not isinstance(m.point.load, Closed)]
    for group in (closed, opened):
        if group:
            yield from latency_tables(conditions, group, goodput=goodput, width=width)
    for table in (ways_table(measurements), server_table(measurements)):
        if table is not None:
            yield table


def latency_tables(
    conditions: Conditions,
    measurements: Sequence[Measurement],
    *,
    goodput: float | None = None,
    width: int | None = None,
) -> Iterator[Any]:
    """
    `rich.table.Table`s of measurements that are all of a closed or all of an open loop.

    One, or where the terminal is too narrow several, each with the points: a column that
    is cut off ("10.…") would be a wrong figure.
    """
    first = measurements[0]
    closed = isinstance(first.point.load, Closed)
    rows = f", batch size {first.point.batch_size}" if first.point.batch_size > 1 else ""
    kind = _kind(measurements)
    arrivals = f" ({kind})" if kind else ""
    loop = "closed loop" if closed else f"open loop{arrivals}; latency from the intended start"
    title = f"{conditions.model}{rows}, {loop}"
    columns = [
        (header, [cell(measurement) for measurement in measurements])
        for header, cell in _columns(measurements, goodput)
    ]
    for part in _parts(columns, width):
        table = _table(title)
        title = "continued"
        for number, (header, _) in enumerate(part):
            table.add_column(header, justify="right", no_wrap=bool(number), overflow="fold")
        for cells in zip(*(cells for _, cells in part), strict=True):
            _add_row(table, *cells)
        yield table


def _parts(
    columns: Sequence[tuple[str, Sequence[str]]], width: int | None
) -> Iterator[list[tuple[str, Sequence[str]]]]:
    """The columns by tables, each with the first of them; an interval stays by its figure."""
    points, *rest = columns
    groups: list[list[tuple[str, Sequence[str]]]] = []
    for column in rest:
        if column[0] == "±" and groups:
            groups[-1].append(column)
        else:
            groups.append([column])
    part, taken = [points], _wide(points)
    for group in groups:
        # One for the gap before each.
        wide = sum(_wide(column) + 1 for column in group)
        if width is not None and taken + wide > width and len(part) > 1:
            yield part
            part, taken = [points], _wide(points)
        part += group
        taken += wide
    yield part


def _wide(column: tuple[str, Sequence[str]]) -> int:
    header, cells = column
    return max(len(line) for line in (*header.splitlines(), *cells))


def ways_table(measurements: Sequence[Measurement]) -> Any | None:
    """A `rich.table.Table` of the ways that answers came; None where there are no layers."""
    if not any(measurement.ways for measurement in measurements):
        return None
    costs = any(way.cost for measurement in measurements for way in measurement.ways)
    table = _table("the way that answers came" + ("; cost of a row" if costs else ""))
    table.add_column(_header(measurements), justify="right", overflow="fold")
    table.add_column("way")
    for column in ("answers", "share", "p50", "p99", "max", "hits"):
        table.add_column(column, justify="right", no_wrap=True)
    if costs:
        table.add_column("cost", justify="right", no_wrap=True)
    for measurement in measurements:
        for way in measurement.ways:
            latency = way.latency
            _add_row(
                table,
                _label(measurement.point),
                way.name,
                f"{latency.count:,}",
                f"{latency.count / max(measurement.requests, 1):.1%}",
                *(_time(latency.percentiles_us[p]) for p in (50.0, 99.0)),
                _time(latency.max_us),
                f"{way.hits / way.rows:.0%}" if way.rows else "-",
                *([f"{way.cost / way.rows:.3g}" if way.rows else "-"] if costs else []),
            )
    return table


def server_table(measurements: Sequence[Measurement]) -> Any | None:
    """A `rich.table.Table` of the server's own times; None where there are none."""
    rows = [(m.point, times) for m in measurements for times in m.server or ()]
    if not rows:
        return None
    cached = any(times.cache_hit.count for _, times in rows)
    table = _table("the server's own times, mean of a request; batch sizes by executions")
    table.add_column(_header(measurements), justify="right", overflow="fold")
    table.add_column("model")
    for column in ("queue", "input", "infer", "output", "mean\nbatch"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("batch sizes")
    if cached:
        table.add_column("cache\nhits", justify="right", no_wrap=True)
    for point, times in rows:
        stages = (times.queue, times.compute_input, times.compute_infer, times.compute_output)
        _add_row(
            table,
            _label(point),
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
    if any(_has_interval(measurement) for measurement in measurements):
        yield "±: half the width of a 95% confidence interval, by block bootstrap"
    yield from notes_of(conditions, measurements)
    if (reason := busy(conditions)) is not None:
        yield reason
    if all(measurement.server is None for measurement in measurements):
        yield "the server does not give its statistics"


def _columns(measurements: Sequence[Measurement], goodput: float | None) -> list[tuple[str, Any]]:
    """Headers, and what makes a cell of a measurement."""
    first = measurements[0]
    closed, kind = isinstance(first.point.load, Closed), _kind(measurements)
    columns: list[tuple[str, Any]] = [
        (
            _header(measurements),
            lambda m: ("*" if m.unstable else "") + _label(m.point).removesuffix(f", {kind}"),
        ),
        ("req/s", lambda m: _rate(m.requests_per_second)),
    ]
    # At a given rate the throughput varies as the arrivals do, which says nothing of the server.
    if closed and any(_has_interval(m) for m in measurements):
        columns.append(
            ("±", lambda m: _width(m.bands.get("requests_per_second"), m.requests_per_second))
        )
    if any(m.point.batch_size > 1 for m in measurements):
        columns.append(("infer/s", lambda m: _rate(m.inferences_per_second)))
    if goodput is not None:
        within = f"in\n{format_duration(goodput)}"
        columns.append((within, lambda m: _rate(m.goodput(goodput * 1e6))))
    for p in filter(_chosen, sorted(first.latency.percentiles_us)):
        columns.append((percentile_name(p), _percentile("latency", p)))
        if p == 99.0 and any("p99" in m.bands for m in measurements):
            columns.append(
                ("±", lambda m: _width(m.bands.get("p99"), m.latency.percentiles_us[99.0]))
            )
    columns.append(("max", lambda m: _time(m.latency.max_us)))
    if not closed:
        columns.extend(
            (f"service\n{percentile_name(p)}", _percentile("service_time", p)) for p in _SERVICE
        )
        if any(m.dropped for m in measurements):
            columns.append(("drop-\nped", lambda m: f"{m.dropped / max(m.intended, 1):.1%}"))
        if any(m.late_us > LATE_US for m in measurements):
            columns.append(("late", lambda m: _time(m.late_us)))
    if closed or any(m.failed for m in measurements):
        columns.append(("errors", lambda m: _share(m.failed, m.requests + m.failed)))
    columns.append(("client\nCPU", lambda m: f"{m.client_cpu:.0%}"))
    if any(m.usage.server_cpu is not None for m in measurements):
        columns.append(("server\nCPU", lambda m: _cores(m.usage.server_cpu)))
    return columns


def _has_interval(measurement: Measurement) -> bool:
    """Whether a table shows one."""
    closed = isinstance(measurement.point.load, Closed)
    return "p99" in measurement.bands or (closed and "requests_per_second" in measurement.bands)


def _chosen(percentile: float) -> bool:
    return percentile in _SHOWN or percentile not in PERCENTILES


def _percentile(name: str, percentile: float) -> Any:
    def cell(measurement: Measurement) -> str:
        latency: Latency = getattr(measurement, name)
        return _time(latency.percentiles_us[percentile])

    return cell


def _kind(measurements: Sequence[Measurement]) -> str:
    """How all arrivals come, such as "Poisson"; empty where there is no one word for it."""
    kinds = {str(measurement.point).partition(", ")[2] for measurement in measurements}
    return kinds.pop() if len(kinds) == 1 else ""


def _header(measurements: Sequence[Measurement]) -> str:
    """Of the column that says which point a row is of."""
    points = [measurement.point for measurement in measurements]
    if any(point.settings for point in points):
        return "settings"
    closed = {isinstance(point.load, Closed) for point in points}
    return "concur-\nrency" if closed == {True} else "load"


def _label(point: Point) -> str:
    if isinstance(point.load, Closed) and not point.settings:
        return str(point.load.concurrency)
    return str(point)


def _table(title: str) -> Any:
    rich_table, box = require("rich.table", extra="bench"), require("rich.box", extra="bench")
    escape = require("rich.markup", extra="bench").escape
    # Narrow enough for a terminal of 80 columns.
    return rich_table.Table(
        title=escape(title),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=0,
    )


def _add_row(table: Any, *cells: str) -> None:
    """As they are: a model's name may have brackets."""
    escape = require("rich.markup", extra="bench").escape
    table.add_row(*map(escape, cells))


def _batches(batches: Mapping[int, int]) -> str:
    """The commonest batch sizes with their shares: "32 (97%), 8 (3%)"."""
    total = sum(batches.values())
    common = sorted(batches.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{size} ({count / total:.0%})" for size, count in common[:_SHOWN_BATCHES]]
    return ", ".join([*shown, *(["..."] if len(common) > _SHOWN_BATCHES else [])]) or "-"


def _share(count: int, of: int) -> str:
    return f"{count:,} ({count / of:.1%})" if count else "0"


def _width(band: Band | None, value: float) -> str:
    """Half the width of a band, relative to its value."""
    if band is None or not value:
        return ""
    return f"{(band.high - band.low) / 2 / value:.0%}"


def _cores(cores: float | None) -> str:
    return "-" if cores is None else f"{cores:.0%}"


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _time(us: float) -> str:
    return format_duration(us / 1e6) if math.isfinite(us) else "-"
