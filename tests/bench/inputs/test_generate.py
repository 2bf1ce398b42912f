from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.bench.inputs.dims import DYNAMIC_SIZE
from tritonkit.bench.inputs.generate import RequestInputs
from tritonkit.client import Signature
from tritonkit.client.wire.datatypes import DATATYPES, datatype_of
from tritonkit.errors import ConfigError


def signature(
    *inputs: tuple[str, str, list[int]], max_batch_size: int = 8, optional: tuple[str, ...] = ()
) -> Signature:
    metadata = {
        "name": "m",
        "inputs": [{"name": n, "datatype": d, "shape": s} for n, d, s in inputs],
        "outputs": [],
    }
    config = {
        "max_batch_size": max_batch_size,
        "input": [{"name": n, "optional": n in optional} for n, _, _ in inputs],
    }
    return Signature.read(metadata, config)


def one(inputs: RequestInputs, batch_size: int = 1) -> dict[str, Any]:
    return next(inputs.generate(1, batch_size))


@given(
    datatype=st.sampled_from(sorted(DATATYPES)),
    dims=st.lists(st.sampled_from([-1, 1, 2, 5]), max_size=3),
    batch_size=st.integers(1, 8),
    seed=st.integers(0, 5),
)
def test_every_datatype_gets_its_type_and_a_whole_shape(
    datatype: str, dims: list[int], batch_size: int, seed: int
) -> None:
    model = signature(("x", datatype, [-1, *dims]))
    array = one(RequestInputs(model, seed=seed), batch_size)["x"]
    size = 1 if datatype == "BYTES" else DYNAMIC_SIZE
    assert array.shape == (batch_size, *(size if dim < 0 else dim for dim in dims))
    assert datatype_of(array.dtype) == datatype


def test_a_model_that_does_not_batch_has_no_batch_dimension() -> None:
    model = signature(("x", "FP32", [-1, 3]), max_batch_size=0)
    assert one(RequestInputs(model))["x"].shape == (DYNAMIC_SIZE, 3)
    with pytest.raises(ConfigError, match="must be 1 to 1"):
        one(RequestInputs(model), batch_size=2)


def test_a_batch_above_the_models_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"1 to 8 .*max_batch_size: 8.* got 9"):
        one(RequestInputs(signature(("x", "FP32", [-1, 3]))), batch_size=9)


def test_requests_differ_and_repeat_with_the_seed() -> None:
    model = signature(("x", "FP32", [-1, 3]), ("t", "BYTES", [-1, 1]))

    def made(seed: int) -> list[tuple[bytes, str]]:
        requests = RequestInputs(model, seed=seed).generate(64)
        return [(r["x"].tobytes(), r["t"][0, 0]) for r in requests]

    assert len(set(made(0))) == 64
    assert len({text for _, text in made(0)}) == 64
    assert made(0) == made(0)
    assert made(0) != made(1)


def test_integers_are_valid_as_ids_and_as_masks() -> None:
    array = one(RequestInputs(signature(("ids", "INT64", [-1, -1]))), batch_size=8)["ids"]
    assert set(np.unique(array)) == {0, 1}


def test_a_given_shape_replaces_dynamic_dimensions() -> None:
    model = signature(("image", "FP16", [-1, 3, -1, -1]))
    array = one(RequestInputs(model, shapes={"image": (3, 32, 24)}), batch_size=2)["image"]
    assert array.shape == (2, 3, 32, 24)


@pytest.mark.parametrize("shape", [(4, 32, 24), (3, 32), (3, 32, 24, 1), (3, -1, 24)])
def test_a_shape_that_the_model_refuses_is_named(shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match=r"input 'image' must fit \[3, -1, -1\]"):
        RequestInputs(signature(("image", "FP16", [-1, 3, -1, -1])), shapes={"image": shape})


def test_given_rows_take_turns() -> None:
    rows = np.array([[1], [2], [3]])
    inputs = RequestInputs(signature(("x", "INT32", [-1, 1])), values={"x": rows})
    sent = [request["x"].ravel().tolist() for request in inputs.generate(3, batch_size=2)]
    assert sent == [[1, 2], [3, 1], [2, 3]]
    assert one(inputs)["x"].dtype == np.int32


