"""Traffic: pure, seeded, steered."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tritonkit.errors import ConfigError
from tritonkit.gateway.demo import reference
from tritonkit.gateway.demo.texts import corpus, questions
from tritonkit.gateway.demo.traffic import BURST_SECONDS, Asked, Flow, Traffic

FLOW = Flow(rate=100.0, batch=0.0)


def drawn(traffic: Traffic, start: float, end: float, step: float = 0.25) -> list[Asked]:
    """Everything due from *start* to *end*, looked at every *step*."""
    found = []
    for number in range(1, round((end - start) / step) + 1):
        found += list(traffic.until(start + number * step))
    return found


@given(
    steps=st.lists(st.floats(0.001, 1.0), min_size=1, max_size=40),
    rate=st.floats(0, 500),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=30, deadline=None)
def test_what_is_due_does_not_depend_on_when_one_looks(
    steps: list[float], rate: float, seed: int
) -> None:
    """The same requests, in order and within the time, whether asked for at once or often."""
    flow = replace(FLOW, rate=rate)
    often, rarely = (Traffic(flow, 10, seed=seed, now=5.0) for _ in range(2))
    end = 5.0 + min(1.0, sum(steps))
    now, one = 5.0, []
    for step in steps:
        now = min(end, now + step)
        one += list(often.until(now))
    one += list(often.until(end))
    other = list(rarely.until(end))

    assert [(asked.ranks, asked.user) for asked in one] == [(it.ranks, it.user) for it in other]
    assert [asked.at for asked in one] == pytest.approx([asked.at for asked in other], abs=1e-6)
    assert [asked.at for asked in one] == sorted(asked.at for asked in one)
    assert all(5.0 <= asked.at <= end for asked in one)


def test_as_many_come_as_the_rate_says() -> None:
    """Within five standard deviations of a Poisson distribution, over 100 seconds."""
    count = len(drawn(Traffic(FLOW, 10), 0.0, 100.0))

    assert abs(count - 10_000) < 5 * sqrt(10_000)


def test_a_burst_multiplies_the_rate_and_ends() -> None:
    """Five times as many while it lasts, then as before."""
    traffic = Traffic(replace(FLOW, rate=400.0, burst=5.0), 10)
    traffic.burst(0.0)
    during = len(drawn(traffic, 0.0, BURST_SECONDS))
    after = len(drawn(traffic, BURST_SECONDS, 2 * BURST_SECONDS))

    assert abs(during - 10_000) < 5 * sqrt(10_000)
    assert abs(after - 2_000) < 5 * sqrt(2_000)
    assert not traffic.bursting(BURST_SECONDS)


def test_steering_the_rate_changes_nothing_of_what_is_asked() -> None:
    """The n-th request asks the same at any rate."""
    slow, steered = Traffic(FLOW, 100, seed=3), Traffic(FLOW, 100, seed=3)
    one = [asked.ranks for asked in drawn(slow, 0.0, 20.0)]
    other = [asked.ranks for asked in drawn(steered, 0.0, 2.0)]
    steered.steer(replace(FLOW, rate=1_000.0))
    other += [asked.ranks for asked in drawn(steered, 2.0, 3.0)]
    least = min(len(one), len(other))

    assert least > 500
    assert one[:least] == other[:least]


def test_without_a_rate_nothing_comes_and_later_it_goes_on() -> None:
    """A rate of 0 is legal, and no time that was silent is made up for."""
    traffic = Traffic(replace(FLOW, rate=0.0), 10)

    assert drawn(traffic, 0.0, 10.0) == []
    traffic.steer(FLOW)
    found = drawn(traffic, 10.0, 20.0)
    assert abs(len(found) - 1_000) < 5 * sqrt(1_000)
    assert found[0].at > 10.0


def test_a_reference_is_drawn_whatever_the_rate() -> None:
    """As many texts as are asked for, the same at any rate; without one it ends as well."""
    silent, slow = (reference.drawn(replace(FLOW, rate=rate), 10, 300) for rate in (0.0, 7.0))

    assert silent == slow
    assert len(silent) == 300


def test_a_long_pause_is_not_made_up_for() -> None:
    """Of an hour only its last second comes."""
    found = list(Traffic(FLOW, 10).until(3_600.0))

    assert 0 < len(found) < 200
    assert all(3_599.0 <= asked.at <= 3_600.0 for asked in found)


def test_popularity_follows_the_skew() -> None:
    """By Zipf's law the first of 10 texts has 1/2.93 of the requests; of skew 0 a tenth."""
    by_law = Counter(asked.ranks[0] for asked in drawn(Traffic(FLOW, 10), 0.0, 100.0))
    alike = Counter(
        asked.ranks[0] for asked in drawn(Traffic(replace(FLOW, skew=0.0), 10), 0.0, 100.0)
    )

    assert by_law[0] / by_law.total() == pytest.approx(1 / 2.929, abs=0.025)
    assert alike[0] / alike.total() == pytest.approx(0.1, abs=0.016)
    assert set(by_law) == set(alike) == set(range(10))


def test_some_requests_carry_many_texts() -> None:
    """Their share, and their size."""
    flow = replace(FLOW, batch=0.5, rows=7, users=3)
    found = drawn(Traffic(flow, 10), 0.0, 100.0)
    sizes = Counter(len(asked.ranks) for asked in found)

    assert set(sizes) == {1, 7}
    assert sizes[7] / len(found) == pytest.approx(0.5, abs=0.03)
    assert {asked.user for asked in found} == {0, 1, 2}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rate", -1),
        ("rate", float("nan")),
        ("skew", 6),
        ("batch", 1.5),
        ("burst", 0.5),
        ("rows", 0),
        ("users", 0),
    ],
)
def test_what_no_traffic_can_be_is_refused(name: str, value: float) -> None:
    """With the value in the message."""
    with pytest.raises(ConfigError, match=f"{name} must be .*{value}"):
        Flow(**{name: value})


def test_there_is_much_to_ask() -> None:
    """
    Texts are different, the sentences themselves are the most popular, and both kinds are
    apart and equally many.
    """
    usual, shifted = questions(), questions(shifted=True)

    assert usual[: len(corpus())] == corpus()
    assert len(usual) == len(shifted) == len({*usual, *shifted}) / 2
    assert len(usual) > 1_000
