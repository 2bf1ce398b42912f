"""FP16: masks, overflow, inputs and outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.reference
import onnxruntime

from tritonkit.export.sources.source import Feeds
from tritonkit.export.stages import halve, optimise


def computed(graph: Path, feeds: Feeds) -> Any:
    """
    The first output, each step in the type that the graph says.

    onnxruntime would compute half precision in FP32 on a CPU, where nothing overflows.
    """
    with np.errstate(all="ignore"):
        return onnx.reference.ReferenceEvaluator(str(graph)).run(None, dict(feeds))[0]


def test_padded_rows_and_rows_without_a_token_make_no_nan(
    bert: Path, batches: Any, tmp_path: Path
) -> None:
    """The mask of this graph is -3.4e38, which half precision cannot hold."""
    # Large scores: what is added to them must not leave the range.
    model = onnx.load(str(bert))
    for node in model.graph.node:
        if node.name.endswith("key/MatMul"):
            weight = next(t for t in model.graph.initializer if t.name == node.input[1])
            values = onnx.numpy_helper.to_array(weight) * 200
            weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    source = tmp_path / "scored.onnx"
    onnx.save(model, str(source))
    feeds = batches(6, 16, kind="tokens")[0]
    feeds["attention_mask"][1] = 0
    feeds["attention_mask"][2, :10] = 0

    halve(source, tmp_path / "half.onnx")

    expected, actual = computed(source, feeds), computed(tmp_path / "half.onnx", feeds)
    seen = feeds["attention_mask"].astype(bool)
    assert np.isfinite(actual).all()
    np.testing.assert_allclose(actual[seen], expected[seen], atol=0.2)


def test_a_fused_transformer_can_be_halved(
    bert: Path, batches: Any, run: Any, tmp_path: Path
) -> None:
    optimise(bert, tmp_path / "fused.onnx")
    halve(tmp_path / "fused.onnx", tmp_path / "half.onnx")
    feeds = batches(6, 16, kind="tokens")[0]

    np.testing.assert_allclose(run(tmp_path / "half.onnx", feeds), run(bert, feeds), atol=0.01)


def test_inputs_and_outputs_stay_as_they_were(bert: Path, tmp_path: Path) -> None:
    halve(bert, tmp_path / "half.onnx")

    def ends(graph: Path) -> list[tuple[str, str]]:
        session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
        return [(end.name, end.type) for end in (*session.get_inputs(), *session.get_outputs())]

    assert ends(tmp_path / "half.onnx") == ends(bert)


def test_what_overflows_on_the_batches_stays_fp32(tmp_path: Path) -> None:
    """A square of 1000 is beyond half precision; its root is not."""
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "weight"], ["large"], "product"),
            helper.make_node("Mul", ["large", "large"], ["square"], "square"),
            helper.make_node("Sqrt", ["square"], ["y"], "root"),
        ],
        "overflow",
        [helper.make_tensor_value_info("x", floats, ["n", 4])],
        [helper.make_tensor_value_info("y", floats, ["n", 4])],
        [onnx.numpy_helper.from_array(np.eye(4, dtype=np.float32) * 1000, "weight")],
    )
    opset = [helper.make_opsetid("", 17)]
    source = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), str(source))
    feeds = {"x": np.ones((2, 4), np.float32)}

    halve(source, tmp_path / "blind.onnx")
    halve(source, tmp_path / "seeing.onnx", batches=[feeds])

    assert np.isinf(computed(tmp_path / "blind.onnx", feeds)).all()
    np.testing.assert_allclose(computed(tmp_path / "seeing.onnx", feeds), 1000)


def test_infinite_constants_stay_infinite(tmp_path: Path, run: Any) -> None:
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    values = np.array([-np.inf, -3.4e38, 1, 3.4e38], np.float32)
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "constant"], ["y"], "add")],
        "constants",
        [helper.make_tensor_value_info("x", floats, ["n", 4])],
        [helper.make_tensor_value_info("y", floats, ["n", 4])],
        [onnx.numpy_helper.from_array(values, "constant")],
    )
    opset = [helper.make_opsetid("", 17)]
    source = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), str(source))

    halve(source, tmp_path / "half.onnx")

    answer = run(tmp_path / "half.onnx", {"x": np.zeros((1, 4), np.float32)})
    assert answer[0].tolist() == [-np.inf, -32752, 1, 32752]
