"""A bucket never lets through more than it says, and never waits for longer than it must."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.errors import ConfigError
from tritonkit.gateway.tenants.bucket import Bucket

CALLS = st.lists(st.tuples(st.floats(0, 2), st.integers(0, 6)), max_size=40)


@given(rate=st.floats(0.1, 50), burst=st.integers(1, 8), calls=CALLS)
def test_in_any_window_no_more_than_the_burst_and_the_rate(
    rate: float, burst: int, calls: list[tuple[float, int]]
) -> None:
    bucket, full_at, now = Bucket(rate, burst), 0.0, 1000.0
    granted: list[tuple[float, int]] = []
    for pause, tokens in calls:
        now += pause
        before = full_at
        full_at, wait = bucket.take(full_at, now, tokens)
        if wait == 0:
            granted.append((now, tokens))
        else:
            assert full_at == before
    for number, (start, _) in enumerate(granted):
        total = 0
        for at, tokens in granted[number:]:
            total += tokens
            # A grant may be early by what the bucket forgives, once each.
            assert total <= burst + rate * (at - start) + 1e-4


@given(rate=st.floats(0.1, 50), burst=st.integers(1, 8), calls=CALLS)
def test_who_waits_as_long_as_told_is_let_in(
    rate: float, burst: int, calls: list[tuple[float, int]]
) -> None:
    bucket, full_at, now = Bucket(rate, burst), 0.0, 1000.0
    for pause, tokens in calls:
        now += pause
        full_at, wait = bucket.take(full_at, now, tokens)
        if math.isinf(wait):
            assert tokens > burst
        elif wait:
            now += wait
            full_at, wait = bucket.take(full_at, now, tokens)
            assert wait == 0


def test_without_a_rate_the_burst_is_there_once() -> None:
    bucket, full_at = Bucket(0, 3), 0.0
    full_at, wait = bucket.take(full_at, 10.0, 2)
    assert wait == 0
    full_at, wait = bucket.take(full_at, 1e6, 2)
    assert wait == math.inf
    full_at, wait = bucket.take(full_at, 1e6, 1)
    assert wait == 0
    assert Bucket(5, 0).take(0.0, 10.0, 1)[1] == math.inf


@pytest.mark.parametrize(("rate", "burst"), [(-1, 1), (math.nan, 1), (1, math.inf), (1, -2)])
def test_what_is_no_rate_is_refused(rate: float, burst: float) -> None:
    with pytest.raises(ConfigError, match="must be finite and not negative"):
        Bucket(rate, burst)
