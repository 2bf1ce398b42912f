"""Moments merge into those of the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.client.statistics.means import difference_sequence, mean_sequence
from tritonkit.client.statistics.moments import Comoments, Moments
from tritonkit.errors import ConfigError

values = st.lists(st.floats(-1e6, 1e6), max_size=40)


@given(first=values, second=values)
def test_merged_added_and_whole_are_the_same(first: list[float], second: list[float]) -> None:
    """Within rounding of the largest square."""
    whole = Moments.of([*first, *second])
    merged = Moments.of(first).merge(Moments.of(second))
    added = Moments.of(first)
    for value in second:
        added = added.add(value)
    for other in (merged, added):
        assert other.n == whole.n
        assert other.mean == pytest.approx(whole.mean, rel=1e-9, abs=1e-6)
        assert other.m2 == pytest.approx(whole.m2, rel=1e-9, abs=1e-2)


@given(pairs=st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=2))
def test_pairs_merge_too(pairs: list[tuple[float, float]]) -> None:
    x, y = np.array(pairs).T
    half = len(pairs) // 2
    whole = Comoments.of(x, y)
    merged = Comoments.of(x[:half], y[:half]).merge(Comoments.of(x[half:], y[half:]))
    added = Comoments()
    for one, other in pairs:
        added = added.add(one, other)
    expected = float(np.cov(x, y)[0, 1]) * (len(pairs) - 1)
    for found in (whole, merged, added):
        assert found.co == pytest.approx(expected, rel=1e-9, abs=1e-5)
        assert found.n == len(pairs)


def test_small_spread_far_from_zero() -> None:
    """The sum of squares would lose all of it."""
    found = Moments()
    for value in (1e9 + 1, 1e9 + 2, 1e9 + 3):
        found = found.add(value)
    assert found.variance == 1.0


@pytest.mark.parametrize("value", [0.1, 0.3, 123.456, 1e-9, 1e15 + 0.5])
def test_equal_values_have_no_spread(value: float) -> None:
    """A sum of 0.1 rounds, and two arms that never differ would be told apart by that."""
    first, second = Moments.of([value] * 1000), Moments.of([value] * 1003)
    assert (first.m2, first.merge(second).m2) == (0.0, 0.0)
    assert not difference_sequence(first, second).bounded
    assert not mean_sequence(first).bounded


def test_counts_are_values_of_zero_and_one() -> None:
    found, expected = Moments.of_counts(3, 10), Moments.of([1] * 3 + [0] * 7)
    assert found.mean == pytest.approx(expected.mean)
    assert found.m2 == pytest.approx(expected.m2)
    assert Moments.of_counts(0, 0) == Moments() == Moments.of([])


def test_correlation_is_that_of_numpy(chance: np.random.Generator) -> None:
    x, y = chance.normal(size=(2, 50))
    assert Comoments.of(x, y).correlation == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert Comoments.of([1, 1], [1, 2]).correlation == 0.0


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(ConfigError, match="finite"):
        Moments.of([1.0, float("nan")])
    with pytest.raises(ConfigError, match="as many"):
        Comoments.of([1.0], [1.0, 2.0])
