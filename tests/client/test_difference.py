from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tritonkit.client.probing.difference import Difference, difference


def between(alone: object, other: object, dtype: object) -> Difference:
    return difference(
        np.array([alone], dtype=dtype), np.array([other], dtype=dtype), row=3, company=(1, 3)
    )


def test_floats_by_value() -> None:
    found = between([3.0, -4.0], [3.0, -4.5], np.float32)
    assert (found.absolute, found.relative, found.error) == (0.5, 0.125, 0.1)
    assert found.cosine == pytest.approx(0.99846, abs=1e-5)
    assert (found.row, found.company, found.differing) == (3, (1, 3), 1)


def test_equal_rows_have_no_place() -> None:
    found = between([1.0, np.nan, np.inf, -0.0], [1.0, np.nan, np.inf, 0.0], np.float32)
    assert found == Difference(absolute=0.0, relative=0.0, cosine=1.0, error=0.0)


@pytest.mark.parametrize("other", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_on_one_side_is_infinitely_far(other: float) -> None:
    assert between([1.0, 1.0], [1.0, other], np.float32).error == math.inf
    assert between([1.0, other], [1.0, 1.0], np.float32).error == math.inf


def test_labels_are_compared_exactly() -> None:
    found = between([7, 2], [8, 2], np.int64)
    assert (found.absolute, found.cosine, found.error) == (1.0, None, math.inf)
    assert between([7, 2], [7, 2], np.int64).error == 0


def test_large_integers_are_not_rounded() -> None:
    assert between([2**63 - 1], [2**63 - 2], np.int64).absolute == 1
    assert between([0], [2**64 - 1], np.uint64).error == math.inf


def test_text_has_no_distance() -> None:
    found = between([b"cat"], [b"dog"], np.object_)
    assert (found.absolute, found.relative, found.cosine) == (None, None, None)
    assert found.error == math.inf
    assert between([b"cat"], [b"cat"], np.object_).error == 0


def test_zeros_and_something() -> None:
    found = between([0.0, 0.0], [0.0, 1e-9], np.float32)
    assert found.relative == math.inf
    assert found.error == pytest.approx(1e-9)


def test_the_worse_of_two() -> None:
    near = between([1.0, 0.0], [1.0, 0.1], np.float64)
    far = difference(np.array([[1.0]]), np.array([[3.0]]), row=5, company=(5, 6))
    for both in (near | far, far | near):
        assert (both.absolute, both.error, both.row, both.company) == (2.0, 1.0, 5, (5, 6))
        assert both.cosine == near.cosine
        assert (both.rows, both.differing) == (2, 2)


values = arrays(np.float32, (4,), elements=st.floats(width=32, allow_nan=True, allow_infinity=True))


@given(values, values)
def test_any_floats_have_a_difference(alone: np.ndarray, other: np.ndarray) -> None:
    found = difference(alone, other, row=0, company=(0,))
    assert found.error >= 0
    assert found.cosine is not None
    assert -1.000001 <= found.cosine <= 1
    assert (found.error == 0) == np.array_equal(alone, other, equal_nan=True)
