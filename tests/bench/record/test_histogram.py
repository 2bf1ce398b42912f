from __future__ import annotations

import math

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.bench.record.histogram import HIGHEST_NS, SIGNIFICANT_FIGURES, Histogram
from tritonkit.errors import ConfigError

LATENCIES = st.lists(st.integers(0, HIGHEST_NS), min_size=1, max_size=300)
PERCENTILES = [0.1, 50.0, 90.0, 95.0, 99.0, 99.9, 100.0]


@given(LATENCIES)
def test_percentiles_are_within_a_thousandth_of_the_exact_ones(values: list[int]) -> None:
    histogram = Histogram()
    histogram.record(values)
    exact = np.sort(values)
    for percentile, found in histogram.percentiles_ns(PERCENTILES).items():
        # HdrHistogram's rank: the nearest, at least the first.
        rank = max(1, int(percentile * len(values) / 100 + 0.5))
        assert exact[rank - 1] <= found <= exact[rank - 1] * 1.001 + 1


def test_percentiles_of_many_values_are_those_of_numpy() -> None:
    values = np.random.default_rng(1).lognormal(13, 1, 200_000).astype(np.int64)
    histogram = Histogram()
    histogram.record(values)
    for percentile, found in histogram.percentiles_ns(PERCENTILES[1:]).items():
        assert found == pytest.approx(np.percentile(values, percentile), rel=0.005)


@given(LATENCIES)
def test_recording_at_once_counts_like_recording_one_by_one(values: list[int]) -> None:
    reference = HdrHistogram(1, HIGHEST_NS, SIGNIFICANT_FIGURES)
    for value in values:
        assert reference.record_value(value)
    histogram = Histogram()
    histogram.record(values)
    decoded = HdrHistogram.decode(histogram.encode())
    for value in values:
        assert decoded.get_count_at_value(value) == reference.get_count_at_value(value)
    assert decoded.get_total_count() == len(values)


@given(LATENCIES, LATENCIES)
def test_extremes_and_mean_stay_exact_over_records(first: list[int], more: list[int]) -> None:
    histogram = Histogram()
    histogram.record(first)
    histogram.record(more)
    values = first + more
    assert (histogram.count, histogram.min_ns) == (len(values), min(values))
    assert histogram.max_ns == max(values)
    assert histogram.mean_ns == sum(values) / len(values)


@pytest.mark.parametrize("value", [-1, HIGHEST_NS + 1])
def test_out_of_range_is_refused_and_leaves_the_rest_out(value: int) -> None:
    histogram = Histogram()
    with pytest.raises(ConfigError, match=str(value)):
        histogram.record([5, value])
    assert histogram.count == 0


def test_an_empty_histogram_has_no_figures() -> None:
    histogram = Histogram()
    histogram.record([])
    assert math.isnan(histogram.mean_ns)
    assert math.isnan(histogram.percentiles_ns([50.0])[50.0])
