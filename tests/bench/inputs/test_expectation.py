from __future__ import annotations

from multiprocessing.reduction import ForkingPickler
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tritonkit.bench.inputs.expectation import (
    Expectation,
    Tolerance,
    Tolerances,
    expected_array,
)
from tritonkit.client import TensorSpec
from tritonkit.client.wire.datatypes import to_bfloat16
from tritonkit.errors import ConfigError, InvalidInput


def spec(datatype: str) -> TensorSpec:
    return TensorSpec(name="y", datatype=datatype, shape=(-1, -1))


def verdict(
    expected: Any, got: Any, datatype: str = "FP32", rtol: float = 0, atol: float = 0
) -> str | None:
    check = Expectation(
        outputs={"y": expected_array(expected, spec(datatype))},
        tolerances={"y": Tolerance(rtol=rtol, atol=atol)},
    )
    # It goes to other processes with its request.
    return ForkingPickler.loads(ForkingPickler.dumps(check))({"y": np.asarray(got)})


floats = hnp.arrays(np.float64, (3,), elements=st.floats(width=32))


@given(expected=floats, got=floats, rtol=st.floats(0, 1), atol=st.floats(0, 1))
def test_floats_are_near_as_numpy_says(
    expected: np.ndarray, got: np.ndarray, rtol: float, atol: float
) -> None:
    wrong = verdict(expected, got, "FP64", rtol, atol)
    near = np.allclose(got, expected, rtol=rtol, atol=atol, equal_nan=True)
    assert (wrong is None) == near


@given(expected=floats)
def test_what_is_the_same_is_right_without_any_tolerance(expected: np.ndarray) -> None:
    assert verdict(expected, expected.astype(np.float32)) is None


def test_a_difference_is_named_with_its_place_and_values() -> None:
    wrong = verdict([[1, 2], [3, 4]], np.float32([[1, 2], [3.5, 5]]), rtol=1e-3)
    assert wrong == "output 'y' at [1, 0]: expected 3, but got 3.5; 1 more differ"


@pytest.mark.parametrize(
    ("expected", "got"),
    [(1.0, np.nan), (np.nan, 1.0), (np.inf, -np.inf), (np.inf, 1.0), (1.0, np.inf)],
)
def test_no_tolerance_makes_up_for_what_is_not_finite(expected: float, got: float) -> None:
    wrong = verdict([expected], [got], "FP64", rtol=1, atol=1e300)
    assert wrong is not None
    assert "at [0]" in wrong


def test_whole_numbers_of_64_bits_are_exact() -> None:
    """Of which 1 and 2**63 + 1 together are floats to numpy."""
    expected = expected_array([1, 2**63 + 1], spec("UINT64"))
    check = Expectation(outputs={"y": expected}, tolerances={"y": Tolerance(rtol=0, atol=0)})
    assert check({"y": np.array([1, 2**63 + 1], np.uint64)}) is None
    assert check({"y": np.array([1, 2**63], np.uint64)}) is not None


def test_integers_and_texts_are_exact() -> None:
    big = 2**62
    assert verdict([big], np.array([big]), "INT64", rtol=1) is None
    assert verdict([big], np.array([big + 1]), "INT64", rtol=1) == (
        f"output 'y' at [0]: expected {big}, but got {big + 1}"
    )
    answer = np.array([b"\xc3\xa9", b"b"], dtype=object)
    assert verdict(["é", b"b"], answer, "BYTES") is None
    assert verdict(["é", "B"], answer, "BYTES") == ("output 'y' at [1]: expected 'B', but got 'b'")
    assert verdict([True], np.array([False]), "BOOL") is not None


def test_shapes_must_agree_and_outputs_be_there() -> None:
    assert verdict([[1.0]], np.ones((1, 2))) == (
        "output 'y' must have shape [1, 1], but got [1, 2]"
    )
    check = Expectation(outputs={"y": np.ones(1)}, tolerances={})
    assert check({"z": np.ones(1)}) == "output 'y' is missing; the answer has z"


def test_bfloat16_is_compared_as_what_it_holds() -> None:
    assert verdict(to_bfloat16(np.float32([1.5])), np.float32([1.5]), "BF16") is None


@pytest.mark.parametrize(
    ("value", "datatype", "message"),
    [
        ([["a"]], "FP32", "must be FP32, but got"),
        ([1.5], "INT32", "must be INT32, but got float64"),
        ([1], "BOOL", "must be BOOL"),
        ([1], "BYTES", "must be text or bytes"),
        ([[1], [1, 2]], "FP32", "is ragged"),
        (None, "FP32", "must be FP32"),
    ],
)
def test_what_no_output_can_be_is_refused(value: Any, datatype: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        expected_array(value, spec(datatype))


def test_tolerances_are_an_outputs_own_or_alls_or_the_types() -> None:
    tolerances = Tolerances(rtol={"": 0.1, "y": 0.0}, atol={"z": 5})
    assert tolerances.of(spec("FP32")) == Tolerance(rtol=0, atol=1e-5)
    assert Tolerances(rtol={"": 0.1}).of(spec("FP16")) == Tolerance(rtol=0.1, atol=1e-3)


@pytest.mark.parametrize("value", [-1e-9, np.nan, np.inf])
def test_a_tolerance_that_is_none_is_refused(value: float) -> None:
    with pytest.raises(ConfigError, match="atol must be finite and not negative"):
        Tolerance(rtol=0, atol=value)
