"""The histogram of latencies against the sorted latencies themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.client.statistics.latency import ACCURACY, LEAST_NS, MOST_NS, LatencySketch
from tritonkit.errors import ConfigError

SHARES = (0.0, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0)
latencies = st.lists(st.integers(0, 2 * MOST_NS), max_size=200)


def sketch(values: list[int]) -> LatencySketch:
    made = LatencySketch()
    for value in values:
        made.record(value)
    return made


def test_percentiles_of_many() -> None:
    """Each is within the stated error of the latency that has the rank, whatever the tail."""
    rng = np.random.default_rng(1)
    for values in (rng.lognormal(math.log(2e6), 1.5, 200_000), rng.pareto(1.1, 200_000) * 1e5):
        exact = np.sort(np.minimum(values, MOST_NS).astype(np.int64))
        made = sketch(exact.tolist())
        for share, found in zip(SHARES, made.quantiles(SHARES), strict=True):
            want = exact[math.floor(share * (len(exact) - 1))]
            assert abs(found * 1e9 - want) <= max(LEAST_NS, ACCURACY * want * (1 + 1e-9))


@given(latencies.filter(bool))
def test_percentiles(values: list[int]) -> None:
    exact = sorted(values)
    found = sketch(values).quantiles(SHARES)
    for share, seconds in zip(SHARES, found, strict=True):
        want = exact[math.floor(share * (len(exact) - 1))]
        if want > MOST_NS:
            # Of what is beyond the last bucket only the largest is known.
            assert seconds == exact[-1] / 1e9
        else:
            assert abs(seconds * 1e9 - want) <= max(LEAST_NS, ACCURACY * want * (1 + 1e-9))


@given(latencies, latencies)
def test_merging_is_counting_both(one: list[int], other: list[int]) -> None:
    merged = sketch(one)
    merged.merge(sketch(other))
    assert merged == sketch(one + other)
    assert merged == sketch(other + one)


@given(latencies)
def test_to_another_process(values: list[int]) -> None:
    made = sketch(values)
    assert LatencySketch.from_bytes(made.to_bytes()) == made
    assert made.copy() == made


@given(st.binary(max_size=100))
def test_what_is_no_sketch(data: bytes) -> None:
    with pytest.raises(ConfigError):
        LatencySketch.from_bytes(data)
    with pytest.raises(ConfigError):
        LatencySketch.from_bytes(sketch([5]).to_bytes()[:45] + data)


def test_up_to_a_bound() -> None:
    """Counts grow with the bound, and are those of a bound that is at most 2 % off."""
    values = np.random.default_rng(2).lognormal(math.log(5e6), 1, 20_000).astype(np.int64)
    made = sketch(values.tolist())
    bounds = [0.0, 1e-5, 1e-3, 5e-3, 0.1, 1e5]
    counts = made.up_to(bounds)
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, len(values))
    for bound, count in zip(bounds, counts, strict=True):
        low, high = bound * 1e9 / (1 + 2 * ACCURACY), bound * 1e9 * (1 + 2 * ACCURACY)
        assert np.count_nonzero(values <= low) <= count <= np.count_nonzero(values <= high)


def test_nothing_and_what_is_out_of_range() -> None:
    assert all(map(math.isnan, LatencySketch().quantiles([0.5])))
    with pytest.raises(ConfigError, match="0 to 1"):
        LatencySketch().quantiles([1.5])
    backwards = sketch([-5])
    assert (backwards.sum_ns, backwards.least_ns, backwards.count) == (0, 0, 1)
