"""Runs of several machines at once, put together to the run that the server saw."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import fsum, isfinite

from tritonkit.bench.compare.differences import differences
from tritonkit.bench.compare.matching import by_point
from tritonkit.bench.compare.timeline import align, bands_of_timeline
from tritonkit.bench.conditions import Conditions
from tritonkit.bench.load.shape import Closed, Load, Open
from tritonkit.bench.measurement import Failure, Latency, Measurement, Usage, WayRecord
from tritonkit.bench.observe.statistics import ModelTimes, summed
from tritonkit.bench.record.counts import Counts
from tritonkit.bench.record.decoded import counts_of
from tritonkit.bench.record.summary import latency_of
from tritonkit.bench.report.json import Report
from tritonkit.bench.schedule.described import Described
from tritonkit.errors import ConfigError

__all__ = ["LEAST_TOGETHER", "merge", "merge_measurements", "notes"]

LEAST_TOGETHER = 0.8
"""The share of the shortest window in which all must have sent at once, for rates to add up."""

_MUST_AGREE = ("model", "version", "timeout", "duration", "max_requests")

_SERVERS = "nv_"
"""What the names of all metrics of a Triton begin with."""

_THEIR_OWN = ("machine.", "seed", "plan.seed", "plan.shard")
"""Conditions that runs of one merge need not share."""


def merge(reports: Sequence[Report], names: Sequence[str]) -> Report:
    """
    Put runs together that sent at the same time.

    Histograms and counts add up exactly, rates add up, and slices are put beside each other
    by the clocks of the machines. The server's own counters are seen by each run alike, so
    those of servers with different addresses add up and of one server one run's are kept.

    Args:
        reports: At least two.
        names: Of their files, for errors.

    Returns:
        Its conditions hold those of each run.

    Raises:
        ConfigError: If the runs are not of one model, do not hold the same points, or did
            not send at the same time.
    """
    if len(reports) < 2:
        raise ConfigError(f"a merge needs at least two runs, but got {len(reports)}.")
    first = reports[0].conditions
    for report, name in zip(reports[1:], names[1:], strict=True):
        for field in _MUST_AGREE:
            one, other = getattr(first, field), getattr(report.conditions, field)
            if one != other:
                raise ConfigError(
                    f"{names[0]} and {name} are not runs of the same: {field} is {one!r} in the "
                    f"first and {other!r} in the second."
                )
    urls = [report.conditions.url for report in reports]
    tables = [
        by_point(report.measurements, name) for report, name in zip(reports, names, strict=True)
    ]
    for table, name in zip(tables, names, strict=True):
        for other, its_name in zip(tables, names, strict=True):
            for point, measurement in other.items():
                if point not in table:
                    raise ConfigError(
                        f"{name} lacks the point {measurement.point}, which {its_name} has; leave "
                        "one of them out."
                    )
    return Report(
        _conditions([report.conditions for report in reports]),
        tuple(
            merge_measurements([table[point] for table in tables], names, urls)
            for point in tables[0]
        ),
    )


def notes(reports: Sequence[Report], names: Sequence[str]) -> tuple[str, ...]:
    """What differs between the runs, beside their machines, and what could not be checked."""
    found = {
        f"{names[0]} and {name}: {one}": None
        for report, name in zip(reports[1:], names[1:], strict=True)
        for one in differences(reports[0].conditions, report.conditions)
        if not one.name.startswith(_THEIR_OWN)
    }
    parts = [part for report in reports for part in report.conditions.each]
    shards = [str(part.plan.get("shard", "")) for part in parts]
    seeds = [part.seed for part in parts]
    opened = any(isinstance(m.point.load, Open) for report in reports for m in report.measurements)
    if any(shards):
        found |= dict.fromkeys(_of_shards(shards, seeds))
    elif opened and len(set(seeds)) < len(seeds):
        found["Runs have the same seed: their requests come at the same instants."] = None
    urls = dict.fromkeys(part.url for report in reports for part in report.conditions.each)
    if len(urls) > 1:
        found[
            f"The servers' counters add up, as of {len(urls)} servers: {', '.join(urls)}. Where "
            "these are one server by several names, they count twice."
        ] = None
    if any(one.started is None for report in reports for one in report.measurements):
        found["The runs do not say when they began; nobody knows whether they sent together."] = (
            None
        )
    return tuple(found)


def _of_shards(shards: Sequence[str], seeds: Sequence[int]) -> Iterator[str]:
    """What keeps shares from being one load."""
    of = {shard.partition("/")[2] for shard in shards}
    if len(of) > 1 or "" in shards:
        yield "Not all runs are shards of one load: " + ", ".join(one or "none" for one in shards)
        return
    if len(set(seeds)) > 1:
        yield "The shards are of schedules of several seeds."
    for shard in dict.fromkeys(shards):
        if shards.count(shard) > 1:
            yield f"Shard {shard} is there {shards.count(shard)} times."
    count = of.pop()
    if count.isdecimal() and len(set(shards)) < int(count):
        missing = [f"{n}/{count}" for n in range(int(count)) if f"{n}/{count}" not in shards]
        yield f"Shards that are missing: {', '.join(missing)}."


def merge_measurements(
    parts: Sequence[Measurement], names: Sequence[str], urls: Sequence[str]
) -> Measurement:
    """
    One point of several runs.

    Raises:
        ConfigError: If they did not send at the same time, or have other numbers of windows.
    """
    first = parts[0]
    if len({part.repeats for part in parts}) > 1:
        shown = ", ".join(f"{n} {part.repeats}" for n, part in zip(names, parts, strict=True))
        raise ConfigError(f"{first.point} has other numbers of windows: {shown}.")
    _check_together(parts, names)
    latency = _latency([part.latency for part in parts])
    rate = fsum(part.requests_per_second for part in parts)
    # The length over which all requests come at the sum of the rates.
    seconds = (
        first.seconds
        if len({part.seconds for part in parts}) == 1 or not rate
        else latency.count / rate
    )
    timeline = align(parts)
    starts = [part.started for part in parts if part.started is not None]
    return Measurement(
        point=dataclasses.replace(first.point, load=_load([part.point.load for part in parts])),
        seconds=seconds,
        latency=latency,
        service_time=_latency([part.service_time for part in parts]),
        failures=_failures(parts),
        intended=sum(part.intended for part in parts),
        dropped=sum(part.dropped for part in parts),
        late_us=max(part.late_us for part in parts),
        usage=_usage([part.usage for part in parts], urls),
        timeline=timeline,
        warmup=max(part.warmup for part in parts),
        unstable="; ".join(
            f"{name}: {part.unstable}"
            for name, part in zip(names, parts, strict=True)
            if part.unstable is not None
        )
        or None,
        bands=bands_of_timeline(timeline, tuple(latency.percentiles_us)),
        repeats=first.repeats,
        ways=_ways(parts),
        server=_server(parts, urls),
        metrics=_metrics(parts, urls),
        interrupted=any(part.interrupted for part in parts),
        started=min(starts) if len(starts) == len(parts) else None,
    )


def _check_together(parts: Sequence[Measurement], names: Sequence[str]) -> None:
    known = [
        (part.started, part.started + part.seconds / part.repeats)
        for part in parts
        if part.started is not None
    ]
    if len(known) < len(parts):
        return
    begin, end = max(start for start, _ in known), min(end for _, end in known)
    shortest = min(stop - start for start, stop in known)
    if end - begin < LEAST_TOGETHER * shortest:
        early = min(range(len(parts)), key=lambda number: known[number][0])
        late = max(range(len(parts)), key=lambda number: known[number][0])
        raise ConfigError(
            f"{parts[0].point} was not sent at the same time: {names[late]} began "
            f"{known[late][0] - known[early][0]:.1f} s after {names[early]}, of windows of "
            f"{shortest:.1f} s. Their rates do not add up; start them together, or measure longer."
        )


def _latency(parts: Sequence[Latency]) -> Latency:
    percentiles = [
        p for p in parts[0].percentiles_us if all(p in part.percentiles_us for part in parts)
    ]
    return latency_of(Counts.joined([counts_of(part) for part in parts]), percentiles)


def _load(loads: Sequence[Load]) -> Load:
    """All in flight together; schedules at the sum of their rates."""
    first = loads[0]
    if isinstance(first, Closed):
        return Closed(sum(load.concurrency for load in loads if isinstance(load, Closed)))
    opened = [load for load in loads if isinstance(load, Open)]
    rate = fsum(load.arrivals.rate for load in opened)
    told = dict(first.arrivals.describe())
    shards, whole = told.pop("shards", None), told.pop("whole", None)
    room = sum(load.max_in_flight for load in opened)
    if shards == len(opened) and isinstance(whole, str):
        return Open(Described(whole, told | {"rate": shards * first.arrivals.rate}), room)
    described = dict(first.arrivals.describe()) | {"rate": rate, "runs": len(opened)}
    name = f"{rate:g}/s of {len(opened)} runs, each {first.arrivals}"
    return Open(Described(name, described), room)


def _failures(parts: Sequence[Measurement]) -> tuple[Failure, ...]:
    counts: dict[str, int] = {}
    messages: dict[str, str] = {}
    for part in parts:
        for failure in part.failures:
            counts[failure.kind] = counts.get(failure.kind, 0) + failure.count
            messages.setdefault(failure.kind, failure.first)
    return tuple(
        Failure(kind=kind, count=counts[kind], first=messages[kind])
        for kind in sorted(counts, key=lambda kind: (-counts[kind], kind))
    )


def _usage(parts: Sequence[Usage], urls: Sequence[str]) -> Usage:
    servers = [part for part, url in _one_of_each(parts, urls) if part.server_cpu is not None]
    return Usage(
        client_cpu=fsum(part.client_cpu for part in parts),
        client_processes=sum(part.client_processes for part in parts),
        client_rss_bytes=sum(part.client_rss_bytes for part in parts),
        server_cpu=fsum(part.server_cpu or 0.0 for part in servers) if servers else None,
        server_rss_bytes=sum(part.server_rss_bytes or 0 for part in servers) if servers else None,
        gpu_utilisation=_joined(part.gpu_utilisation for part in parts),
        gpu_memory_bytes={
            name: max(p.gpu_memory_bytes.get(name, 0) for p in parts)
            for part in parts
            for name in part.gpu_memory_bytes
        },
        gpu_power_watts=_joined(part.gpu_power_watts for part in parts),
    )


def _one_of_each(parts: Sequence[Usage], urls: Sequence[str]) -> list[tuple[Usage, str]]:
    """One run of each server: those that sent to the same one saw the same."""
    found: dict[str, Usage] = {}
    for part, url in zip(parts, urls, strict=True):
        if url not in found or found[url].server_cpu is None:
            found[url] = part
    return [(part, url) for url, part in found.items()]


def _joined(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The first that tells of each name; all saw the same."""
    found: dict[str, float] = {}
    for part in parts:
        for name, value in part.items():
            found.setdefault(name, value)
    return found


