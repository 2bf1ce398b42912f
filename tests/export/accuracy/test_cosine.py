from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tritonkit.export.accuracy.cosine import cosine, row_cosines
from tritonkit.export.accuracy.outputs import output_differences, share_equal

NUMBERS = st.floats(allow_nan=True, allow_infinity=True, width=64)


@settings(deadline=None)
@given(arrays(np.float64, (4, 3), elements=NUMBERS))
@example(np.full((4, 3), 1.5e307))
def test_an_answer_is_its_own_direction(rows: np.ndarray) -> None:  # type: ignore[type-arg]
    """However large, small or not finite."""
    (difference,) = output_differences({"y": list(rows)}, {"y": list(rows)}).values()
    np.testing.assert_allclose(row_cosines(list(rows), list(rows)), 1.0)
    assert difference.not_finite == 0
    assert difference.max_difference == difference.mean_difference == 0.0
    assert difference.cosine_min == pytest.approx(1.0)


def test_golden_cosines() -> None:
    one = np.array([[3.0, 4.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0], [1e300, 0.0]])
    other = np.array([[4.0, 3.0], [-2.0, 0.0], [0.0, 0.0], [1.0, 0.0], [1e300, 1e300]])
    np.testing.assert_allclose(cosine(one, other), [0.96, -1.0, 1.0, 0.0, np.sqrt(0.5)])


def test_single_numbers_have_the_direction_of_all() -> None:
    """A value near 0 has a sign by chance."""
    right, given = ([np.array([x]) for x in values] for values in ([3.0, 1e-9], [3.0, -1e-9]))
    np.testing.assert_allclose(row_cosines(right, given), 1.0)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 1.0])
def test_what_is_not_finite_in_one_is_counted_and_nothing_becomes_nan(wrong: float) -> None:
    right = [np.array([1.0, np.nan if wrong != wrong or wrong == 1.0 else -wrong]), np.ones(2)]
    given = [np.array([1.0, 1.0 if wrong != wrong else wrong]), np.ones(2)]
    (difference,) = output_differences({"y": right}, {"y": given}).values()
    assert difference.not_finite == 1
    assert difference.cosine_min == -1.0
    assert difference.cosine_mean == pytest.approx(0.0, abs=1e-12)
    assert difference.max_difference == 0.0


def test_golden_differences() -> None:
    right = {"y": [np.array([1.0, 2.0]), np.array([3.0, np.inf])], "label": [np.array("a")] * 2}
    given = {"y": [np.array([1.5, 2.0]), np.array([2.0, np.inf])], "label": [np.array("a")] * 2}
    differences = output_differences(right, given)
    assert list(differences) == ["y"]
    assert differences["y"].max_difference == 1.0
    assert differences["y"].mean_difference == 0.5
    assert share_equal(right["label"], given["label"]) == 1.0
