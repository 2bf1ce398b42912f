from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tritonkit.client.signature import Signature, TensorSpec
from tritonkit.errors import InvalidInput, ProtocolError

METADATA: dict[str, Any] = {
    "name": "m",
    "versions": ["1"],
    "platform": "onnxruntime_onnx",
    "inputs": [
        {"name": "input_ids", "datatype": "INT64", "shape": [-1, -1]},
        {"name": "mask", "datatype": "INT64", "shape": [-1, -1]},
        {"name": "bias", "datatype": "FP32", "shape": [-1, 1]},
    ],
    "outputs": [{"name": "logits", "datatype": "FP32", "shape": [-1, 2]}],
}
CONFIG: dict[str, Any] = {
    "max_batch_size": 4,
    "input": [{"name": "bias", "optional": True}],
}
IDS = np.ones((2, 5), dtype=np.int64)


def signature() -> Signature:
    return Signature.read(METADATA, CONFIG)


def test_reads_metadata_and_configuration() -> None:
    assert signature().inputs["bias"] == TensorSpec(
        name="bias", datatype="FP32", shape=(-1, 1), optional=True, batched=True
    )
    assert signature().max_batch_size == 4
    assert signature() == signature()


def test_a_server_without_batching_in_its_configuration() -> None:
    spec = Signature.read(METADATA, {}).inputs["mask"]
    assert (spec.optional, spec.batched) == (False, False)


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"name": "m"},
        {"name": "m", "inputs": [{}], "outputs": []},
        {"name": "m", "inputs": [{"name": "x", "datatype": "FP8", "shape": []}], "outputs": []},
        {"name": "m", "inputs": [{"name": "x", "datatype": "FP32", "shape": ["a"]}], "outputs": []},
        {"name": "m", "inputs": 5, "outputs": []},
    ],
)
def test_metadata_that_is_not_the_protocols(metadata: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        Signature.read(metadata, {})


def test_optional_inputs_may_be_left_out() -> None:
    arrays = signature().arrays({"input_ids": IDS, "mask": IDS.astype(np.int32)})
    assert [array.dtype for array in arrays.values()] == [np.int64, np.int64]


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        (
            {"input_id": IDS, "mask": IDS},
            r"has no input 'input_id' \(did you mean 'input_ids'\?\); model 'm' needs 'input_ids'; "
            r"its inputs are input_ids: INT64 \[-1, -1\], mask: INT64 \[-1, -1\], "
            r"bias: FP32 \[-1, 1\] \(optional\)",
        ),
        ({}, "needs 'input_ids', 'mask'"),
        (
            {"input_ids": IDS, "mask": IDS, "zzz": 1, "bia": 1},
            r"no input 'zzz' and no input 'bia' \(did you mean 'bias'\?\); its",
        ),
        ({"input_ids": IDS, "mask": IDS[:1]}, "same number of rows, but got input_ids: 2, mask: 1"),
        ({"input_ids": IDS[:0], "mask": IDS[:0]}, "takes 1 to 4 rows a request, but got 0"),
        (
            {"input_ids": IDS.repeat(3, 0), "mask": IDS.repeat(3, 0)},
            "takes 1 to 4 rows a request, but got 6",
        ),
        ({"input_ids": IDS, "mask": [["a"]]}, "input 'mask' of model 'm' must be INT64, but got"),
        ({"input_ids": IDS, "mask": IDS[0]}, r"'mask' of model 'm' must have shape \[-1, -1\]"),
    ],
)
def test_refuses_with_what_would_be_right(inputs: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason) as error:
        signature().arrays(inputs)
    assert error.value.model == "m"


@pytest.mark.parametrize("inputs", ["text", ["a", "b"], IDS, None, 5])
def test_a_value_alone_needs_an_only_input(inputs: Any) -> None:
    with pytest.raises(
        InvalidInput,
        match=r"inputs of model 'm' must be named, for there are 2: "
        r"\{'input_ids': \.\.\., 'mask': \.\.\.\}; its inputs are input_ids: INT64 \[-1, -1\]",
    ) as error:
        signature().arrays(inputs)
    assert error.value.model == "m"


@pytest.mark.parametrize("optional", [True, False])
def test_a_value_alone_is_that_of_the_only_input(optional: bool) -> None:
    """Optional inputs are left out, unless it is the only one that there is."""
    metadata = {**METADATA, "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 1]}]}
    config = {"max_batch_size": 4, "input": [{"name": "x", "optional": optional}]}
    one = Signature.read(metadata, config)
    assert {name: array.tolist() for name, array in one.arrays(0.5).items()} == {"x": [[0.5]]}
    metadata["inputs"].append({"name": "y", "datatype": "FP32", "shape": [-1, 1]})
    config["input"] = [{"name": "y", "optional": True}]
    assert Signature.read(metadata, config).arrays([1, 2])["x"].tolist() == [[1], [2]]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("hello", [["hello"]]),
        (b"\xff", [[b"\xff"]]),
        (["a", "b"], [["a"], ["b"]]),
        (("a", b"b"), [["a"], [b"b"]]),
        ([["a"], ["b"]], [["a"], ["b"]]),
        (np.str_("a"), [["a"]]),
        (np.array("a"), [["a"]]),
        (np.array(["é", "long text"]), [["é"], ["long text"]]),
        (np.array([b"a", b"b"]), [[b"a"], [b"b"]]),
        (np.array(["a", b"b"], dtype=np.object_), [["a"], [b"b"]]),
        (np.array([["a"]], dtype=np.object_), [["a"]]),
    ],
)
def test_text_by_itself(value: Any, expected: Any) -> None:
    metadata = {**METADATA, "inputs": [{"name": "text", "datatype": "BYTES", "shape": [-1, 1]}]}
    text = Signature.read(metadata, {"max_batch_size": 4}).arrays(value)["text"]
    assert text.tolist() == expected


@pytest.mark.parametrize(
    ("groups", "instances"),
    [
        ([], 0),
        ([{"count": 3, "kind": "KIND_CPU", "gpus": []}], 3),
        ([{"count": 2, "kind": "KIND_GPU", "gpus": [0, 1]}, {"count": 1}], 5),
    ],
)
def test_instances_are_counted_for_each_gpu(groups: list[Any], instances: int) -> None:
    assert Signature.read(METADATA, {"instance_group": groups}).instances == instances


def test_a_shape_tensor_has_no_rows() -> None:
    config = {**CONFIG, "input": [{"name": "mask", "is_shape_tensor": True}]}
    arrays = Signature.read(METADATA, config).arrays(
        {"input_ids": IDS, "mask": IDS[:1], "bias": [[0.5], [1]]}
    )
    assert arrays["mask"].shape == (1, 5)


def test_an_unknown_output_is_refused() -> None:
    signature().check_outputs(("logits",))
    with pytest.raises(InvalidInput, match=r"no output 'logit' \(did you mean 'logits'\?\)"):
        signature().check_outputs(("logit",))
