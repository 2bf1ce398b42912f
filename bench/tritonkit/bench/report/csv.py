"""Measurements as CSV: a row each, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from math import isfinite

from tritonkit.bench.load.shape import Closed, Open
from tritonkit.bench.measurement import PERCENTILES, Measurement, percentile_name
from tritonkit.bench.report.json import Report

__all__ = ["COLUMNS", "render"]

COLUMNS = (
    "model",
    "started",
    "loop",
    "concurrency",
    "rate",
    "batch_size",
    "settings",
    "seconds",
    "repeats",
    "requests",
    "failed",
    "dropped",
    "requests_per_second",
    "inferences_per_second",
    "latency_mean_us",
    *(f"latency_{percentile_name(p)}_us" for p in PERCENTILES),
    "latency_max_us",
    *(f"service_time_{percentile_name(p)}_us" for p in PERCENTILES),
    "late_us",
    "client_cpu",
    "server_cpu",
    "mean_batch",
    "queue_us",
    "compute_us",
    "interrupted",
    "unstable",
)
"""Names of the columns; new ones are added at the end."""


def render(reports: Sequence[Report]) -> str:
    """
    Rows of all reports, below the names of the columns; what is not known is empty.

    The server's figures are means of the model itself, not of those it is composed of.
    """
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for report in reports:
        for measurement in report.measurements:
            writer.writerow(_row(report, measurement))
    return stream.getvalue()


def _row(report: Report, measurement: Measurement) -> list[str]:
    load, latency = measurement.point.load, measurement.latency
    service = measurement.service_time.percentiles_us
    times = measurement.server[0] if measurement.server else None
    stages = (times.compute_input, times.compute_infer, times.compute_output) if times else ()
    cells = (
        report.conditions.model,
        report.conditions.started,
        load.describe()["loop"],
        load.concurrency if isinstance(load, Closed) else None,
        load.arrivals.rate if isinstance(load, Open) else None,
        measurement.point.batch_size,
        json.dumps(measurement.point.settings) if measurement.point.settings else "",
        measurement.seconds,
        measurement.repeats,
        measurement.requests,
        measurement.failed,
        measurement.dropped,
        measurement.requests_per_second,
        measurement.inferences_per_second,
        latency.mean_us,
        *(latency.percentiles_us.get(p) for p in PERCENTILES),
        latency.max_us,
        *(service.get(p) for p in PERCENTILES),
        measurement.late_us,
        measurement.client_cpu,
        measurement.usage.server_cpu,
        times.mean_batch if times else None,
        times.queue.mean_us if times else None,
        sum(stage.mean_us for stage in stages) if times else None,
        measurement.interrupted,
        measurement.unstable,
    )
    return [_cell(value) for value in cells]


def _cell(value: str | float | bool | None) -> str:
    if value is None or (isinstance(value, float) and not isfinite(value)):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return str(value)
    # A row is a line, and a spreadsheet would run a formula.
    text = " ".join(value.split())
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
