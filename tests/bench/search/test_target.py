from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.bench.search.landscape import measured

from tritonkit.bench.load.shape import Closed
from tritonkit.bench.measurement import Band, Point
from tritonkit.bench.record.histogram import Histogram
from tritonkit.bench.search.objective import Objective
from tritonkit.bench.search.target import Target, Verdict, parse_target
from tritonkit.errors import ConfigError

POINT = Point(load=Closed(4))


def at(p99: float, **others: int) -> object:
    return measured(POINT, rate=1000.0, percentiles={50.0: p99 / 2, 99.0: p99}, **others)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("p99 < 50ms", "p99 < 50ms"),
        ("P95<=20ms and error_rate < 1%", "p95 <= 20ms and error_rate < 1%"),
        ("p99.9 < 0.5s AND mean <= 700us", "p99.9 < 500ms and mean <= 700us"),
        ("error_rate <= 0%", "error_rate <= 0%"),
    ],
)
def test_a_target_is_read(text: str, shown: str) -> None:
    assert shown == str(parse_target(text))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("p99 50ms", "p99 50ms"),
        ("p99 > 50ms", "p99 > 50ms"),
        ("p99 < 50", "needs a unit"),
        ("speed < 50ms", "speed"),
        ("p101 < 50ms", "p101"),
        ("error_rate < 3ms", "3ms"),
        ("p99 < 1ms and p99 < 2ms", "twice"),
        ("p99 < 0ms", "write <= 0"),
        ("", "such as"),
    ],
)
def test_a_wrong_target_is_refused_with_what_is_wrong(text: str, part: str) -> None:
    with pytest.raises(ConfigError, match=part):
        parse_target(text)


def test_a_percentile_limits_the_failures_too() -> None:
    """Of a request that failed one cannot say that it took less than 50 ms."""
    target = parse_target("p99 < 50ms")
    assert target.holds(at(0.04, failed=30))
    assert not target.holds(at(0.04, failed=100))
    assert not target.holds(at(0.04, dropped=100))
    assert list(target.broken(at(0.04, failed=100))) == [
        "error_rate is 1.96%, not error_rate <= 1%"
    ]


def test_a_limit_that_is_met_is_kept_only_where_it_may_be_met() -> None:
    assert not parse_target("p99 < 50ms").holds(at(0.05))
    assert parse_target("p99 <= 50ms").holds(at(0.05))


def test_nothing_answered_keeps_no_target() -> None:
    nothing = measured(POINT, rate=0.0, percentiles={}, failed=3)
    assert not Target().holds(nothing)
    assert Verdict.SURELY_NOT is parse_target("p99 < 50ms").verdict(nothing)


@given(st.floats(0.03, 0.08), st.floats(1.001, 1.5))
def test_a_verdict_follows_the_interval(p99: float, wide: float) -> None:
    """An interval of 95 % that ends below the limit is sure; one around it is not."""
    band = Band(p99 / wide * 1e6, p99 * wide * 1e6)
    measurement = replace(at(p99), bands={"p99": band})
    verdict = parse_target("p99 < 50ms").verdict(measurement)
    if band.high < 0.05e6 * 0.999:
        assert Verdict.SURELY is verdict
    elif band.low > 0.05e6 * 1.001:
        assert Verdict.SURELY_NOT is verdict
    elif band.low < 0.0499e6 and band.high > 0.0501e6:
        assert verdict in (Verdict.PROBABLY, Verdict.PROBABLY_NOT)


def test_goodput_counts_what_came_in_time() -> None:
    """
    Of 500 requests 300 in 10 ms and 200 in 51 ms, by the histogram and not between percentiles.

    A line from the median at 10 ms to p75 at 51 ms would have 74 % of them within 50 ms.
    """
    histogram = Histogram()
    histogram.record([10_000_000] * 300 + [51_000_000] * 200)
    run = measured(POINT, rate=100.0, percentiles={50.0: 0.01, 75.0: 0.051}, seconds=5.0)
    run = replace(run, latency=replace(run.latency, histogram=histogram.encode()))
    objective = Objective(target=parse_target("p99 < 50ms"), goal="goodput")
    assert math.isclose(60.0, objective.value(run))


@pytest.mark.parametrize("price", [None, 0.36])
def test_cost_is_that_of_the_cores_that_are_kept(price: float | None) -> None:
    """Two instances of two threads at 100/s: 40 ms of a core each, or a price a second."""
    point = Point(load=Closed(4), settings={"instances": "2", "threads": "2"})
    measurement = measured(point, rate=100.0, percentiles={99.0: 0.1})
    objective = Objective(goal="cost", price_per_hour=price)
    expected = 0.04 if price is None else 0.04 * 0.36 / 3600
    assert math.isclose(expected, objective.value(measurement))


def test_goodput_needs_a_latency() -> None:
    with pytest.raises(ConfigError, match="names none"):
        Objective(target=parse_target("error_rate < 1%"), goal="goodput")