def test_given_values_of_a_model_without_batching_are_sent_whole() -> None:
    inputs = RequestInputs(
        signature(("x", "FP32", [2]), max_batch_size=0), values={"x": np.array([1, 2])}
    )
    assert [r["x"].tolist() for r in inputs.generate(2)] == [[1.0, 2.0], [1.0, 2.0]]


@pytest.mark.parametrize(
    ("datatype", "value"),
    [
        ("INT8", [[300]]),
        ("UINT8", [[-1]]),
        ("INT32", [[0.5]]),
        ("BOOL", [[2]]),
        ("FP32", [["text"]]),
        ("FP32", [[1], [2, 3]]),
        ("FP32", np.array([[1.0]])),
        ("FP16", [[1e10]]),
        ("BF16", [[1e39]]),
        ("BYTES", [[1]]),
        ("BYTES", None),
    ],
)
def test_given_values_that_do_not_fit_are_refused(datatype: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=r"^the value of input 'x' (must be|is ragged).*\.$"):
        RequestInputs(signature(("x", datatype, [-1, 1])), values={"x": value})


def test_given_values_without_a_row_are_refused() -> None:
    with pytest.raises(ConfigError, match="'x' has no rows"):
        RequestInputs(signature(("x", "FP32", [-1, 1])), values={"x": np.empty((0, 1), np.float32)})


def test_given_values_are_plain_lists_as_a_client_takes_them() -> None:
    inputs = RequestInputs(signature(("t", "BYTES", [-1, 1])), values={"t": ["a", "b\0"]})
    assert [r["t"].tolist() for r in inputs.generate(2)] == [[["a"]], [["b\0"]]]


def test_a_shape_tensor_is_one_for_the_whole_batch() -> None:
    model = Signature.read(
        {
            "name": "m",
            "inputs": [{"name": "size", "datatype": "INT32", "shape": [2]}],
            "outputs": [],
        },
        {"max_batch_size": 8, "input": [{"name": "size", "is_shape_tensor": True}]},
    )
    inputs = RequestInputs(model, values={"size": [32, 24]})
    assert one(inputs, batch_size=4)["size"].tolist() == [32, 24]
    assert inputs.describe() == {"size": "INT32 [2], given"}


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="no input 'y'; it takes x"):
        RequestInputs(signature(("x", "FP32", [-1, 1])), shapes={"y": (1,)})


def test_optional_inputs_are_sent_when_they_are_asked_for() -> None:
    model = signature(("x", "FP32", [-1, 1]), ("extra", "FP32", [-1, -1]), optional=("extra",))
    assert list(one(RequestInputs(model))) == ["x"]
    assert list(one(RequestInputs(model, shapes={"extra": (2,)}))) == ["x", "extra"]


def test_a_model_whose_inputs_are_all_optional_gets_them_all() -> None:
    """Triton refuses a request without any input."""
    model = signature(("x", "FP32", [-1, 1]), ("z", "FP32", [-1, 1]), optional=("x", "z"))
    assert list(one(RequestInputs(model))) == ["x", "z"]
    assert list(one(RequestInputs(model, values={"z": [[1.0]]}))) == ["z"]
    assert list(one(RequestInputs(model, without=["x"]))) == []


def test_a_request_that_no_memory_holds_is_refused() -> None:
    inputs = RequestInputs(signature(("x", "INT64", [-1, -1])), shapes={"x": (10**11,)})
    with pytest.raises(ConfigError, match=r"'x' of shape \[1, 100000000000\] is too large"):
        one(inputs)


def test_given_texts_replace_the_sentences() -> None:
    model = signature(("t", "BYTES", [-1, 1]))
    array = one(RequestInputs(model, texts=["one", "two"]), batch_size=4)["t"]
    assert sorted(array.ravel()) == ["one", "one", "two", "two"]


def test_the_description_says_what_was_chosen() -> None:
    model = signature(("ids", "INT64", [-1, -1]), ("t", "BYTES", [-1, 1]), ("v", "FP32", [-1, 1]))
    inputs = RequestInputs(model, values={"v": np.ones((3, 1), np.float32)})
    assert inputs.describe() == {
        "ids": "INT64 [batch, 16], random, 0 or 1, dynamic dimensions set",
        "t": "BYTES [batch, 1], 84 texts in shuffled order",
        "v": "FP32 [3, 1], given",
    }


def test_a_model_without_inputs_is_refused() -> None:
    with pytest.raises(ConfigError, match="'m' has no inputs"):
        RequestInputs(signature())
