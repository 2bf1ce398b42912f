"""Repeats add up, or are averaged, as each figure asks for."""

from __future__ import annotations

import dataclasses

from tritonkit.bench.load.shape import Closed
from tritonkit.bench.measurement import Point
from tritonkit.bench.observe.observer import Observed
from tritonkit.bench.observe.statistics import Duration, ModelTimes
from tritonkit.bench.plan import Plan
from tritonkit.bench.record.recorder import Recorder
from tritonkit.bench.record.window import cut_window
from tritonkit.bench.repeats import Repeat, combined, risen

SECOND = 1_000_000_000
POINT = Point(load=Closed(1))


def times(requests: int, **batches: int) -> ModelTimes:
    none = Duration()
    return ModelTimes(
        model="m",
        requests=requests,
        failed=1,
        inferences=2 * requests,
        executions=requests,
        queue=Duration(requests, 1000 * requests),
        compute_input=none,
        compute_infer=none,
        compute_output=none,
        cache_hit=none,
        cache_miss=none,
        batches={int(size.removeprefix("of")): count for size, count in batches.items()},
    )


def repeat(seen: Observed, server: tuple[ModelTimes, ...] | None, cpu: float = 0.5) -> Repeat:
    recorder = Recorder()
    recorder.answered(0, 5, 5)
    return Repeat(
        window=cut_window(recorder, 0, SECOND, stationary=True),
        interrupted=False,
        seen=seen,
        client_cpu=cpu,
        server=server,
        counted={"hits": 4.0},
        started=10.0,
    )


def test_counts_add_up_and_what_was_observed_is_averaged() -> None:
    one = Observed(
        client_cpu=0.2, server_cpu=1.0, server_rss_bytes=50, metrics={"n": 6.0},
        gpu_utilisation={"a": 0.5}, gpu_memory_bytes={"a": 10},
    )  # fmt: skip
    two = Observed(client_cpu=0.4, server_cpu=2.0, server_rss_bytes=70, metrics={"n": 2.0, "k": 2})
    found = combined(
        POINT,
        [repeat(one, (times(10, of2=10),)), repeat(two, (times(20, of2=5, of1=15),))],
        Plan(repeats=2, warmup=0.0),
    )
    assert (found.requests, found.seconds, found.repeats, found.started) == (2, 2.0, 2, 10.0)
    usage = found.usage
    assert abs(usage.client_cpu - 0.3) < 1e-12
    assert (usage.server_cpu, usage.server_rss_bytes) == (1.5, 70)
    assert (usage.gpu_utilisation, usage.gpu_memory_bytes) == ({"a": 0.25}, {"a": 10})
    assert found.metrics == {"n": 4.0, "k": 1.0, "hits": 4.0}
    assert found.server is not None
    (server,) = found.server
    assert (server.requests, server.failed, server.queue) == (30, 2, Duration(30, 30_000))
    assert server.batches == {1: 15, 2: 15}
    assert not found.interrupted


def test_a_run_began_where_its_window_does_beyond_what_was_cut_off() -> None:
    recorder = Recorder(0.25, origin=1.0)
    for number in range(1100):
        at_ns = number * SECOND // 100
        recorder.answered(at_ns, 3 if at_ns < 3 * SECOND else 1, 1)
    window = cut_window(recorder, SECOND, 11 * SECOND, stationary=True)
    assert window.warmup >= 3
    one = dataclasses.replace(repeat(Observed(), None), window=window)
    assert combined(POINT, [one], Plan(warmup=1.0)).started == 10.0 + window.warmup - 1.0


def test_what_nobody_saw_is_unknown() -> None:
    found = combined(POINT, [repeat(Observed(), None, cpu=0.75)], Plan())
    assert found.usage.client_cpu == 0.75
    assert (found.usage.server_cpu, found.usage.server_rss_bytes, found.server) == (None,) * 3


def test_repeats_that_are_missing_were_interrupted() -> None:
    assert combined(POINT, [repeat(Observed(), None)], Plan(repeats=2)).interrupted


def test_counters_that_did_not_rise_are_left_out() -> None:
    assert risen({"a": 1.0, "b": 2.0}, {"a": 4.0, "b": 2.0, "c": 1.0}) == {"a": 3.0, "c": 1.0}
