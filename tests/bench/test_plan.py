"""When windows end, and how they are divided."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.bench.load.shape import Closed, Open
from tritonkit.bench.load.share import Share
from tritonkit.bench.plan import Plan, arrivals_end
from tritonkit.bench.schedule.constant import Constant
from tritonkit.bench.schedule.recorded import Recorded
from tritonkit.bench.schedule.sharded import Sharded
from tritonkit.errors import ConfigError

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"duration": None}, "a duration or a number"),
        ({"duration": 0.0}, "duration"),
        ({"duration": np.nan}, "duration"),
        ({"warmup": -1.0}, "warmup"),
        ({"timeout": 0.0}, "timeout"),
        ({"timeout": 1e6}, "timeout"),
        ({"percentiles": (0.0,)}, "percentile"),
        ({"percentiles": (np.inf,)}, "percentile"),
        ({"max_requests": 0}, "max_requests"),
        ({"repeats": 0}, "repeats"),
        ({"processes": 0}, "processes"),
        ({"seed": -1}, "seed"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Plan(**fields)


def test_a_count_and_a_duration_end_a_window_whichever_is_first() -> None:
    load = Open(Constant(100))
    assert Plan(duration=1.0, warmup=2.0).end_ns(load, 0) == 3 * SECOND
    counted = Plan(duration=1.0, warmup=2.0, max_requests=50).end_ns(load, 0)
    assert counted == pytest.approx(2.5 * SECOND, abs=0.011 * SECOND)
    assert Plan(duration=1.0, warmup=2.0, max_requests=500).end_ns(load, 0) == 3 * SECOND
    assert Plan(duration=None, max_requests=5).end_ns(Closed(1), 0) is None


@given(
    st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=6),
    st.integers(0, 40),
    st.integers(1, 12),
)
def test_a_count_holds_as_many_arrivals(steps: list[list[int]], start: int, count: int) -> None:
    """Or all there are, of a trace that ends."""
    whole = np.cumsum([step for group in steps for step in group], dtype=np.int64)
    chunks = np.split(whole, np.cumsum([len(group) for group in steps])[:-1])
    since = [int(time) for chunk in chunks for time in chunk if time >= start]
    end = arrivals_end(iter(chunks), start, count)
    assert (end is None) == (len(since) <= count)
    if end is not None:
        held = [time for time in since if time < end]
        assert len(held) >= count
        # More than so many only where they come with the last.
        assert held[-1] == since[count - 1]
        assert end in (since[count], since[count - 1] + 1)


@pytest.mark.parametrize("count", [1, 2, 7, 1000])
def test_a_window_of_a_count_has_the_rate_of_its_schedule(count: int) -> None:
    """The gap after its last arrival is part of it; one request at 10/s takes 100 ms."""
    plan = Plan(duration=None, warmup=2.0, max_requests=count)
    assert plan.end_ns(Open(Constant(10)), 0) == 2 * SECOND + count * SECOND // 10


def test_a_trace_ends_its_window() -> None:
    """A mean gap after its last arrival, whatever answers take."""
    trace = Open(Recorded([0.0, 0.2, 0.9, 1.2]))
    assert Plan(duration=10.0, warmup=0.5).end_ns(trace, 0) == 1_600_000_000
    assert Plan(duration=1.0, warmup=0.5).end_ns(trace, 0) == 1_500_000_000
    assert Plan(duration=None, warmup=0.0, max_requests=9).end_ns(trace, 0) == 1_600_000_000
    assert Plan(duration=None, warmup=0.0, max_requests=2).end_ns(trace, 0) == 900_000_000
    repeated = Open(Recorded([0.0, 0.2, 0.9, 1.2], repeat=True))
    assert Plan(duration=10.0, warmup=0.5).end_ns(repeated, 0) == 10_500_000_000
    assert Plan(duration=10.0, warmup=0.5).end_ns(Open(Recorded([3.0])), 0) == 4 * SECOND


def test_a_share_of_a_trace_ends_with_the_trace() -> None:
    """Or its window would go on with nothing to send, and its rate be too low."""
    trace = Recorded(np.arange(100) / 50)
    plan = Plan(duration=10.0, warmup=0.5)
    for number in range(3):
        share = Open(Sharded(trace, Share(number, 3)))
        assert plan.end_ns(share, 0) == plan.end_ns(Open(trace), 0) == 2 * SECOND


def test_a_trace_that_ends_in_the_warm_up_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"end after 1s, within the warm-up of 2s.*--warmup"):
        Plan(warmup=2.0).check(Open(Recorded([0.0, 0.5])))


@given(st.floats(0.001, 4000.0), st.floats(0.0, 5.0))
def test_slices_fill_a_window(duration: float, warmup: float) -> None:
    """Between 20 and 480 of them, the last of which ends with the window or within 1 us of it."""
    plan = Plan(duration=duration, warmup=warmup)
    end_ns = plan.end_ns(Closed(1), 0)
    assert end_ns is not None
    length_ns = end_ns - round(warmup * 1e9)
    slice_ns = round(plan.slice_seconds(end_ns) * 1e9)
    slices = round(length_ns / slice_ns)
    assert 20 <= slices < 480
    assert 0 <= slices * slice_ns - length_ns < 1000


@pytest.mark.parametrize("duration", [0.6, 7.1, 9.999, 200.0, 1800.0])
def test_nothing_of_after_a_window_is_counted(duration: float) -> None:
    """Of a constant rate a request is due at the very end of a window: it is no part of it."""
    plan = Plan(duration=duration, warmup=1.0)
    end_ns = plan.end_ns(Closed(1), 0)
    assert end_ns is not None
    assert (end_ns - 10**9) % round(plan.slice_seconds(end_ns) * 1e9) == 0


def test_each_repeat_has_a_seed_of_its_own() -> None:
    plan = Plan(seed=7, repeats=3)
    assert [plan.seed_of(number) for number in range(3)] == [7, 8, 9]
    assert plan.seconds == 36.0
    assert plan.describe()["seed"] == 7
