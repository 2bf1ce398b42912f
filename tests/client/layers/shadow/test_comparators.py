"""The algebra of comparators: what agrees with itself, whose order does not matter, what NaN is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import cosine, jensenshannon
from scipy.stats import entropy

from tritonkit.client import (
    AllClose,
    Argmax,
    Comparator,
    CompareBy,
    Cosine,
    Exact,
    JensenShannon,
    KullbackLeibler,
    TopK,
)
from tritonkit.client.layers.shadow.compare import Comparators, compare
from tritonkit.errors import ConfigError

EVERY = [
    Exact(),
    AllClose(),
    AllClose(rtol=0, atol=0),
    Argmax(),
    TopK(2),
    TopK(3, overlap=0.5),
    Cosine(),
    Cosine(1.0),
    JensenShannon(),
    JensenShannon(0),
    KullbackLeibler(),
    CompareBy(lambda a, b: abs(a - b).max(axis=1), symmetric=True),
]
# Few values, so that equal and special ones meet; each is a float16.
VALUES = st.sampled_from(
    [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 0.0999755859375, 6e4, -6e4, 6e-8, np.inf, -np.inf, np.nan]
)
DTYPES = st.sampled_from([np.float16, np.float32, np.float64])
STACKS = hnp.arrays(
    np.float64, st.tuples(st.just(2), st.integers(1, 4), st.integers(2, 4)), elements=VALUES
)
PAIRS = st.builds(lambda both, dtype: tuple(both.astype(dtype)), STACKS, DTYPES)
SHARES = hnp.arrays(np.float64, (3, 4), elements=st.floats(0.01, 1)).map(
    lambda a: a / a.sum(axis=1, keepdims=True)
)


@pytest.mark.parametrize("comparator", EVERY, ids=repr)
@settings(max_examples=20)
@given(pair=PAIRS)
def test_reflexive(comparator: Comparator, pair: tuple[np.ndarray, np.ndarray]) -> None:
    """Every row agrees with itself, at no distance, whatever is in it; NaN is flagged."""
    values = pair[0]
    found = comparator(values, values.copy())
    assert found.agrees.all()
    assert not found.distance.any()
    assert found.nan.tolist() == np.isnan(values).any(axis=1).tolist()


@pytest.mark.parametrize("comparator", [c for c in EVERY if c.symmetric], ids=repr)
@settings(max_examples=20)
@given(pair=PAIRS)
def test_symmetric(comparator: Comparator, pair: tuple[np.ndarray, np.ndarray]) -> None:
    """Which answer is the primary's makes no difference."""
    one, other = comparator(*pair), comparator(*reversed(pair))
    assert one.agrees.tolist() == other.agrees.tolist()
    assert one.nan.tolist() == other.nan.tolist()
    np.testing.assert_allclose(one.distance, other.distance, atol=1e-12)


@pytest.mark.parametrize("comparator", EVERY, ids=repr)
@settings(max_examples=20)
@given(pair=PAIRS)
def test_each_row_by_itself(comparator: Comparator, pair: tuple[np.ndarray, np.ndarray]) -> None:
    """A row's distance does not depend on its company, and is none below 0."""
    together = comparator(*pair)
    alone = [comparator(*(a[row : row + 1] for a in pair)) for row in range(len(pair[0]))]
    np.testing.assert_allclose(together.distance, [one.distance[0] for one in alone], atol=1e-12)
    assert (together.distance >= 0).all()
    assert together.agrees.tolist() == (together.distance <= comparator.tolerance).tolist()


@pytest.mark.parametrize("comparator", EVERY, ids=repr)
def test_nan_on_one_side(comparator: Comparator) -> None:
    """It agrees with nothing but itself; the other rows are compared all the same."""
    a = np.array([[1, 2, 3], [1, 2, 3], [np.nan, 2, 3]], np.float32)
    b = np.array([[1, 2, 3], [1, 2, np.nan], [np.nan, 2, 3]], np.float32)
    found = comparator(a, b)
    assert found.agrees.tolist() == [True, False, True]
    assert found.nan.tolist() == [False, True, True]


def test_symmetry_is_not_claimed_of_what_has_none() -> None:
    a, b = np.array([[0.5, 0.5]]), np.array([[0.9, 0.1]])
    kl = KullbackLeibler()
    assert not kl.symmetric
    assert kl(a, b).distance != kl(b, a).distance


@settings(max_examples=25)
@given(p=SHARES, q=SHARES)
def test_divergences_are_scipys(p: np.ndarray, q: np.ndarray) -> None:
    np.testing.assert_allclose(KullbackLeibler()(p, q).distance, entropy(p, q, axis=1), atol=1e-9)
    js = jensenshannon(p, q, axis=1) ** 2
    np.testing.assert_allclose(JensenShannon()(p, q).distance, js, atol=1e-9)


@settings(max_examples=25)
@given(pair=st.tuples(*[hnp.arrays(np.float64, (1, 5), elements=st.floats(0.1, 1e6))] * 2))
def test_cosine_is_scipys(pair: tuple[np.ndarray, np.ndarray]) -> None:
    expected = cosine(pair[0][0], pair[1][0])
    np.testing.assert_allclose(Cosine()(*pair).distance, expected, atol=1e-12)


