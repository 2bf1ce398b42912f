"""Loads as they are written on the command line, and those that cannot be meant."""

from __future__ import annotations

from typing import Any

import pytest

from tritonkit.bench.commands.load_options import choose
from tritonkit.bench.load.shape import MAX_IN_FLIGHT, Closed, Open
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
