"""Percentiles that forget."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.client.layers.delays import MEMORY, WIDTH, Delays, Latencies, size_of

SECONDS = st.floats(1e-6, 1e3)


@given(st.lists(SECONDS, min_size=1, max_size=200), st.floats(0, 100))
def test_a_percentile_is_within_a_bar(seconds: list[float], percentile: float) -> None:
    """Never below the exact value, and at most 5 % above it."""
    latencies = Latencies()
    for value in seconds:
        latencies.add(value)
    exact = float(np.percentile(seconds, percentile, method="inverted_cdf"))
    found = latencies.percentile(percentile)
    assert exact * (1 - 1e-6) <= found <= exact * WIDTH * (1 + 1e-6)


def test_what_is_long_ago_is_forgotten() -> None:
    """After a few thousand latencies of another kind nothing of the first is left."""
    latencies = Latencies()
    for _ in range(10 * MEMORY):
        latencies.add(1.0)
    for _ in range(10 * MEMORY):
        latencies.add(0.01)
    assert latencies.percentile(100) < 0.011
    assert len(latencies._bars) == 1
    assert latencies.count <= MEMORY


@given(
    seconds=st.lists(SECONDS, min_size=1, max_size=50),
    times=st.integers(0, 3),
    percentile=st.floats(0, 100),
)
def test_time_takes_weight_from_all_alike(
    seconds: list[float], times: int, percentile: float
) -> None:
    """So it changes no percentile."""
    latencies = Latencies(half_life=10.0)
    for value in seconds:
        latencies.add(value, 5.0)
    before = latencies.percentile(percentile)
    latencies.fade(5.0 + 10.0 * times + 9.0)
    assert latencies.count == len(seconds) / 2**times
    assert latencies.percentile(percentile) == before


def test_what_was_slow_once_is_tried_again() -> None:
    """Nobody adds to what is never asked; too little is known of it after a while."""
    delays = Delays(95, 20, memory=100, half_life=30.0)
    for _ in range(1000):
        delays.add(1, 9.0, 1.0)
    assert delays.after(1, 30.0) == pytest.approx(9.0, rel=0.05)
    # At most 100 are known, and after three half-lives less than 20 are left.
    assert delays.after(1, 91.0) is None
    delays.add(1, 0.3, 92.0)
    assert delays.after(1, 92.0) is None
    for _ in range(1000):
        delays.add(1, 0.3, 93.0)
    assert delays.after(1, 93.0) == pytest.approx(0.3, rel=0.05)


def test_enough_stays_enough_with_few_samples_or_many() -> None:
    """However much is halved: more samples may be asked for than are remembered."""
    delays = Delays(50, 3 * MEMORY)
    for number in range(20 * MEMORY):
        assert (delays.after(1) is None) == (number < 3 * MEMORY)
        delays.add(1, 1.0)


def test_nothing_is_known_before_enough_was_seen() -> None:
    delays = Delays(95, min_samples=3)
    for _ in range(2):
        assert delays.after(1) is None
        delays.add(1, 0.01)
    assert delays.after(1) is None
    delays.add(1, 0.01)
    assert delays.after(1) == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize("min_samples", [0, 1])
def test_one_is_enough_where_that_is_said(min_samples: int) -> None:
    delays = Delays(50, min_samples)
    assert delays.after(1) is None
    delays.add(1, 0.01)
    assert delays.after(1) is not None


def test_large_requests_are_not_late_small_ones() -> None:
    delays = Delays(95, min_samples=1)
    for _ in range(100):
        delays.add(1, 0.01)
        delays.add(32, 0.2)
    small, large = delays.after(1), delays.after(32)
    assert small is not None
    assert large is not None
    assert small < 0.011 < 0.19 < large
    assert delays.after(17) == large
    assert delays.after(16) is None


def test_the_percentile_follows() -> None:
    delays = Delays(95, min_samples=100)
    random.seed(1)
    for scale in (1.0, 10.0, 1.0):
        for _ in range(20 * MEMORY):
            delays.add(1, scale * random.expovariate(1.0))
        assert delays.after(1) == pytest.approx(scale * 3.0, rel=0.15)


@pytest.mark.parametrize(
    ("rows", "size"), [(0, 0), (1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (64, 6), (65, 7)]
)
def test_sizes_are_powers_of_two(rows: int, size: int) -> None:
    assert size_of(rows) == size
