"""Distances between histograms, against scipy and values worked out by hand."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance as scipy_wasserstein

from tritonkit.client.drift.measures import (
    jensen_shannon_distance,
    population_stability_index,
    wasserstein_distance,
)
from tritonkit.errors import ConfigError

COUNTS = st.lists(st.integers(0, 50), min_size=5, max_size=5).filter(any)


def shares(counts: list[int]) -> np.ndarray:
    return np.array(counts, dtype=float) / sum(counts)


@given(COUNTS, COUNTS)
def test_jensen_shannon_is_scipys(one: list[int], other: list[int]) -> None:
    p, q = shares(one), shares(other)
    expected = jensenshannon(p, q, base=2)
    assert jensen_shannon_distance(p, q) == pytest.approx(np.nan_to_num(expected), abs=1e-6)


@given(COUNTS, COUNTS, st.lists(st.floats(0.01, 9), min_size=5, max_size=5))
def test_wasserstein_is_scipys(one: list[int], other: list[int], gaps: list[float]) -> None:
    p, q, positions = shares(one), shares(other), np.cumsum(gaps)
    expected = scipy_wasserstein(positions, positions, p, q)
    assert wasserstein_distance(p, q, positions) == pytest.approx(expected, abs=1e-9)


@given(COUNTS, COUNTS, COUNTS)
def test_what_decides_is_a_metric(a: list[int], b: list[int], c: list[int]) -> None:
    """So that noise and threshold may be added."""
    p, q, r = map(shares, (a, b, c))
    positions = np.arange(5.0)
    for distance in (
        jensen_shannon_distance,
        lambda x, y: wasserstein_distance(x, y, positions),
    ):
        assert distance(p, r) <= distance(p, q) + distance(q, r) + 1e-7
        assert distance(p, q) == pytest.approx(distance(q, p))


def test_population_stability_index() -> None:
    p, q = np.array([0.5, 0.5]), np.array([0.25, 0.75])
    expected = -0.25 * log(0.5) + 0.25 * log(1.5)
    assert population_stability_index(p, q) == pytest.approx(expected)
    assert population_stability_index(p, p) == 0
    assert np.isfinite(population_stability_index(np.array([1.0, 0.0]), np.array([0.0, 1.0])))


def test_many_windows_at_a_time() -> None:
    p, many = np.array([0.5, 0.5]), np.array([[0.5, 0.5], [1.0, 0.0]])
    assert wasserstein_distance(p, many, np.array([0.0, 2.0])).tolist() == [0.0, 1.0]
    assert jensen_shannon_distance(p, many).shape == (2,)


def test_other_bins_are_refused() -> None:
    with pytest.raises(ConfigError, match="2 and 3"):
        jensen_shannon_distance(np.ones(2) / 2, np.ones(3) / 3)
