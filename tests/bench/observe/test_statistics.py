from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.bench.observe.statistics import Duration, gained, read_counters
from tritonkit.errors import ProtocolError

STAGES = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output")


def entry(
    count: int,
    *,
    ns: int = 0,
    name: str = "m",
    version: str = "1",
    batches: dict[int, int] | None = None,
) -> dict[str, Any]:
    return {
        "name": name,
        "version": version,
        "inference_count": 2 * count,
        "execution_count": count,
        "inference_stats": {stage: {"count": count, "ns": ns} for stage in STAGES},
        "batch_stats": [
            {"batch_size": size, "compute_infer": {"count": n, "ns": 1}}
            for size, n in (batches or {}).items()
        ],
    }


def reply(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"model_stats": list(entries)}


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**15))
def test_a_run_is_the_difference_of_two_readings(start: int, more: int, ns: int) -> None:
    before = read_counters(reply(entry(start, ns=7)))
    after = read_counters(reply(entry(start + more, ns=7 + ns)))
    (times,) = gained(before, after)
    assert (times.requests, times.failed, times.executions) == (more, more, more)
    assert times.queue == Duration(more, ns)
    assert times.mean_batch == (2.0 if more else 0.0)
    assert times.queue.mean_us == pytest.approx(ns / more / 1e3 if more else 0.0)


def test_batches_that_did_not_run_are_left_out() -> None:
    before = read_counters(reply(entry(5, batches={1: 5, 8: 2})))
    after = read_counters(reply(entry(9, batches={1: 5, 8: 4, 2: 1})))
    (times,) = gained(before, after)
    assert times.batches == {2: 1, 8: 2}


def test_a_model_loaded_again_counts_from_zero() -> None:
    before = read_counters(reply(entry(100, ns=1000, batches={4: 100})))
    after = read_counters(reply(entry(3, ns=30, batches={4: 3})))
    (times,) = gained(before, after)
    assert (times.requests, times.queue.ns, times.batches) == (3, 30, {4: 3})


def test_a_model_that_counted_further_since_is_known_by_its_batches() -> None:
    """No count of any batch size falls, or the model was loaded again."""
    before = read_counters(reply(entry(100, ns=1000, batches={3: 14, 4: 86})))
    after = read_counters(reply(entry(250, ns=2500, batches={4: 250})))
    (times,) = gained(before, after)
    assert (times.requests, times.queue.ns, times.batches) == (250, 2500, {4: 250})


def test_versions_are_added_up_and_models_keep_their_order() -> None:
    before = read_counters(reply(entry(1, version="1"), entry(1, version="2")))
    after = read_counters(
        reply(
            entry(3, name="ensemble"),
            entry(4, version="1", batches={1: 4}),
            entry(6, version="2", batches={1: 5}),
        )
    )
    ensemble, model = gained(before, after)
    assert (ensemble.model, ensemble.requests) == ("ensemble", 3)
    assert (model.requests, model.batches) == (8, {1: 9})


def test_stages_that_an_old_server_lacks_are_zero() -> None:
    (times,) = gained((), read_counters(reply(entry(1))))
    assert times.cache_hit == Duration(0, 0)


@pytest.mark.parametrize(
    "wrong", [{}, {"model_stats": [{}]}, {"model_stats": 3}, {"model_stats": [{"name": "m"}]}, []]
)
def test_what_is_not_statistics_is_a_protocol_error(wrong: Any) -> None:
    with pytest.raises(ProtocolError, match="statistics"):
        read_counters(wrong)
