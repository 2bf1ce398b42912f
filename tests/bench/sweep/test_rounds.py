from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tritonkit.bench.load.shape import Closed
from tritonkit.bench.measurement import Failure, Point
from tritonkit.bench.record.counts import Counts
from tritonkit.bench.record.summary import latency_of
from tritonkit.bench.sweep.front import pareto_front
from tritonkit.bench.sweep.remaining import Remaining
from tritonkit.bench.sweep.rounds import merged_rounds

POINT = Point(load=Closed(1))


def test_rounds_add_up(make):
    """All latencies in one distribution: within the 0.1 % of its buckets; the mean is exact."""
    rng = np.random.default_rng(0)
    parts = [rng.integers(10**5, 10**7, size=n) for n in (1000, 3000)]
    rounds = []
    for number, part in enumerate(parts):
        latency = latency_of(Counts.of(part))
        failures = (Failure(kind="InferenceFailed", count=1 + number, first=str(number)),)
        rounds.append(
            dataclasses.replace(
                make(POINT), latency=latency, service_time=latency, failures=failures
            )
        )

    merged = merged_rounds(rounds)

    whole = np.concatenate(parts)
    assert merged.requests == 4000
    assert merged.seconds == 2.0
    assert merged.requests_per_second == 2000
    assert merged.repeats == 2
    assert merged.failures == (Failure(kind="InferenceFailed", count=3, first="0"),)
    assert merged.latency.mean_us == pytest.approx(whole.mean() / 1e3, rel=1e-9)
    assert merged.latency.max_us == whole.max() / 1e3
    exact = np.percentile(whole, 99, method="inverted_cdf") / 1e3
    assert merged.latency.percentiles_us[99.0] == pytest.approx(exact, rel=2e-3)
    assert merged_rounds(rounds[:1]) is rounds[0]


def test_a_round_without_answers_changes_no_latency(make):
    rounds = []
    for values in ([], [10**6]):
        latency = latency_of(Counts.of(np.array(values, dtype=np.int64)))
        rounds.append(dataclasses.replace(make(POINT), latency=latency, service_time=latency))

    assert merged_rounds(rounds).latency.mean_us == 1000.0


def test_the_front_has_what_nothing_beats_in_both(make):
    """Points that failed are on no front, however fast."""
    figures = [(100, 1.0), (200, 2.0), (150, 3.0), (200, 2.5), (300, 9.0)]
    points = [make(POINT, rate=rate, p99_ms=p99) for rate, p99 in figures]
    broken = make(POINT, rate=999, p99_ms=0.1, failed="InferenceFailed")

    assert pareto_front([*points, broken]) == [0, 1, 4]
    assert pareto_front([]) == []


def test_the_time_left_is_that_of_what_was_measured():
    """Guesses until there is a figure; points from a journal take no time and tell none."""
    remaining = Remaining(10, 5, per_point=12.0, per_reload=2.0)
    assert remaining.seconds == 10 * 12 + 5 * 2
    remaining.count()
    assert remaining.seconds == pytest.approx(9 * 12 + 4.5 * 2)
    remaining.count(seconds=4.0, reloaded=1.0)
    assert remaining.seconds == pytest.approx(8 * 4 + 4 * 1)
    assert str(remaining) == "[2/10, 36s left]"
    for _ in range(8):
        remaining.count(seconds=4.0)
    assert str(remaining) == "[10/10]"
