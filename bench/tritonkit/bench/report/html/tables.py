"""The tables of a page, which say what its pictures say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite

from tritonkit.bench.measurement import Band, Usage, percentile_name
from tritonkit.bench.report.html.axis import UNKNOWN, clock, time
from tritonkit.bench.report.html.course import course
from tritonkit.bench.report.html.entries import Entry, front
from tritonkit.client.experiments.markup import Html, element
from tritonkit.client.experiments.page_parts import left, table
from tritonkit.units import format_size

__all__ = ["course_of", "measurements", "server", "ways"]

_UNFOLDED = 10
"""Rows of a table that stands open."""

_PARTS = 20
"""Rows of a course, about."""

_SHOWN = 12
"""Batch sizes in a cell."""


def measurements(entries: Sequence[Entry]) -> Html:
    """Every measurement with its throughput and latencies, and intervals where there are any."""
    percentiles = sorted({p for one in entries for p in one.measurement.latency.percentiles_us})
    batched = any(one.measurement.point.batch_size > 1 for one in entries)
    dropped = any(one.measurement.dropped for one in entries)
    seen = any(one.measurement.usage.server_cpu is not None for one in entries)
    waited = any(one.measurement.service_time != one.measurement.latency for one in entries)
    best = {id(one) for one in front(entries)} if len(entries) > 1 else set()
    gpus = any(one.measurement.usage.gpu_utilisation for one in entries)
    head = [left("point"), "req/s", *(["infer/s"] if batched else []),
            *map(percentile_name, percentiles), "max",
            *(["service p50", "service p99"] if waited else []), "errors",
            *(["not started"] if dropped else []), "client CPU",
            *(["server CPU"] if seen else []),
            *(["GPU"] if gpus else [])]  # fmt: skip
    rows = []
    for entry in entries:
        one = entry.measurement
        bands = one.bands
        cells = [
            element(
                "th",
                entry.name,
                element("small", "on the Pareto front") if id(entry) in best else None,
                element("small", "unstable", class_="unstable") if one.unstable else None,
                scope="row",
                class_="wrap",
            ),
            _cell(rate(one.requests_per_second), _band(bands.get("requests_per_second"), rate)),
            *([_cell(rate(one.inferences_per_second))] if batched else []),
            *(
                _cell(
                    known(one.latency.percentiles_us.get(p)),
                    _band(bands.get(percentile_name(p)), known),
                )
                for p in percentiles
            ),
            _cell(known(one.latency.max_us)),
            *(
                [_cell(known(one.service_time.percentiles_us.get(p))) for p in (50.0, 99.0)]
                if waited
                else []
            ),
            _cell(f"{one.error_rate:.2%}" if one.failed else "0"),
            *([_cell(str(one.dropped))] if dropped else []),
            _cell(f"{one.client_cpu:.2f}"),
            *([_cell(_cores(one.usage.server_cpu))] if seen else []),
            *([_gpus(one.usage)] if gpus else []),
        ]
        rows.append(element("tr", *cells))
    level = {band.confidence for one in entries for band in one.measurement.bands.values()}
    told = f" Small: intervals of {min(level):.0%} within the run." if level else ""
    whole = table(f"All measurements; CPU in cores.{told}", head, rows)
    if len(rows) <= _UNFOLDED:
        return whole
    return element("details", element("summary", f"Table of {len(rows)} measurements"), whole)


def course_of(entry: Entry) -> Html | None:
    """What the pictures of a measurement's course show, in parts of equal length."""
    whole = course(entry.measurement)
    if whole is None:
        return None
    head = ["from", "to", "answered/s", "failed/s", "not started/s", "p50", "p99", "max"]
    rows = []
    for part in whole.parts(_PARTS):
        warm = part.slices[0].start < 0
        cells = [
            element("th", clock(round(part.start, 3)), scope="row"),
            _cell(clock(round(part.start + part.seconds, 3)), "warm-up" if warm else ""),
            *(_cell(rate(part.rate(name))) for name in ("answered", "failed", "dropped")),
            *(_cell(known(us)) for us in (part.percentile(50), part.percentile(99), part.slowest)),
        ]
        rows.append(element("tr", *cells))
    words = f"Course of {entry.name}"
    return element("details", element("summary", f"{words}, as a table"), table(words, head, rows))


def server(entries: Sequence[Entry]) -> Html | None:
    """The server's own times and batch sizes, by measurement and model."""
    head = [left("point"), left("model"), "queue", "input", "infer", "output", "mean batch",
            "cache hits", left("executions by batch size")]  # fmt: skip
    rows = []
    for entry in entries:
        for times in entry.measurement.server or ():
            stages = (times.queue, times.compute_input, times.compute_infer, times.compute_output)
            sizes = list(times.batches.items())
            shown = ", ".join(f"{size}: {count}" for size, count in sizes[:_SHOWN])
            cells = [
                element("th", entry.name, scope="row", class_="wrap"),
                element("td", times.model, class_="left wrap"),
                *(_cell(time(stage.mean_us) if stage.count else UNKNOWN) for stage in stages),
                _cell(f"{times.mean_batch:.1f}" if times.executions else UNKNOWN),
                _cell(f"{times.cache_hit.count:,}"),
                element("td", shown + (" ..." if len(sizes) > _SHOWN else ""), class_="left wrap"),
            ]
            rows.append(element("tr", *cells))
    if not rows:
        return None
    whole = table("The server's own counters, means of a request.", head, rows)
    if len(rows) <= _UNFOLDED:
        return whole
    return element("details", element("summary", f"Table of {len(rows)} rows"), whole)


def ways(entries: Sequence[Entry]) -> Html | None:
    """Where the answers of a stack came from, by measurement."""
    head = [left("point"), left("way"), "answers", "share", "p50", "p99", "rows not computed",
            "cost of an answer"]  # fmt: skip
    rows = []
    for entry in entries:
        total = sum(way.latency.count for way in entry.measurement.ways)
        for way in entry.measurement.ways:
            count = way.latency.count
            cells = [
                element("th", entry.name, scope="row", class_="wrap"),
                element("td", way.name, class_="left wrap"),
                _cell(f"{count:,}"),
                _cell(f"{count / total:.1%}" if total else UNKNOWN),
                _cell(known(way.latency.percentiles_us.get(50.0))),
                _cell(known(way.latency.percentiles_us.get(99.0))),
                _cell(f"{way.hits / way.rows:.1%}" if way.rows else UNKNOWN),
                _cell(f"{way.cost / count:.4g}" if count else UNKNOWN),
            ]
            rows.append(element("tr", *cells))
    return table("Answers by the way they came through the layers.", head, rows) if rows else None


def rate(value: float) -> str:
    """A rate, whole where it is large."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def known(us: float | None) -> str:
    """A duration, or a dash."""
    return time(us) if us is not None and isfinite(us) else UNKNOWN


def _cores(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.2f}"


def _gpus(usage: Usage) -> Html:
    """Utilisation of all together, and the most memory in use."""
    shares = usage.gpu_utilisation.values()
    if not shares:
        return _cell(UNKNOWN)
    memory = sum(usage.gpu_memory_bytes.values())
    return _cell(f"{sum(shares) / len(shares):.0%}", format_size(memory) if memory else "")


def _band(band: Band | None, word: Callable[[float], str]) -> str:
    if band is None or not (isfinite(band.low) and isfinite(band.high)):
        return ""
    return f"{word(band.low)} to {word(band.high)}"


def _cell(value: str, beside: str = "") -> Html:
    return element("td", value, element("small", beside) if beside else None)
