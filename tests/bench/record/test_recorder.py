from __future__ import annotations

import math

from tritonkit.bench.load.shape import Closed
from tritonkit.bench.measurement import Failure, Measurement, Point, Usage
from tritonkit.bench.record.recorder import Recorder
from tritonkit.errors import InferenceFailed, ServerOverloaded


def test_latencies_and_failures_are_kept_apart() -> None:
    recorder = Recorder()
    for latency_ns in (1_000, 2_000, 9_000):
        recorder.answered(latency_ns)
    recorder.failed(InferenceFailed("first reason"))
    recorder.failed(ServerOverloaded("queue is full"))
    recorder.failed(ServerOverloaded("queue is full still"))

    assert recorder.ended == 6
    latency = recorder.latency()
    assert (latency.count, latency.min_us, latency.mean_us, latency.max_us) == (3, 1.0, 4.0, 9.0)
    assert recorder.failures() == (
        Failure(kind="ServerOverloaded", count=2, first="queue is full"),
        Failure(kind="InferenceFailed", count=1, first="first reason"),
    )


def test_rates_count_answered_requests_and_their_rows() -> None:
    recorder = Recorder()
    for _ in range(30):
        recorder.answered(1_000)
    for _ in range(10):
        recorder.failed(InferenceFailed("no"))
    measurement = Measurement(
        point=Point(load=Closed(4), batch_size=8),
        seconds=2.0,
        latency=recorder.latency(),
        service_time=recorder.latency(),
        failures=recorder.failures(),
        usage=Usage(client_cpu=0.5),
        intended=0,
    )
    assert measurement.requests_per_second == 15.0
    assert measurement.inferences_per_second == 120.0
    assert measurement.error_rate == 0.25


def test_nothing_recorded_has_no_figures_and_no_error_rate() -> None:
    latency = Recorder().latency()
    assert latency.count == 0
    assert math.isnan(latency.max_us)
    measurement = Measurement(
        point=Point(load=Closed(1)),
        seconds=1.0,
        latency=latency,
        service_time=latency,
        failures=(),
        usage=Usage(client_cpu=0.0),
        intended=0,
    )
    assert measurement.error_rate == 0.0
