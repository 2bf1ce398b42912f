"""Conditions and warnings in words, for every kind of report."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tritonkit.bench.conditions import Conditions
from tritonkit.bench.measurement import Measurement, percentile_name
from tritonkit.units import format_duration, format_size

__all__ = ["BUSY_CLIENT", "LATE_US", "busy", "condition_lines", "notes_of"]

BUSY_CLIENT = 0.9
"""Share of its cores from which on the load generator is named as the likely limit."""

_WAITED = ("DeadlineExceeded", "Unanswered")
"""Kinds of failures that say how long was waited, and no more."""

_ROUNDING = 1e-6
"""Seconds by which a warm-up may differ from what was asked for."""

LATE_US = 1000.0
"""From here on the load generator was too slow to send when it was meant to."""


def busy(conditions: Conditions) -> str | None:
    """Why a machine was not idle when a run began; None where it was, or does not tell."""
    for one in conditions.each:
        if one.load_average is not None and one.load_average[0] > 0.5 * one.machine.cores:
            return (
                f"the load average was {one.load_average[0]:.1f} on {one.machine.cores} cores "
                "when the run began: something else ran there"
            )
    return None


def condition_lines(conditions: Conditions) -> Iterator[tuple[str, str]]:
    """Name and value of each condition; of a merge, those of each run."""
    parts = conditions.each
    for number, part in enumerate(parts, start=1):
        for name, value in _of_one(part):
            yield (f"run {number}: {name}" if len(parts) > 1 else name), value


def notes_of(conditions: Conditions, measurements: Sequence[Measurement]) -> Iterator[str]:
    """What failed, and what to be wary of."""
    for measurement in measurements:
        at = str(measurement.point)
        longer = measurement.warmup - conditions.warmup
        if longer > _ROUNDING:
            yield (
                f"{at}: no steady state was there yet in the first "
                f"{format_duration(longer)} of the window, which are left out"
            )
        for failure in measurement.failures:
            yield f"{at}: {failure.count} times {failure.kind}, the first: {failure.first}"
        waited = sum(one.count for one in measurement.failures if one.kind in _WAITED)
        if waited:
            yield (
                f"{at}: percentiles are those of answered requests; {waited:,} that were waited "
                "for in vain would be among the longest"
            )
        if measurement.dropped:
            share = measurement.dropped / max(measurement.intended, 1)
            yield (
                f"{at}: {measurement.dropped:,} requests ({share:.1%}) could not start, since too "
                "many others waited (--max-in-flight); they would have taken the longest"
            )
        if measurement.unstable is not None:
            yield f"{at}: unstable, {measurement.unstable}"
        if measurement.interrupted:
            yield f"{at}: interrupted after {format_duration(measurement.seconds)}"
        if measurement.late_us > LATE_US:
            late = format_duration(measurement.late_us / 1e6)
            yield (
                f"{at}: 1% of the requests were sent {late} late or more, since the load "
                "generator (--processes) or its machine was busy"
            )
        cores = measurement.usage.client_processes
        if measurement.client_cpu >= BUSY_CLIENT * cores:
            yield (
                f"{at}: the load generator used {measurement.client_cpu:.0%} of its core and was "
                "the limit; the server may be able to do more (--processes)"
                if cores == 1
                else f"{at}: the load generator used {measurement.client_cpu:.1f} of its {cores} "
                "cores and was the limit; the server may be able to do more (--processes)"
            )
    if few := list(_few(measurements)):
        yield f"{', '.join(few)} answers is the longest of them"


def _few(measurements: Sequence[Measurement]) -> Iterator[str]:
    """Which percentiles no answer lies beyond."""
    percentiles = {p for one in measurements for p in one.latency.percentiles_us if p < 100}
    for percentile in sorted(percentiles):
        # Without the noise of decimal fractions: of 99.9 it is 1000.
        needed = round(100 / (100 - percentile))
        if any(0 < one.requests < needed for one in measurements):
            yield f"{percentile_name(percentile)} of fewer than {needed:,}"


def _of_one(conditions: Conditions) -> Iterator[tuple[str, str]]:
    machine = conditions.machine
    yield "server", f"{conditions.server} at {conditions.url}"
    yield "model", f"{conditions.model} {conditions.version}".strip()
    for name, digest in conditions.config_digests.items():
        yield f"configuration of {name}", f"sha256 {digest}"
    yield from _described("target", conditions.target)
    yield "load", conditions.load
    ends = " or ".join(
        [
            *([] if conditions.duration is None else [format_duration(conditions.duration)]),
            *([] if conditions.max_requests is None else [f"{conditions.max_requests} requests"]),
        ]
    )
    yield "window", f"{ends} after {format_duration(conditions.warmup)} of warm-up"
    yield "timeout", format_duration(conditions.timeout)
    yield "seed", str(conditions.seed)
    plan = _without(conditions.plan, ("duration", "warmup", "timeout", "seed", "max_requests"))
    yield from _described("plan", plan)
    for name, source in conditions.inputs.items():
        yield f"input {name}", source
    yield "distinct requests", str(conditions.distinct_requests)
    workload = _without(conditions.workload, ("inputs", "distinct_requests"))
    yield from _described("workload", workload)
    yield (
        "load from",
        f"{machine.cpu}, {machine.cores} cores, {format_size(machine.memory_bytes)}, "
        f"{machine.system}, int8 by {machine.int8_instructions}",
    )
    if conditions.load_average is not None:
        shown = ", ".join(f"{value:.2f}" for value in conditions.load_average)
        yield "load average before", f"{shown} over 1, 5 and 15 minutes"
    yield "versions", ", ".join(f"{name} {one}" for name, one in conditions.versions.items())
    yield "event loop", conditions.event_loop
    yield "started", conditions.started
    if conditions.command:
        yield "command", conditions.command


def _described(name: str, description: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for inner, value in description.items():
        if value not in (None, "", {}, []):
            yield f"{name}: {inner}", value if isinstance(value, str) else json.dumps(value)


def _without(description: Mapping[str, Any], told: Sequence[str]) -> dict[str, Any]:
    """What is not told by a field of its own."""
    return {name: value for name, value in description.items() if name not in told}