def test_cosine_without_a_direction() -> None:
    """Zeros are like zeros and like nothing else; the largest floats do not overflow."""
    a = np.array([[0, 0], [0, 0], [1e300, 1e300], [np.inf, 1]])
    b = np.array([[0, -0.0], [1, 0], [2e300, 2e300], [np.inf, 2]])
    assert Cosine()(a, b).distance.tolist() == [0, 1, 0, np.inf]


def test_close_by_the_larger_of_both() -> None:
    close = AllClose(rtol=0.1, atol=0)
    a = np.array([[1.0], [1.0], [0.0], [np.inf], [np.inf]])
    b = np.array([[1.11], [1.12], [1e-9], [np.inf], [1.0]])
    assert close(a, b).agrees.tolist() == [True, False, False, True, False]


def test_top_k() -> None:
    """Order within the k does not matter; fewer than k values are all of them."""
    a = np.array([[5, 4, 3, 2, 1]])
    b = np.array([[4, 5, 1, 2, 3]])
    assert TopK(2)(a, b).agrees.all()
    assert not TopK(3)(a, b).agrees.any()
    assert TopK(3)(a, b).distance[0] == pytest.approx(1 / 3)
    assert TopK(3, overlap=2 / 3)(a, b).agrees.all()
    assert TopK(9)(a, b).agrees.all()
    ties = np.zeros((1, 4), np.uint8)
    assert TopK(1)(ties, ties + np.array([[1, 0, 0, 0]], np.uint8)).agrees.all()


def test_argmax_of_every_position() -> None:
    a = np.zeros((2, 4, 3))
    b = a.copy()
    b[1, 2, 1] = 1
    assert Argmax()(a, b).distance.tolist() == [0, 0.25]


def test_text_and_integers_are_compared_exactly() -> None:
    """The default; 2**53 and the next integer are not the same."""
    texts = np.array([b"a", b"b"], object), np.array([b"a", b"c"], object)
    counts = np.array([2**53, 7]), np.array([2**53 + 1, 7])
    found = compare(
        {"text": texts[0], "count": counts[0]},
        {"text": texts[1], "count": counts[1]},
        Comparators(),
        rows=2,
    )
    assert found.agrees.tolist() == [False, False]
    assert found.outputs["text"].agrees.tolist() == [True, False]
    assert found.outputs["count"].agrees.tolist() == [False, True]


@pytest.mark.parametrize(
    ("shadow", "reason"),
    [
        ({"z": np.zeros((2, 1))}, "no output 'y'"),
        ({"y": np.zeros((2, 1), np.float32)}, "float32"),
        ({"y": np.zeros((2, 2))}, "[2, 2]"),
    ],
)
def test_schema_comes_first(shadow: dict[str, np.ndarray], reason: str) -> None:
    """Another name, type or shape: no row agrees, and it is said why."""
    found = compare({"y": np.zeros((2, 1))}, shadow, Comparators(), rows=2)
    assert not found.agrees.any()
    assert found.rows == 2
    assert np.isinf(found.severity).all()
    assert reason in found.schema


def test_chosen_outputs() -> None:
    """Only they are compared; each by its own comparator."""
    primary = {"a": np.array([[1.0, 2.0]]), "b": np.array([[1.0]])}
    shadow = {"a": np.array([[1.5, 2.5]]), "b": np.array([[9.0]])}
    assert not compare(primary, shadow, Comparators(), rows=1).agrees.all()
    assert compare(primary, shadow, Comparators(outputs={"a": Argmax()}), rows=1).agrees.all()


def test_an_answer_as_a_whole() -> None:
    """Where it has no rows it is one, also a scalar."""
    found = compare({"y": np.ones(())}, {"y": np.ones(())}, Comparators())
    assert found.agrees.tolist() == [True]


def test_a_function_of_the_users() -> None:
    """True agrees; a number is a distance; a wrong shape is told."""
    a, b = np.array([[1.0], [2.0]]), np.array([[1.5], [9.0]])
    assert CompareBy(lambda a, b: (abs(a - b) < 1)[:, 0])(a, b).agrees.tolist() == [True, False]
    far = CompareBy(lambda a, b: abs(a - b)[:, 0], tolerance=0.5)
    assert far(a, b).agrees.tolist() == [True, False]
    with pytest.raises(ConfigError, match=r"2 rows.*\[2, 1\]"):
        CompareBy(lambda a, b: abs(a - b))(a, b)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: AllClose(rtol=-1),
        lambda: AllClose(atol=float("nan")),
        lambda: TopK(0),
        lambda: TopK(1, overlap=1.1),
        lambda: Cosine(2),
        lambda: JensenShannon(-1),
        lambda: CompareBy(len, tolerance=-1),
        lambda: Argmax()(np.array(["a"]), np.array(["b"])),
        lambda: Cosine()(np.array(["a"]), np.array(["b"])),
        lambda: AllClose()(np.array(["a"]), np.array(["b"])),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: object) -> None:
    with pytest.raises(ConfigError):
        wrong()  # type: ignore[operator]
