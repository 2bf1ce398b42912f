from __future__ import annotations

import math

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from tritonkit.bench.record.counts import HIGHEST_NS, Counts
from tritonkit.bench.record.decoded import counts_of, decode_counts
from tritonkit.bench.record.summary import latency_of
from tritonkit.errors import ConfigError


@given(st.lists(st.integers(0, HIGHEST_NS) | st.integers(0, 5000), max_size=40))
@settings(max_examples=40)
def test_a_distribution_comes_back_from_its_text(values: list[int]) -> None:
    counts = Counts.of(np.array(values, dtype=np.int64))
    found = counts_of(latency_of(counts))
    assert found.buckets.tolist() == counts.buckets.tolist()
    assert found.counts.tolist() == counts.counts.tolist()
    # Microseconds of a float tell every nanosecond of a sum up to 2**53 apart, and less above.
    assert math.isclose(found.total_ns, counts.total_ns, rel_tol=1e-15)
    assert (found.min_ns, found.max_ns) == (counts.min_ns, counts.max_ns)


def test_large_counts_come_back() -> None:
    histogram = HdrHistogram(1, HIGHEST_NS, 3)
    for value, count in ((5, 1), (70_000, 2**31), (10**9, 2**40)):
        histogram.record_value(value, count)
    assert decode_counts(histogram.encode().decode()).counts.tolist() == [1, 2**31, 2**40]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("!", "is not HdrHistogram's text"),
        ("HIST", "is not HdrHistogram's text"),
        (HdrHistogram(1, HIGHEST_NS, 2).encode().decode(), "3 significant figures"),
        (HdrHistogram(1, HIGHEST_NS, 3).encode().decode()[:-8], "is not HdrHistogram's text"),
    ],
)
def test_another_text_is_refused(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        decode_counts(text)
