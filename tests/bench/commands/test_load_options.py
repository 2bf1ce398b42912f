"""Loads as they are written on the command line, and those that cannot be meant."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tritonkit.bench.commands.load_options import choose
from tritonkit.bench.inputs.workload import Item, Workload
from tritonkit.bench.load.shape import MAX_IN_FLIGHT, Closed, Open
from tritonkit.bench.load.share import Share
from tritonkit.bench.schedule.arrivals import Arrivals
from tritonkit.bench.schedule.constant import Constant
from tritonkit.bench.schedule.gamma import Gamma
from tritonkit.bench.schedule.poisson import Poisson
from tritonkit.errors import ConfigError


def loads(**options: Any) -> list[object]:
    return [point.load.describe() for point in choose(**options).points]


def test_without_a_flag_it_is_one_request_at_a_time_for_ten_seconds() -> None:
    choice = choose()
    assert [point.load for point in choice.points] == [Closed(1)]
    assert (choice.plan.duration, choice.plan.max_requests) == (10.0, None)
    assert choice.describe() == "closed loop"


def test_rates_are_poisson_unless_it_is_said() -> None:
    assert loads(rates=[100, 200]) == [Open(Poisson(rate)).describe() for rate in (100, 200)]
    assert loads(rates=[100], arrivals=["constant"]) == [Open(Constant(100)).describe()]
    assert loads(rates=[100], arrivals=["gamma:0.5"]) == [Open(Gamma(100, 0.5)).describe()]
    assert choose(rates=[1]).describe() == "open loop"


def test_schedules_stand_by_themselves() -> None:
    assert loads(arrivals=["constant:5", "7"]) == [
        Open(Constant(5)).describe(),
        Open(Poisson(7)).describe(),
    ]


def test_a_count_ends_a_window_alone_unless_a_duration_is_given() -> None:
    assert choose(requests=5).plan.duration is None
    assert choose(requests=5, duration=3.0).plan.duration == 3.0


def test_percentiles_are_added_and_rows_are_those_of_every_point() -> None:
    choice = choose(concurrency=[1, 2], percentiles=[99.99, 50.0], batch_size=4)
    assert choice.plan.percentiles[-1] == 99.99
    assert [point.batch_size for point in choice.points] == [4, 4]


def test_requests_in_flight_are_bounded_by_default() -> None:
    (point,) = choose(rates=[5]).points
    assert isinstance(point.load, Open)
    assert point.load.max_in_flight == MAX_IN_FLIGHT


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"concurrency": [1], "rates": [5]}, "--concurrency .* --rate .* leave one out"),
        ({"concurrency": [1], "arrivals": ["5"]}, "--concurrency .* --arrivals"),
        ({"max_in_flight": 5}, "--max-in-flight bounds an open loop"),
        ({"rates": [5], "arrivals": ["constant", "poisson"]}, "one --arrivals"),
        ({"rates": [5], "arrivals": ["constant:7"]}, "got 'constant:7'"),
        ({"rates": [5], "arrivals": ["ramp:1-2/3s"]}, "got 'ramp:1-2/3s'"),
        ({"rates": [5], "arrivals": ["gamma"]}, "burstiness"),
        ({"concurrency": [1, 4], "processes": 2}, "2 processes .* concurrency 1 has 1"),
        ({"rates": [5], "max_in_flight": 2, "processes": 3}, "3 processes"),
        ({"batch_size": 0}, "batch size"),
        ({"percentiles": [101.0]}, "percentile"),
        ({"duration": 0.0}, "duration must be positive"),
    ],
)
def test_what_does_not_go_together_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        choose(**options)


def first(arrivals: Arrivals, until_ns: int = 3 * 10**9) -> list[int]:
    found: list[int] = []
    for chunk in arrivals.offsets(7):
        found += chunk.tolist()
        if found[-1] > until_ns:
            break
    return [at for at in found if at <= until_ns]


@pytest.mark.parametrize("how", ["poisson", "constant", "gamma:0.5"])
def test_shards_are_one_schedule_and_one_order_exactly(how: str) -> None:
    whole = choose(rates=[500], arrivals=[how])
    parts = [whole.shared(Share(number, 3)) for number in range(3)]
    loads = [part.points[0].load for part in parts]
    assert all(isinstance(load, Open) for load in loads)
    schedules = [first(load.arrivals) for load in loads if isinstance(load, Open)]
    (one,) = whole.points
    assert isinstance(one.load, Open)
    assert sorted(at for part in schedules for at in part) == first(one.load.arrivals)
    # 500 of each; 5 standard deviations of a binomial share are 5 * sqrt(1500 * 2 / 9) = 91.
    assert all(abs(len(part) - 500) < 100 for part in schedules)
    assert len({str(part.points[0].describe()) for part in parts}) == 1
    work = Workload(items=[Item(inputs={})] * 10)
    orders = [next(work.thinned(3, number).order(10, 0)).tolist() for number in range(3)]
    sent = sorted(index for order in orders for index in order)
    assert sent == sorted(next(work.order(10, 0)).tolist())
    assert all(set(order) == set(range(10)) for order in orders)


def test_shards_of_poisson_arrivals_that_start_apart_are_poisson_together() -> None:
    """
    Arrivals in 20 ms, of 500/s: the variance is the mean, 10. Every eighth of them would be
    so regular that eight shards moved against each other had a variance of some 2.
    """
    moved = []
    for number in range(8):
        load = choose(rates=[500]).shared(Share(number, 8)).points[0].load
        assert isinstance(load, Open)
        moved += [at + number * 37_000_000 for at in first(load.arrivals, 40 * 10**9)]
    inside = [at for at in moved if 10**9 < at <= 39 * 10**9]
    counts = np.bincount([at // 20_000_000 for at in inside])[50:1950]
    # The variance of 1,900 counts is off by sqrt(2 / 1900) of itself, 3.2 %.
    assert counts.var() / counts.mean() == pytest.approx(1.0, abs=0.16)


def test_a_closed_loop_is_shared_by_slots_and_only_evenly() -> None:
    (point,) = choose(concurrency=[8], requests=40).shared(Share(1, 4)).points
    assert point.load == Closed(2)
    assert choose(requests=40, concurrency=[8]).shared(Share(1, 4)).plan.max_requests == 10
    with pytest.raises(ConfigError, match="concurrency 8 cannot be shared evenly by 3"):
        choose(concurrency=[8]).shared(Share(0, 3))
    with pytest.raises(ConfigError, match="--requests 7 cannot be shared evenly"):
        choose(rates=[5], requests=7).shared(Share(0, 2))
    with pytest.raises(ConfigError, match="3 processes"):
        choose(concurrency=[4], processes=3).shared(Share(0, 2))


@pytest.mark.parametrize("text", ["8/8", "-1/8", "1", "1/", "a/b", "0/0", "1/2/3"])
def test_a_shard_is_one_of_several(text: str) -> None:
    with pytest.raises(ConfigError, match="a shard is K/N"):
        Share.parse(text)
    assert str(Share.parse("7/8")) == "7/8"
