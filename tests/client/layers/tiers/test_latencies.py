"""Percentiles of recent calls."""

from __future__ import annotations

import pytest

from tritonkit.client.layers.tiers.latencies import MAX_KINDS, Latencies


def test_too_few_tell_nothing() -> None:
    latencies = Latencies(least=3)
    latencies.record("a", 1.0)
    latencies.record("a", 1.0)
    assert latencies.percentile("a", 0.95) is None
    latencies.record("a", 2.0)
    assert latencies.percentile("a", 0.95) == 2.0
    assert latencies.percentile("b", 0.95) is None


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1), (0.5, 50), (0.95, 95), (1.0, 100)])
def test_percentiles(share: float, expected: int) -> None:
    latencies = Latencies()
    for seconds in range(100, 0, -1):
        latencies.record("a", seconds)
    assert latencies.percentile("a", share) == expected


def test_what_was_slow_once_is_forgotten() -> None:
    now = 0.0
    latencies = Latencies(least=0, window=60.0, clock=lambda: now)
    latencies.record("a", 9.0)
    now = 59.0
    latencies.record("a", 1.0)
    assert latencies.percentile("a", 1.0) == 9.0
    now = 61.0
    assert latencies.percentile("a", 1.0) == 1.0
    now = 200.0
    assert latencies.percentile("a", 1.0) is None


def test_a_limited_number_of_kinds() -> None:
    latencies = Latencies(least=1)
    for kind in range(MAX_KINDS + 1):
        latencies.record(kind, 1.0)
    assert latencies.percentile(0, 1.0) is None
    assert latencies.percentile(1, 1.0) == latencies.percentile(MAX_KINDS, 1.0) == 1.0
