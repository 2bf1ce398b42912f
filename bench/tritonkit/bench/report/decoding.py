"""Measurements and their conditions out of JSON's types."""

from __future__ import annotations

from typing import Any

from tritonkit.bench.conditions import Conditions
from tritonkit.bench.load.shape import Closed, Load, Open
from tritonkit.bench.measurement import (
    Band,
    Failure,
    Latency,
    Measurement,
    Point,
    Slice,
    Usage,
    WayRecord,
)
from tritonkit.bench.observe.statistics import Duration, ModelTimes
from tritonkit.bench.report.fields import Fields
from tritonkit.bench.schedule.described import Described
from tritonkit.errors import ConfigError
from tritonkit.machine import Machine

__all__ = ["decode", "decode_conditions"]


def decode(content: Any, place: str = "measurement") -> Measurement:
    """
    What `encode` made; what it derived is derived again.

    A schedule of an open loop comes back as its description alone.

    Args:
        content: What JSON gave.
        place: Where it stands, for errors.

    Raises:
        ConfigError: If a field is missing or is something else, with its place.
    """
    fields = content if isinstance(content, Fields) else Fields(content, place)
    return Measurement(
        point=_point(fields.object("point")),
        seconds=fields.positive("seconds"),
        latency=_latency(fields.object("latency")),
        service_time=_latency(fields.object("service_time")),
        failures=tuple(
            Failure(kind=one.text("kind"), count=one.whole("count"), first=one.text("first"))
            for one in fields.objects("failures")
        ),
        intended=fields.whole("intended"),
        dropped=fields.whole("dropped"),
        late_us=fields.number("late_us"),
        usage=_usage(fields.object("usage")),
        timeline=tuple(_slice(one) for one in fields.objects("timeline")),
        warmup=fields.number("warmup"),
        unstable=fields.text("unstable") if "unstable" in fields else None,
        bands=fields.each("bands", lambda inner, name: _band(inner.object(name))),
        repeats=fields.whole("repeats"),
        ways=tuple(_way(one) for one in fields.objects("ways")),
        server=tuple(_times(one) for one in fields.objects("server"))
        if "server" in fields
        else None,
        metrics=fields.each("metrics", Fields.number),
        interrupted=fields.flag("interrupted"),
        started=fields.number("started") if "started" in fields else None,
    )


def decode_conditions(fields: Fields) -> Conditions:
    """The conditions, of a merge with those of each run."""
    machine = fields.object("machine")
    one, five, fifteen = (
        fields.numbers("load_average", 3) if "load_average" in fields else (None, None, None)
    )
    return Conditions(
        url=fields.text("url"),
        model=fields.text("model"),
        version=fields.text("version"),
        config_digests=fields.each("config_digests", Fields.text),
        server=fields.text("server"),
        load=fields.text("load"),
        warmup=fields.number("warmup"),
        duration=fields.number("duration") if "duration" in fields else None,
        max_requests=fields.whole("max_requests") if "max_requests" in fields else None,
        timeout=fields.number("timeout"),
        seed=fields.integer("seed"),
        inputs=fields.each("inputs", Fields.text),
        distinct_requests=fields.whole("distinct_requests"),
        started=fields.text("started"),
        machine=Machine(
            cpu=machine.text("cpu"),
            int8_instructions=machine.text("int8_instructions"),
            cores=machine.whole("cores"),
            memory_bytes=machine.whole("memory_bytes"),
            system=machine.text("system"),
        ),
        versions=fields.each("versions", Fields.text),
        event_loop=fields.text("event_loop"),
        target=fields.anything("target"),
        workload=fields.anything("workload"),
        plan=fields.anything("plan"),
        command=fields.text("command"),
        load_average=None
        if one is None or five is None or fifteen is None
        else (one, five, fifteen),
        parts=tuple(decode_conditions(part) for part in fields.objects("parts")),
    )


def _point(fields: Fields) -> Point:
    return Point(
        load=_load(fields.object("load"), fields.text("load_name")),
        batch_size=fields.whole("batch_size"),
        settings=fields.each("settings", Fields.text),
    )


def _load(fields: Fields, name: str) -> Load:
    loop = fields.text("loop")
    if loop == "closed":
        return Closed(fields.whole("concurrency"))
    if loop != "open":
        raise ConfigError(f'a loop is "closed" or "open", but got {loop!r}.')
    fields.object("arrivals").positive("rate")
    arrivals = Described(name, fields.anything("arrivals"))
    return Open(arrivals, max_in_flight=fields.whole("max_in_flight"))


def _latency(fields: Fields) -> Latency:
    percentiles = fields.each("percentiles_us", Fields.number)
    return Latency(
        count=fields.whole("count"),
        mean_us=fields.number("mean_us"),
        min_us=fields.number("min_us"),
        max_us=fields.number("max_us"),
        percentiles_us={_percentile(name): value for name, value in percentiles.items()},
        histogram=fields.text("hdrhistogram_ns"),
    )


def _percentile(name: str) -> float:
    try:
        return float(name.removeprefix("p"))
    except ValueError:
        raise ConfigError(f'a percentile is named such as "p99.9", but got {name!r}.') from None


def _slice(fields: Fields) -> Slice:
    return Slice(
        start=fields.known("start"),
        seconds=fields.known("seconds"),
        answered=fields.whole("answered"),
        failed=fields.whole("failed"),
        dropped=fields.whole("dropped"),
        p50_us=fields.number("p50_us"),
        p99_us=fields.number("p99_us"),
        max_us=fields.number("max_us"),
        histogram=fields.text("hdrhistogram_ns"),
        repeat=fields.whole("repeat"),
    )


def _band(fields: Fields) -> Band:
    return Band(fields.number("low"), fields.number("high"), fields.number("confidence"))


def _usage(fields: Fields) -> Usage:
    return Usage(
        client_cpu=fields.number("client_cpu"),
        client_processes=fields.whole("client_processes"),
        client_rss_bytes=fields.whole("client_rss_bytes"),
        server_cpu=fields.number("server_cpu") if "server_cpu" in fields else None,
        server_rss_bytes=fields.whole("server_rss_bytes") if "server_rss_bytes" in fields else None,
        gpu_utilisation=fields.each("gpu_utilisation", Fields.number),
        gpu_memory_bytes=fields.each("gpu_memory_bytes", Fields.whole),
        gpu_power_watts=fields.each("gpu_power_watts", Fields.number),
    )


def _way(fields: Fields) -> WayRecord:
    return WayRecord(
        name=fields.text("name"),
        latency=_latency(fields.object("latency")),
        rows=fields.whole("rows"),
        hits=fields.whole("hits"),
        cost=fields.number("cost"),
    )


def _times(fields: Fields) -> ModelTimes:
    batches = fields.each("batches", Fields.whole)
    if not all(size.isdecimal() for size in batches):
        raise ConfigError(f"batch sizes must be whole numbers, but got {list(batches)}.")
    return ModelTimes(
        model=fields.text("model"),
        requests=fields.integer("requests"),
        failed=fields.integer("failed"),
        inferences=fields.integer("inferences"),
        executions=fields.integer("executions"),
        queue=_duration(fields.object("queue")),
        compute_input=_duration(fields.object("compute_input")),
        compute_infer=_duration(fields.object("compute_infer")),
        compute_output=_duration(fields.object("compute_output")),
        cache_hit=_duration(fields.object("cache_hit")),
        cache_miss=_duration(fields.object("cache_miss")),
        batches={int(size): count for size, count in batches.items()},
    )


def _duration(fields: Fields) -> Duration:
    return Duration(fields.whole("count"), fields.whole("ns"))
