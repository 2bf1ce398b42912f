"""The pictures of a page, each from measurements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite, log, nan

import numpy as np

from tritonkit.bench.measurement import Latency, Measurement, Slice, percentile_name
from tritonkit.bench.observe.statistics import ModelTimes
from tritonkit.bench.record.counts import bucket_highest
from tritonkit.bench.record.decoded import decode_counts
from tritonkit.bench.report.html.axis import Axis, amount, clock, from_zero, growing, nines, time
from tritonkit.bench.report.html.course import Course, course
from tritonkit.bench.report.html.entries import Configuration, Entry, front
from tritonkit.bench.report.html.plots import Grid, Row, Series, bars, heat, xy
from tritonkit.client.experiments.axes import ticks
from tritonkit.client.experiments.markup import Html, element
from tritonkit.client.experiments.page_parts import figure

__all__ = ["batches", "curves", "grids", "legend", "stages", "throughput", "timelines"]

_STEPS = 240
"""Points of a percentile curve."""

_NAMED = 6
"""Points of the Pareto front that a caption names."""

STAGES = ("queue", "input", "infer", "output")
"""What a request passes in the server, as the parts of a bar."""


def legend(labels: Sequence[str]) -> Html | None:
    """Buttons that show and hide series; nothing where there is one."""
    if len(labels) < 2:
        return None
    buttons = [
        element(
            "button",
            label or "all",
            type="button",
            aria_pressed="true",
            class_=f"s{number % 6}",
            data_series=str(number),
        )
        for number, label in enumerate(labels)
    ]
    return element("div", *buttons, class_="legend", role="group", aria_label="Show and hide")


def throughput(found: Sequence[Configuration]) -> Iterator[Html]:
    """p99 and p50 over rows a second, a line for each configuration."""
    entries = [entry for one in found for entry in one.entries]
    if not any(entry.measurement.requests for entry in entries):
        yield element("p", "No request was answered.", class_="note")
        return
    series = []
    for number, one in enumerate(found):
        for percentile in (50.0, 99.0):
            points = [
                (
                    entry.measurement.inferences_per_second,
                    entry.percentile(percentile),
                    f"{entry.load}: {amount(entry.measurement.inferences_per_second)}/s, "
                    f"{percentile_name(percentile)} {time(entry.percentile(percentile))}",
                )
                for entry in one.entries
            ]
            label = f"{one.name or 'all'} {percentile_name(percentile)}"
            series.append(Series(label, points, number, faint=percentile == 50.0))
    across = from_zero(
        "inferences a second",
        [entry.measurement.inferences_per_second for entry in entries],
        amount,
    )
    up = growing("latency", [entry.percentile(p) for entry in entries for p in (50.0, 99.0)], time)
    yield figure(
        xy(series, across, up, title="Latency against throughput", height=300),
        "p99 (full) and p50 (faint) against throughput; along a line the load grows. To the "
        "right and below is better.",
    )
    best = front(entries)
    if len(best) > 1:
        numbers = {entry.name: number for number, one in enumerate(found) for entry in one.entries}
        dots = [
            Series(
                entry.name,
                [
                    (
                        entry.measurement.inferences_per_second,
                        entry.p99,
                        f"{amount(entry.measurement.inferences_per_second)}/s, p99 "
                        f"{time(entry.p99)}",
                    )
                ],
                numbers[entry.name],
                faint=entry not in best,
            )
            for entry in entries
        ]
        line = [(one.measurement.inferences_per_second, one.p99) for one in best]
        named = "; ".join(one.name for one in best[:_NAMED])
        if len(best) > _NAMED:
            named += f"; and {len(best) - _NAMED} more, which the table marks"
        yield figure(
            xy(dots, across, growing("p99", [e.p99 for e in entries], time), front=line,
               title="Pareto front of throughput and p99", height=300),
            f"The Pareto front: nothing else has both more throughput and a lower p99 than "
            f"{named}.",
        )  # fmt: skip


def curves(entries: Sequence[Entry]) -> Iterator[Html]:
    """Latency by percentile, each nine as wide as the last; service times where they differ."""
    series = []
    for number, entry in enumerate(entries):
        measurement = entry.measurement
        series.append(Series(entry.name, _curve(measurement.latency), number, dots=False))
        if measurement.service_time != measurement.latency:
            label = f"{entry.name}, service time"
            points = _curve(measurement.service_time)
            series.append(Series(label, points, number, faint=True, dots=False))
    points = [point for one in series for point in one.points]
    if not points:
        return
    across = nines(max(point[0] for point in points))
    up = growing("latency", [point[1] for point in points], time)
    told = " Faint and dotted is the service time, from the sending." if any(
        one.faint for one in series
    ) else ""  # fmt: skip
    yield figure(
        xy(series, across, up, title="Latency by percentile", height=300),
        "Latency that a share of the requests did not exceed, on an axis of 1 / (1 - p): each "
        f"nine is as wide as the last.{told}",
    )


def timelines(entry: Entry) -> Iterator[Html]:
    """The course of one measurement: latencies, and answers a second."""
    whole = course(entry.measurement)
    if whole is None:
        return
    span = (whole.begins[0], whole.end)
    across = Axis("time", *span, tuple(ticks(*span, 7)), clock)
    lines = []
    for number, (name, value) in enumerate((("p50", _p50), ("p99", _p99), ("max", _max))):
        points = [(at, us := value(one) if one else nan, time(us)) for at, one in whole.points()]
        lines.append(Series(name, points, number, dots=False, faint=name == "max"))
    warm = whole.warm_ups
    up = growing("latency", [v for line in lines for _, v, _ in line.points], time)
    name = entry.name
    told = f" Unstable: {entry.measurement.unstable}." if entry.measurement.unstable else ""
    windows = len(whole.windows)
    repeats = f", {windows} windows one after the other" if windows > 1 else ""
    shaded = f" {'Warm-ups are' if len(warm) > 1 else 'The warm-up is'} shaded." if warm else ""
    if any(isfinite(value) for line in lines for _, value, _ in line.points):
        yield figure(
            xy(lines, across, up, title=f"Latency over time, {name}", height=200, shades=warm),
            f"{name}: p50 (blue), p99 (orange) and max (dotted) over time{repeats}.{shaded}{told}",
        )
    rates = [
        Series("answered", _rates(whole, "answered"), 0, dots=False),
        Series("failed", _rates(whole, "failed"), 1, dots=False),
        Series("could not start", _rates(whole, "dropped"), 3, dots=False),
    ]
    rates = [one for one in rates if any(point[1] > 0 for point in one.points)] or rates[:1]
    up = from_zero("requests a second", [p[1] for one in rates for p in one.points], amount)
    shown = " and ".join(one.label for one in rates)
    yield figure(
        xy(rates, across, up, title=f"Requests over time, {name}", height=200, shades=warm),
        f"{name}: requests a second, {shown}.",
    )


def batches(entries: Sequence[Entry]) -> Iterator[Html]:
    """Which batch sizes the server ran, by measurement; of the model with most of them."""
    rows = []
    ran = [times for entry in entries if (times := _busiest(entry.measurement)) is not None]
    largest = max((size for times in ran for size in times.batches), default=1)
    for entry in entries:
        times = _busiest(entry.measurement)
        if times is None or not times.batches:
            continue
        total = sum(times.batches.values())
        parts = [
            (
                100 * count / total,
                f"batch size {size}: {count} executions ({count / total:.1%})",
                log(size) / log(largest) if largest > 1 else 1.0,
            )
            for size, count in sorted(times.batches.items())
        ]
        beside = f"mean {times.mean_batch:.1f}"
        rows.append(Row(entry.name, parts, f"{entry.name}: {beside}", beside))
    if rows:
        across = Axis("share of executions", 0, 100, (0, 25, 50, 75, 100), lambda v: f"{v:g}%")
        yield figure(
            bars(rows, across, title="Batch sizes by share of executions", kinds=0),
            "Batch sizes that the server ran, smallest (pale) to largest (full), by their share "
            "of the executions. The table has the numbers.",
        )


def stages(entries: Sequence[Entry]) -> Iterator[Html]:
    """Queue against compute in the server, mean of a request."""
    rows = []
    for entry in entries:
        times = entry.measurement.server[0] if entry.measurement.server else None
        if times is None or not times.queue.count:
            continue
        means = (times.queue, times.compute_input, times.compute_infer, times.compute_output)
        parts = [
            (one.mean_us, f"{name} {time(one.mean_us)}", 1.0)
            for name, one in zip(STAGES, means, strict=True)
        ]
        told = ", ".join(words for _, words, _ in parts)
        rows.append(Row(entry.name, parts, f"{entry.name}: {told}"))
    if rows:
        sums = [sum(size for size, _, _ in row.parts) for row in rows]
        yield element(
            "p",
            *(element("span", name, class_=f"p{n}") for n, name in enumerate(STAGES)),
            class_="legend",
        )
        yield figure(
            bars(rows, from_zero("time in the server", sums, time), kinds=4,
                 title="Queue against compute in the server"),
            "Mean time of a request in the server's queue and in its stages, by the server's "
            "own counters.",
        )  # fmt: skip


def grids(found: Sequence[Configuration]) -> Iterator[Html]:
    """Throughput and p99 by the setting that has most values, and load."""
    entries = [entry for one in found for entry in one.entries]
    values: dict[str, dict[str, None]] = {}
    for entry in entries:
        for name, value in entry.measurement.point.settings.items():
            values.setdefault(name, {})[value] = None
    loads = list(dict.fromkeys(entry.load for entry in sorted(entries, key=_order)))
    if not values or len(loads) < 2:
        return
    name = max(values, key=lambda one: len(values[one]))
    if len(values[name]) < 2:
        return
    best: dict[tuple[str, str], Entry] = {}
    rows: dict[str, None] = {}
    for entry in entries:
        settings = entry.measurement.point.settings
        # A setting that has no meaning with others, as a window without batching.
        row = settings.get(name, "without")
        rows[row] = None
        cell = (row, entry.load)
        rate = entry.measurement.inferences_per_second
        if cell not in best or rate > best[cell].measurement.inferences_per_second:
            best[cell] = entry
    others = len(values) > 1
    for title, measure, word in (
        ("Inferences a second", _rate_of, amount),
        ("p99", _p99_of, time),
    ):
        cells = [[best.get((row, load)) for load in loads] for row in rows]
        numbers = [[measure(one) if one else None for one in line] for line in cells]
        words = [
            [word(v) if v is not None and isfinite(v) else "" for v in line] for line in numbers
        ]
        columns = [load.removeprefix("concurrency ") for load in loads]
        closed = all(load.startswith("concurrency ") for load in loads)
        drawn = heat(
            Grid(list(rows), columns, numbers, words),
            title=f"{title} by {name} and load",
            rows_are=name,
            columns_are="concurrency" if closed else "load",
        )
        best_of = (
            (" Of other settings the one with the most throughput is shown.") if others else ""
        )
        yield figure(drawn, f"{title}: fuller is more.{best_of} The table above has the numbers.")


def _curve(latency: Latency) -> list[tuple[float, float, str]]:
    counts = decode_counts(latency.histogram)
    if not counts.count:
        return []
    running = np.cumsum(counts.counts)
    most = max(20.0, float(counts.count))
    shares = 1 - 1 / np.geomspace(1.0, most, _STEPS)
    ranks = np.maximum(1, np.ceil(shares * counts.count))
    tops = bucket_highest(counts.buckets.astype(np.int64)) / 1e3
    places = np.minimum(np.searchsorted(running, ranks), len(tops) - 1)
    highs = np.minimum(tops[places], latency.max_us)
    return [
        (float(1 / (1 - share)), float(value), "")
        for share, value in zip(shares, highs, strict=True)
    ]


def _rates(whole: Course, name: str) -> list[tuple[float, float, str]]:
    found = []
    for at, one in whole.points():
        rate = getattr(one, name) / one.seconds if one and one.seconds else nan
        found.append((at, rate, f"{amount(rate)}/s"))
    return found


def _p50(one: Slice) -> float:
    return one.p50_us


def _p99(one: Slice) -> float:
    return one.p99_us


def _max(one: Slice) -> float:
    return one.max_us


def _busiest(measurement: Measurement) -> ModelTimes | None:
    return max(measurement.server or (), key=lambda times: len(times.batches), default=None)


def _order(entry: Entry) -> float:
    load = entry.measurement.point.load.describe()
    return float(load.get("concurrency") or load["arrivals"]["rate"])


def _rate_of(entry: Entry) -> float:
    return entry.measurement.inferences_per_second


def _p99_of(entry: Entry) -> float:
    return entry.p99 if isfinite(entry.p99) else nan
