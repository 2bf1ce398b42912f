"""Measurements and their conditions in JSON's types."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tritonkit.bench.conditions import Conditions
from tritonkit.bench.measurement import (
    Band,
    Latency,
    Measurement,
    Point,
    Slice,
    WayRecord,
    percentile_name,
)
from tritonkit.bench.observe.statistics import Duration, ModelTimes

__all__ = ["encode", "encode_conditions"]


def encode(measurement: Measurement) -> dict[str, Any]:
    """
    Everything that a measurement holds, and the rates and means that follow from it.

    What is not a finite number is null.
    """
    server = measurement.server
    return {
        "point": _point(measurement.point),
        "seconds": measurement.seconds,
        "requests": measurement.requests,
        "failed": measurement.failed,
        "error_rate": measurement.error_rate,
        "requests_per_second": measurement.requests_per_second,
        "inferences_per_second": measurement.inferences_per_second,
        "latency": _latency(measurement.latency),
        "service_time": _latency(measurement.service_time),
        "failures": [asdict(failure) for failure in measurement.failures],
        "intended": measurement.intended,
        "dropped": measurement.dropped,
        "late_us": _number(measurement.late_us),
        "usage": asdict(measurement.usage),
        "timeline": [_slice(one) for one in measurement.timeline],
        "warmup": measurement.warmup,
        "unstable": measurement.unstable,
        "bands": {name: _band(band) for name, band in measurement.bands.items()},
        "repeats": measurement.repeats,
        "ways": [_way(way) for way in measurement.ways],
        "server": None if server is None else [_times(times) for times in server],
        "metrics": {name: _number(value) for name, value in measurement.metrics.items()},
        "interrupted": measurement.interrupted,
        "started": measurement.started,
    }


def encode_conditions(conditions: Conditions) -> dict[str, Any]:
    """The conditions, of a merge with those of each run."""
    average = conditions.load_average
    return {
        "url": conditions.url,
        "model": conditions.model,
        "version": conditions.version,
        "config_digests": dict(conditions.config_digests),
        "server": conditions.server,
        "load": conditions.load,
        "warmup": conditions.warmup,
        "duration": conditions.duration,
        "max_requests": conditions.max_requests,
        "timeout": conditions.timeout,
        "seed": conditions.seed,
        "inputs": dict(conditions.inputs),
        "distinct_requests": conditions.distinct_requests,
        "started": conditions.started,
        "machine": asdict(conditions.machine),
        "versions": dict(conditions.versions),
        "event_loop": conditions.event_loop,
        "target": dict(conditions.target),
        "workload": dict(conditions.workload),
        "plan": dict(conditions.plan),
        "command": conditions.command,
        "load_average": None if average is None else list(average),
        "parts": [encode_conditions(part) for part in conditions.parts],
    }


def _point(point: Point) -> dict[str, Any]:
    described = point.describe()
    return {"load": described["load"], "load_name": str(point.load), **described}


def _latency(latency: Latency) -> dict[str, Any]:
    return {
        "count": latency.count,
        "mean_us": _number(latency.mean_us),
        "min_us": _number(latency.min_us),
        "max_us": _number(latency.max_us),
        "percentiles_us": {
            percentile_name(p): _number(value) for p, value in latency.percentiles_us.items()
        },
        "hdrhistogram_ns": latency.histogram,
    }


def _slice(one: Slice) -> dict[str, Any]:
    return {
        "start": one.start,
        "seconds": one.seconds,
        "answered": one.answered,
        "failed": one.failed,
        "dropped": one.dropped,
        "p50_us": _number(one.p50_us),
        "p99_us": _number(one.p99_us),
        "max_us": _number(one.max_us),
        "hdrhistogram_ns": one.histogram,
        "repeat": one.repeat,
    }


def _band(band: Band) -> dict[str, Any]:
    return {
        "low": _number(band.low),
        "high": _number(band.high),
        "confidence": band.confidence,
    }


def _way(way: WayRecord) -> dict[str, Any]:
    return {
        "name": way.name,
        "latency": _latency(way.latency),
        "rows": way.rows,
        "hits": way.hits,
        "cost": way.cost,
    }


def _times(times: ModelTimes) -> dict[str, Any]:
    return {
        "model": times.model,
        "requests": times.requests,
        "failed": times.failed,
        "inferences": times.inferences,
        "executions": times.executions,
        "mean_batch": times.mean_batch,
        "batches": {str(size): count for size, count in times.batches.items()},
        "queue": _duration(times.queue),
        "compute_input": _duration(times.compute_input),
        "compute_infer": _duration(times.compute_infer),
        "compute_output": _duration(times.compute_output),
        "cache_hit": _duration(times.cache_hit),
        "cache_miss": _duration(times.cache_miss),
    }


def _duration(duration: Duration) -> Mapping[str, Any]:
    return {"count": duration.count, "ns": duration.ns, "mean_us": duration.mean_us}


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
