"""Numbers of embeddings: exact where they are written, right where they are compared."""

from __future__ import annotations

import base64
import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tritonkit.gateway.api.vectors import base64_of, cosines, decimals, nearest, unit

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
VECTORS = arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 5)), elements=FLOATS)


@given(VECTORS)
def test_what_is_written_is_the_same_number(vectors: np.ndarray) -> None:
    text = json.dumps(decimals(vectors))
    back = np.array(json.loads(text), dtype=np.float32)
    assert back.tobytes() == vectors.tobytes()
    packed = [np.frombuffer(base64.b64decode(each), "<f4") for each in base64_of(vectors)]
    assert np.array(packed).tobytes() == vectors.tobytes()


def test_usual_numbers_have_nine_digits_at_most() -> None:
    values = np.random.default_rng(1).normal(size=(50, 384)).astype(np.float32) / 20
    longest = max(len(repr(each).lstrip("-0.").replace(".", "")) for row in decimals(values)
                  for each in row if "e" not in repr(each))  # fmt: skip
    assert longest <= 9


@given(VECTORS)
def test_units_have_length_one_and_zeros_stay(vectors: np.ndarray) -> None:
    lengths = np.linalg.norm(unit(vectors).astype(np.float64), axis=1)
    zero = ~vectors.any(axis=1)
    assert np.all(lengths[zero] == 0)
    # Of d components, each rounded by 2**-24 of itself at most.
    assert np.all(np.abs(lengths[~zero] - 1) <= 1e-6)


@given(VECTORS)
def test_cosines_are_within_bounds_and_of_equal_ones_one(vectors: np.ndarray) -> None:
    same = cosines(vectors, vectors)
    zero = ~vectors.any(axis=1)
    assert np.all(same[zero] == 0)
    assert np.all(np.abs(same[~zero] - 1) <= 1e-6)
    assert np.all(np.abs(cosines(vectors[:1], vectors)) <= 1)


def test_the_nearest_comes_first_and_of_equal_ones_the_first() -> None:
    documents = unit(np.array([[0, 1], [1, 0], [2, 0], [1, 1]], dtype=np.float32))
    order, scores = nearest(np.array([1, 0], dtype=np.float32), documents, 3)
    assert order.tolist() == [1, 2, 3]
    assert scores.tolist()[:2] == [1, 1]
