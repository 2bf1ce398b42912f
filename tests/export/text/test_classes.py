"""The heads that end a graph, on logits handed through."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from tritonkit.export.graphs.classes import Activation, append_classes, append_score
from tritonkit.export.graphs.fill_mask import append_fill_mask
from tritonkit.export.graphs.token_classes import append_token_classes


def hands_through(*shape: str | int, kind: int = TensorProto.FLOAT) -> Any:
    graph = helper.make_graph(
        [
            helper.make_node("Identity", ["given"], ["logits"]),
            helper.make_node("Identity", ["input_ids"], ["unused"]),
        ],
        "model",
        [
            helper.make_tensor_value_info("given", kind, ["batch", *shape]),
            helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "sequence"]),
        ],
        [helper.make_tensor_value_info("logits", kind, ["batch", *shape])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(model: Any, logits: NDArray[Any], ids: NDArray[np.int64] | None = None) -> dict[str, Any]:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    ids = np.zeros((len(logits), 1), np.int64) if ids is None else ids
    return dict(zip(names, session.run(names, {"given": logits, "input_ids": ids}), strict=True))


LOGITS = np.array([[1.0, 3.0, -2.0], [0.0, -50.0, 60.0]], np.float32)
SOFTMAX = np.exp(LOGITS - LOGITS.max(axis=1, keepdims=True))
SOFTMAX /= SOFTMAX.sum(axis=1, keepdims=True)
SIGMOID = 1 / (1 + np.exp(-LOGITS))


@pytest.mark.parametrize(("activation", "expected"), [("softmax", SOFTMAX), ("sigmoid", SIGMOID)])
def test_a_label_is_the_most_probable_class(
    activation: Activation, expected: NDArray[np.float32]
) -> None:
    model = append_classes(hands_through(3), ["no", "yes", "schön 視"], activation=activation)
    answer = run(model, LOGITS)
    np.testing.assert_allclose(answer["probabilities"], expected, rtol=1e-5, atol=1e-8)
    assert answer["label"].tolist() == [["yes"], ["schön 視"]]


@pytest.mark.parametrize(
    ("activation", "expected"), [("none", LOGITS[:, :1]), ("sigmoid", SIGMOID[:, :1])]
)
def test_a_score_is_one_number(activation: Activation, expected: NDArray[np.float32]) -> None:
    answer = run(append_score(hands_through(1), activation=activation), LOGITS[:, :1])
    assert answer.keys() == {"score"}
    np.testing.assert_allclose(answer["score"], expected, rtol=1e-6)


def test_half_precision_logits_give_single_precision_probabilities() -> None:
    model = append_classes(hands_through(3, kind=TensorProto.FLOAT16), "abc", activation="softmax")
    probabilities = run(model, LOGITS.astype(np.float16))["probabilities"]
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, SOFTMAX, rtol=1e-5, atol=1e-8)


def test_each_token_has_probabilities_of_its_own() -> None:
    answer = run(append_token_classes(hands_through("sequence", 3), 3), LOGITS[:, None])
    np.testing.assert_allclose(answer["probabilities"], SOFTMAX[:, None], rtol=1e-5, atol=1e-8)


def test_the_mask_of_each_row_is_found() -> None:
    ids = np.array([[5, 9, 7, 7], [9, 5, 7, 9]])
    logits = np.zeros((2, 4, 6), np.float32)
    logits[0, 1] = [0, 1, 2, 3, 4, 5]
    logits[1, 0] = [9, 1, 2, 8, 4, 5]
    logits[1, 3] = 100
    model = append_fill_mask(hands_through("sequence", 6), 9, list("abcdef"), best=2)
    answer = run(model, logits, ids)
    assert answer["tokens"].tolist() == [["f", "e"], ["a", "d"]]
    rows = np.exp(logits[[0, 1], [1, 0]])
    expected = np.sort(rows / rows.sum(axis=1, keepdims=True), axis=1)[:, :-3:-1]
    np.testing.assert_allclose(answer["scores"], expected, rtol=1e-6)


@pytest.mark.parametrize(
    "model",
    [
        append_classes(hands_through(3), "abc", activation="softmax"),
        append_score(hands_through(1), activation="none"),
        append_token_classes(hands_through("sequence", 3), 3),
        append_fill_mask(hands_through("sequence", 6), 9, "abcdef", best=2),
    ],
)
def test_triton_reads_them_and_knows_their_sizes(model: Any) -> None:
    """Its onnxruntime of 24.10 reads IR version 10 and opset 21; it compares sizes exactly."""
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version <= 10
    for output in model.graph.output:
        assert output.type.tensor_type.shape.dim[-1].dim_value > 0
        assert output.type.tensor_type.shape.dim[0].dim_param == "batch_size"
