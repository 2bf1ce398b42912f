"""Against SciPy and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tritonkit.export.accuracy.rank import area_under_curve, average_ranks, spearman

# Few values, so that there are ties.
VALUES = st.lists(st.sampled_from([-2.0, 0.0, 0.25, 1.0, 3.5, 1e6]), min_size=2, max_size=30)


@settings(max_examples=50, deadline=None)
@given(VALUES)
def test_ranks_are_scipys(values: list[float]) -> None:
    np.testing.assert_array_equal(average_ranks(np.array(values)), scipy.stats.rankdata(values))


@settings(max_examples=50, deadline=None)
@given(VALUES, st.randoms(use_true_random=False))
def test_spearman_is_scipys(values: list[float], random: np.random.Generator) -> None:
    others = list(values)
    random.shuffle(others)
    assume(len(set(values)) > 1)
    expected = scipy.stats.spearmanr(values, others).statistic
    assert spearman(np.array(values), np.array(others)) == pytest.approx(expected)


def test_spearman_of_equal_values_is_defined() -> None:
    flat, slope = np.zeros(3), np.arange(3.0)
    assert spearman(flat, flat) == 1.0
    assert spearman(flat, slope) == spearman(slope, flat) == 0.0


@settings(max_examples=50, deadline=None)
@given(VALUES, st.data())
def test_the_area_is_scikit_learns(values: list[float], data: st.DataObject) -> None:
    size = len(values)
    positive = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    assume(0 < positive.sum() < size)
    expected = sklearn.metrics.roc_auc_score(positive, values)
    assert area_under_curve(positive, np.array(values)) == pytest.approx(expected)
