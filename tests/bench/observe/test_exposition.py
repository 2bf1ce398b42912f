from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.bench.observe.exposition import Gains, Scrape, label, read_scrape

TEXT = """\
# HELP nv_inference_count Number of inferences performed
# TYPE nv_inference_count counter
nv_inference_count{model="echo",version="1"} 7
nv_inference_count{model="a \\"quoted\\" } name",version="1"} 1 1700000000000
# TYPE nv_gpu_utilization gauge
nv_gpu_utilization{gpu_uuid="GPU-1"} 0.25
# TYPE nv_broken gauge
nv_broken NaN
# TYPE nv_first_response_ms histogram
nv_first_response_ms_bucket{le="100"} 3
nv_first_response_ms_bucket{le="+Inf"} 4
nv_first_response_ms_sum 210.5
nv_first_response_ms_count 4
# TYPE nv_request_summary_us summary
nv_request_summary_us{quantile="0.5"} 12
nv_request_summary_us_sum 99
nv_request_summary_us_count 4
not a sample
# TYPE nv_word counter
nv_word many
"""


def test_counters_gauges_and_the_parts_of_histograms_are_read() -> None:
    """A quantile adds up to nothing, and NaN says nothing: both are left out."""
    scrape = read_scrape(TEXT)
    assert scrape.counters == {
        'nv_inference_count{model="echo",version="1"}': 7.0,
        'nv_inference_count{model="a \\"quoted\\" } name",version="1"}': 1.0,
        'nv_first_response_ms_bucket{le="100"}': 3.0,
        'nv_first_response_ms_bucket{le="+Inf"}': 4.0,
        "nv_first_response_ms_sum": 210.5,
        "nv_first_response_ms_count": 4.0,
        "nv_request_summary_us_sum": 99.0,
        "nv_request_summary_us_count": 4.0,
    }
    assert scrape.gauges == {'nv_gpu_utilization{gpu_uuid="GPU-1"}': 0.25}


def test_it_reads_what_the_library_of_prometheus_reads() -> None:
    parser = pytest.importorskip("prometheus_client.parser")
    expected = {}
    for family in parser.text_string_to_metric_families(TEXT.partition("not a sample")[0]):
        for sample in family.samples:
            # The library ends every counter's name in _total.
            name = sample.name.removesuffix("_total")
            expected[name, tuple(sorted(sample.labels.values()))] = sample.value
    scrape = read_scrape(TEXT)
    for series, value in {**scrape.counters, **scrape.gauges}.items():
        labels = (label(series, name) for name in ("model", "version", "gpu_uuid", "le"))
        key = (series.partition("{")[0], tuple(sorted(x for x in labels if x is not None)))
        assert expected[key] == value


def test_a_label_is_read_with_its_escapes() -> None:
    series = 'a{model_version="9",model="x \\"y\\"\\n\\\\"}'
    assert label(series, "model") == 'x "y"\n\\'
    assert label(series, "version") is None
    assert label("a", "model") is None


@given(st.text(max_size=50))
def test_any_text_is_read_without_an_error(text: str) -> None:
    read_scrape(text)


# Whole numbers below 2**53 add up exactly.
@given(st.lists(st.lists(st.integers(0, 10**6), min_size=1), min_size=1), st.integers(0, 10**9))
def test_gains_add_up_over_restarts(lives: list[list[int]], start: int) -> None:
    """Each life of a server counts from zero; what it gained before it ended is kept."""
    gains = Gains()
    gains.add(Scrape({"c": float(start)}, {}))
    total = value = start
    for number, steps in enumerate(lives):
        if number:
            # A restart that shows: the counter is below what it was.
            value = min(steps[0], max(value - 1, 0))
            total += value
            gains.add(Scrape({"c": float(value)}, {}))
        for step in steps:
            value += step
            total += step
            gains.add(Scrape({"c": float(value)}, {}))
    assert gains.counters.get("c", 0.0) == total - start


def test_a_counter_that_comes_later_counts_from_zero_and_one_that_is_away_from_where_it_was() -> (
    None
):
    gains = Gains()
    for counters in ({"old": 5.0}, {"old": 6.0, "new": 2.0}, {"new": 3.0}, {"old": 9.0}):
        gains.add(Scrape(counters, {}))
    assert gains.counters == {"old": 4.0, "new": 3.0}


@given(st.lists(st.floats(-1e6, 1e6), min_size=1))
def test_gauges_have_a_mean_and_a_most(values: list[float]) -> None:
    gains = Gains()
    for value in values:
        gains.add(Scrape({}, {"g": value}))
    assert math.isclose(gains.means()["g"], math.fsum(values) / len(values), abs_tol=1e-6)
    assert gains.most()["g"] == max(values)
