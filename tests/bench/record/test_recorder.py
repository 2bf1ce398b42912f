"""What a run leaves behind, whatever the order in which it was written down."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tritonkit.bench.measurement import Failure
from tritonkit.bench.record.recorder import Recorder, WrongAnswer
from tritonkit.bench.record.slices import MAX_SLICES, SliceRecord
from tritonkit.bench.record.summary import cut, failures_of, latency_of
from tritonkit.bench.targets.target import Taken
from tritonkit.errors import InferenceFailed, ServerOverloaded

SECOND = 1_000_000_000


def whole(recorder: Recorder) -> SliceRecord:
    return SliceRecord.joined(record for _, record in recorder.slices())


def described(recorder: Recorder) -> list[object]:
    """All that slices hold, in values that can be compared."""
    return [
        (
            start,
            *(
                (c.buckets.tolist(), c.counts.tolist(), c.total_ns, c.min_ns, c.max_ns)
                for c in (record.latency, record.service, record.late)
            ),
            record.failures,
            record.dropped,
            {n: (w.latency.count, w.rows, w.hits, w.cost) for n, w in record.ways.items()},
        )
        for start, record in recorder.slices()
    ]


def test_latencies_and_failures_are_kept_apart() -> None:
    recorder = Recorder()
    for latency_ns in (1_000, 2_000, 9_000):
        recorder.answered(0, latency_ns, latency_ns)
    recorder.failed(2, InferenceFailed("first reason"))
    recorder.failed(9, ServerOverloaded("queue is full still"))
    recorder.failed(8, ServerOverloaded("queue is full"))

    assert recorder.ended == 6
    record = whole(recorder)
    latency = latency_of(record.latency)
    assert (latency.count, latency.min_us, latency.mean_us, latency.max_us) == (3, 1.0, 4.0, 9.0)
    assert failures_of(recorder, record) == (
        Failure(kind="ServerOverloaded", count=2, first="queue is full"),
        Failure(kind="InferenceFailed", count=1, first="first reason"),
    )


def test_a_wrong_answer_is_a_failure_of_its_own_kind() -> None:
    recorder = Recorder()
    recorder.failed(0, WrongAnswer("output 'y' is off by 3"))
    (failure,) = failures_of(recorder, whole(recorder))
    assert (failure.kind, failure.first) == ("WrongAnswer", "output 'y' is off by 3")


def test_a_window_begins_where_the_warm_up_ends() -> None:
    recorder = Recorder(0.25, origin=0.1)
    for at_ns in (0, SECOND // 10 - 1, SECOND // 10, SECOND // 10 + SECOND // 4):
        recorder.answered(at_ns, 5, 5)
    assert cut(recorder, SECOND // 10, SECOND).latency.count == 2
    assert cut(recorder, SECOND // 10, SECOND // 10 + SECOND // 4).latency.count == 1


def test_late_requests_have_a_latency_above_their_service_time() -> None:
    recorder = Recorder()
    recorder.answered(0, 700, 200)
    recorder.answered(1, 300, 300)
    record = whole(recorder)
    assert (record.latency.total_ns, record.service.total_ns) == (1000, 500)
    assert (record.late.count, record.late.total_ns, record.late.max_ns) == (2, 500, 500)


def test_nothing_is_recorded_after_the_last_that_was_asked_for() -> None:
    recorder, told = Recorder(), []
    recorder.stop_after(2, lambda: told.append(True), since_ns=10)
    for at_ns in (3, 12, 14, 16):
        recorder.answered(at_ns, 1, 1)
    recorder.failed(18, InferenceFailed("late"))
    assert told == [True]
    assert (recorder.full_at_ns, recorder.ended) == (14, 3)
    assert whole(recorder).latency.count == 3


def test_ways_have_latencies_rows_hits_and_costs() -> None:
    recorder = Recorder()
    recorder.answered(0, 10, 10, Taken("memory", hits=2, rows=2))
    recorder.answered(0, 90, 90, Taken("accurate", hits=0, rows=2, cost=0.5, arms=("rank:new",)))
    ways = whole(recorder).ways
    assert set(ways) == {"memory", "accurate", "rank:new"}
    assert (ways["memory"].hits, ways["memory"].rows, ways["memory"].latency.max_ns) == (2, 2, 10)
    assert (ways["rank:new"].cost, ways["accurate"].latency.max_ns) == (0.5, 90)


def test_memory_stays_flat_in_a_run_of_half_an_hour() -> None:
    """The slices are fewer than MAX_SLICES, and each answer is in one of them."""
    recorder = Recorder(0.25, origin=2.0)
    rng = np.random.default_rng(0)
    for at_ns in range(0, 1800 * SECOND, SECOND // 10):
        latency_ns = int(rng.integers(1_000_000, 9_000_000))
        recorder.answered(at_ns, latency_ns, latency_ns)
    assert len(recorder.slices()) <= MAX_SLICES
    assert recorder.slice_ns == 4 * SECOND
    assert whole(recorder).latency.count == 18_000
    # Doubled slices still begin at the end of the warm-up.
    assert 2 * SECOND in [start for start, _ in recorder.slices()]


OUTCOMES = st.lists(
    st.tuples(
        st.integers(0, 400 * SECOND),
        st.integers(0, 10 * SECOND),
        st.integers(0, SECOND),
        st.sampled_from(["answered", "failed", "dropped", "memory", "redis+model"]),
    ),
    max_size=20,
)


def written(outcomes: list[tuple[int, int, int, str]], slice_seconds: float) -> Recorder:
    recorder = Recorder(slice_seconds, origin=1.5)
    for at_ns, service, late, what in outcomes:
        if what == "failed":
            recorder.failed(at_ns, InferenceFailed(str(at_ns)))
        elif what == "dropped":
            recorder.dropped(at_ns)
        else:
            way = None if what == "answered" else Taken(what, hits=1, rows=2, cost=0.25)
            recorder.answered(at_ns, service + late, service, way)
    return recorder


@settings(max_examples=60, deadline=None)
@given(OUTCOMES, OUTCOMES, st.sampled_from([0.25, 0.5]))
def test_processes_merge_to_what_one_would_have_recorded(
    here: list[tuple[int, int, int, str]], there: list[tuple[int, int, int, str]], seconds: float
) -> None:
    """Also where one of them has coarser slices; what another process sends is what it has."""
    one, other = written(here, 0.25), Recorder.decode(written(there, seconds).encode())
    one.merge(other)
    together = written(here + there, max(one.slice_ns / SECOND, 0.25))
    assert described(one) == described(together)
    assert one.ended == together.ended
    assert one.dropped_count == together.dropped_count
    if whole(one).failures:
        assert failures_of(one, whole(one)) == failures_of(together, whole(together))


def test_what_no_histogram_holds_is_refused() -> None:
    recorder = Recorder()
    recorder.answered(0, -1, -1)
    with pytest.raises(Exception, match="latency must be 0 to"):
        recorder.slices()


@pytest.mark.parametrize("warmup", [2, 300])
def test_nothing_around_a_window_makes_its_slices_coarse(warmup: int) -> None:
    """
    An open loop goes on while the last answers are waited for, and a warm-up may be long.

    Either is hundreds of a short window's slices; joined, those would end beyond its end.
    """
    start, end = warmup * SECOND, warmup * SECOND + 3 * SECOND // 10
    recorder = Recorder(0.015, origin=warmup, end_ns=end)
    for at_ns in range(0, start + 60 * SECOND, SECOND // 100):
        recorder.answered(at_ns, 5, 5, Taken("memory", hits=1, rows=1))
        recorder.failed(at_ns, InferenceFailed("no"))
        recorder.dropped(at_ns)
    assert recorder.slice_ns == 15_000_000
    window = cut(recorder, start, end)
    assert (window.latency.count, window.failures, window.dropped) == (
        30, {"InferenceFailed": 30}, 30,
    )  # fmt: skip
    assert window.ways["memory"].latency.count == 30
    assert whole(recorder).latency.count == 30 + min(warmup * 100, 192)


def test_what_comes_after_the_end_is_not_kept() -> None:
    recorder = Recorder()
    for at_ns in (1, 5, 9):
        recorder.answered(at_ns, 5, 5)
    recorder.end(20)
    for at_ns in (19, 20, 21):
        recorder.answered(at_ns, 5, 5)
    recorder.end(30)
    assert (recorder.end_ns, recorder.ended) == (20, 6)
    assert whole(recorder).latency.count == 4
