"""A server's clock: what is told by it may seem older, never younger."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.client.stores.redis.clock import ServerClock

# What is left of a microsecond in a float of seconds since 1970.
ROUNDING = 2e-6
skews = st.floats(-1e9, 2e9)
trips = st.floats(0, 0.5)
shares = st.floats(0, 1)


def learned(skew: float, *, at: float, trip: float, share: float) -> ServerClock:
    """Of a server whose clock is *skew* ahead, and that was read somewhere in the trip."""
    clock = ServerClock()
    clock.learn(at + share * trip + skew, asked=at, answered=at + trip)
    return clock


@given(skew=skews, trip=trips, share=shares, other=trips, other_share=shares, age=st.floats(0, 1e6))
def test_an_age_is_never_too_low_and_too_high_by_the_trips_only(
    skew: float, trip: float, share: float, other: float, other_share: float, age: float
) -> None:
    """Whatever the skew, and wherever in the trip each of the two asked the time."""
    start = 2e6
    writer = learned(skew, at=start, trip=trip, share=share)
    reader = learned(skew, at=start, trip=other, share=other_share)
    created = start - age
    stamp = writer.stamp(created, start + trip)
    found = reader.moment(stamp, start + other)
    assert created - trip - other - ROUNDING <= found <= created + ROUNDING


@given(drift=st.floats(-4e-4, 4e-4), seconds=st.floats(0, 300))
def test_clocks_that_part_make_nothing_younger(drift: float, seconds: float) -> None:
    start = 1000.0
    writer = learned(50.0, at=start, trip=0, share=0)
    now = start + seconds
    reader = ServerClock()
    reader.learn(now + 50.0 + drift * seconds, asked=now, answered=now)
    assert reader.moment(writer.stamp(now, now), now) <= now + ROUNDING
    assert writer.moment(reader.stamp(now, now), now) <= now + ROUNDING


def test_it_is_asked_at_first_every_minute_and_when_in_doubt() -> None:
    clock = ServerClock()
    assert clock.due(0.0)
    assert not clock.known
    clock.learn(1000.0, asked=0.0, answered=0.001)
    assert not clock.due(60.0)
    assert clock.due(60.1)
    clock.doubt()
    assert clock.due(1.0)
    assert clock.known


@pytest.mark.parametrize("step", [-3600.0, -1.0, 1.0, 3600.0])
def test_a_clock_that_is_set_makes_nothing_younger(step: float) -> None:
    clock = learned(0.0, at=1000.0, trip=0.001, share=0.5)
    before = clock.stamp(1000.0, 1000.001)
    clock.learn(1100.0 + step, asked=1100.0, answered=1100.001)
    after = clock.stamp(1100.0, 1100.001)
    assert clock.moment(before, 1100.001) <= 1000.0
    assert clock.moment(after, 1100.001) <= 1100.0


def test_after_a_clock_was_set_back_ages_become_right_again() -> None:
    """Once the server's clock has passed the hour that it saw twice."""
    clock = learned(0.0, at=1000.0, trip=0.0, share=0.0)
    clock.learn(2000.0 - 600, asked=2000.0, answered=2000.0)
    inside = clock.stamp(2300.0, 2000.0)
    assert clock.moment(inside, 2000.0) == pytest.approx(1700, abs=1)
    beyond = clock.stamp(2700.0, 2000.0)
    assert clock.moment(beyond, 2000.0) == pytest.approx(2700, abs=1)