def _ways(parts: Sequence[Measurement]) -> tuple[WayRecord, ...]:
    by_name: dict[str, list[WayRecord]] = {}
    for part in parts:
        for way in part.ways:
            by_name.setdefault(way.name, []).append(way)
    return tuple(
        WayRecord(
            name=name,
            latency=_latency([way.latency for way in ways]),
            rows=sum(way.rows for way in ways),
            hits=sum(way.hits for way in ways),
            cost=fsum(way.cost for way in ways),
        )
        for name, ways in by_name.items()
    )


def _server(parts: Sequence[Measurement], urls: Sequence[str]) -> tuple[ModelTimes, ...] | None:
    told = {url: part.server for part, url in zip(parts, urls, strict=True) if part.server}
    if not told:
        return parts[0].server
    return summed(told.values())


def _metrics(parts: Sequence[Measurement], urls: Sequence[str]) -> dict[str, float]:
    """What a server counts is seen by each run; what the layers of a stack count is their own."""
    servers = {url: part.metrics for part, url in zip(parts, urls, strict=True) if part.metrics}
    names = dict.fromkeys(name for part in parts for name in part.metrics)
    sums = {
        name: fsum(
            metrics[name]
            for metrics in (
                servers.values() if name.startswith(_SERVERS) else [part.metrics for part in parts]
            )
            if name in metrics
        )
        for name in names
    }
    return {name: value for name, value in sums.items() if isfinite(value)}


def _conditions(all_of_them: Sequence[Conditions]) -> Conditions:
    parts = tuple(part for conditions in all_of_them for part in conditions.each)
    return dataclasses.replace(
        all_of_them[0],
        started=min(part.started for part in parts),
        load=f"{len(parts)} runs at once, each: {parts[0].load}",
        command="",
        parts=parts,
    )
