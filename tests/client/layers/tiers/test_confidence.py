"""How sure a model is of each row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tritonkit.client.layers.tiers.confidence import SCORES, Confidence, labels
from tritonkit.errors import ConfigError

PROBABILITIES = np.array([[0.7, 0.2, 0.1], [1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3]])


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        ("max_probability", [0.7, 1.0, 1 / 3]),
        ("margin", [0.5, 1.0, 0.0]),
        ("entropy", [1 - 0.8018186 / np.log(3), 1.0, 0.0]),
    ],
)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_scores(score: str, expected: list[float], dtype: type) -> None:
    """The surer the greater, 0 to 1; probabilities and their logits score the same."""
    tolerance = 2e-3 if dtype is np.float16 else 1e-6
    given_ = PROBABILITIES.astype(dtype)
    assert Confidence(score)({"y": given_}) == pytest.approx(expected, abs=tolerance)
    with np.errstate(divide="ignore"):
        logits = (np.log(PROBABILITIES) + 3).astype(dtype)
    assert Confidence(score)({"y": logits}) == pytest.approx(expected, abs=2 * tolerance)


@given(
    values=arrays.arrays(np.float32, (3, 4), elements=st.floats(-50, 50, width=32)),
    score=st.sampled_from(sorted(SCORES)),
)
def test_a_rows_score_does_not_depend_on_its_company(values: np.ndarray, score: str) -> None:
    together = Confidence(score)({"y": values})
    alone = [Confidence(score)({"y": values[row : row + 1]})[0] for row in range(3)]
    assert together.tolist() == alone
    assert ((together >= 0) & (together <= 1)).all()


def test_a_row_is_as_sure_as_its_least_sure_position() -> None:
    values = np.stack([PROBABILITIES, PROBABILITIES[[1, 1, 1]]])
    assert Confidence()({"y": values}).tolist() == pytest.approx([1 / 3, 1.0])


def test_nan_is_nan() -> None:
    assert np.isnan(Confidence()({"y": np.array([[np.nan, 1.0]])})).all()


def test_a_function_gets_every_output() -> None:
    outputs = {"a": np.array([1, 2]), "b": np.array([10, 20])}
    assert Confidence(lambda y: y["a"] + y["b"])(outputs).tolist() == [11, 22]


@pytest.mark.parametrize(
    ("outputs", "output", "message"),
    [
        ({"a": PROBABILITIES, "b": PROBABILITIES}, None, "which of the outputs"),
        ({"a": PROBABILITIES}, "b", "no output 'b'"),
        ({"a": np.array([[1, 2]])}, None, "int64"),
        ({"a": np.array([0.5])}, None, "two classes or more"),
        ({"a": np.array([[0.5]])}, None, "two classes or more"),
    ],
)
def test_nothing_to_score(outputs: dict[str, np.ndarray], output: str | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Confidence("margin", output)(outputs)


def test_what_is_no_score() -> None:
    with pytest.raises(ConfigError, match="'energy'"):
        Confidence("energy")
    with pytest.raises(ConfigError, match="leave out"):
        Confidence(lambda y: y, output="y")
    with pytest.raises(ConfigError, match="one number for each of 3 rows"):
        Confidence(lambda y: y["y"])({"y": PROBABILITIES})


def test_labels() -> None:
    assert labels(PROBABILITIES).tolist() == [[0], [0], [0]]
    assert labels(np.zeros((2, 3, 4))).shape == (2, 3)
