"""Texts put together by their length."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tritonkit.client import InferRequest
from tritonkit.client.layers.coalesce.lengths import parts_by_length, text_length


@pytest.mark.parametrize(
    ("array", "length"),
    [
        (np.array([["a"], ["long"]], dtype=np.object_), 4),
        (np.array([[b"bytes"]]), 5),
        (np.array([["four"]]), 4),
        (np.array([[1, "a"]], dtype=np.object_), 1),
        (np.zeros((1, 9)), 0),
    ],
)
def test_the_longest_text_counts(array: NDArray[np.object_], length: int) -> None:
    assert text_length(InferRequest(model="m", inputs={"x": array})) == length


def test_one_length_is_one_part() -> None:
    assert parts_by_length([5, 5, 5], [1, 1, 1], 1) == [[0, 1, 2]]


@given(
    calls=st.lists(st.tuples(st.integers(0, 50), st.integers(1, 6)), min_size=1, max_size=30),
    part_rows=st.integers(1, 8),
)
def test_each_call_is_in_one_part_and_none_is_longer_than_one_of_the_next(
    calls: list[tuple[int, int]], part_rows: int
) -> None:
    lengths, rows = [length for length, _ in calls], [row for _, row in calls]
    parts = parts_by_length(lengths, rows, part_rows)
    assert sorted(position for part in parts for position in part) == list(range(len(calls)))
    for shorter, longer in itertools.pairwise(parts):
        assert max(lengths[n] for n in shorter) <= min(lengths[n] for n in longer)
    if len(set(lengths)) > 1:
        assert all(len(part) == 1 or sum(rows[n] for n in part) <= part_rows for part in parts)
