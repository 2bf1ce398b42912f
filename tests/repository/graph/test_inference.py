"""Shapes of outputs beside those that onnxruntime tells of the same file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper, parser

from tritonkit.repository.graph.graph import Graph, read_graph
from tritonkit.repository.graph.inference import infer_outputs, settled

GRAPHS = {
    "settled": "(float[b,2] x) => (float[b,2] y) { y = Neg(x) }",
    "axis": "(float[b,2] x) => (float[b,k] y) { y = Neg(x) }",
    "both": "(float[4,2] x) => (float[b,k] y) { y = Neg(x) }",
    "renamed": "(float[b,2] x) => (float[k,m] y) { y = Neg(x) }",
    "undeclared": "(float[b,2] x) => (float[] y) { y = Neg(x) }",
    "narrowed": "(float[b,2] x) => (float[3,2] y) { y = Neg(x) }",
    "clash": "(float[b,2] x) => (float[n,3] y) { y = Neg(x) }",
    "rank": "(float[b,2] x) => (float[n] y) { y = Neg(x) }",
    "scalar": "(float[b,2] x) => (float[k] y) { y = ReduceSum <keepdims = 0> (x) }",
    "reshaped": """(float[b,6] x) => (float[b,k,m] y) <int64[3] q = {-1, 2, 3}>
        { y = Reshape(x, q) }""",
    "product": """(float[b,2] x) => (float[b,k] y) <float[2,2] w = {1, 2, 3, 4}>
        { y = MatMul(x, w) }""",
    "unknown": "(float[b,2] x) => (float[b,k] y) { n = NonZero(x) y = Cast <to = 1> (n) }",
    "list": "(float[2] x) => (seq(float[2]) y) { y = SequenceConstruct(x) }",
}


def write(file: Path, text: str) -> onnx.ModelProto:
    model = parser.parse_model(
        f'<ir_version: 8, opset_import: ["": 17, "com.microsoft": 1]> g {text}'
    )
    file.write_bytes(model.SerializeToString())
    return model


def told_by_onnxruntime(graph: Graph) -> list[tuple[int, ...]]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(graph.path, options, providers=["CPUExecutionProvider"])
    return [
        tuple(axis if isinstance(axis, int) else -1 for axis in output.shape)
        for output in session.get_outputs()
        if output.type.startswith("tensor(")
    ]


@pytest.mark.parametrize("name", GRAPHS)
def test_outputs_are_as_onnxruntime_has_them(tmp_path: Path, name: str) -> None:
    write(tmp_path / "model.onnx", GRAPHS[name])
    declared = read_graph(tmp_path / "model.onnx")
    found = infer_outputs(declared)
    assert found.inferred
    shapes = [t.shape or () for t in found.outputs if t.is_tensor]
    assert shapes == told_by_onnxruntime(declared)
    assert [t.name for t in found.outputs] == ["y"]
    assert settled(declared) == (name in ("settled", "narrowed", "list"))


def test_what_an_operator_of_onnxruntime_gives_is_not_known(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    write(file, "(float[b,2] x) => (float[b,k] y) { y = com.microsoft.Gelu(x) }")
    graph = infer_outputs(read_graph(file))
    assert not graph.inferred
    assert graph.outputs[0].shape == (-1, -1)


def test_sizes_that_the_graph_computes_are_not_sure(tmp_path: Path) -> None:
    """Some of them onnxruntime follows, and onnx follows more."""
    file = tmp_path / "model.onnx"
    text = """(float[b,6] x) => (float[b,k,m] y)
        <int64[1] z = {0}, int64[1] o = {1}, int64[2] t = {2, 3}>
        { s = Shape(x) r = Slice(s, z, o) q = Concat <axis = 0> (r, t) y = Reshape(x, q) }"""
    write(file, text)
    assert not infer_outputs(read_graph(file)).inferred


def test_weights_are_left_out(tmp_path: Path) -> None:
    """Their shapes count and their values do not, with the large ones beside the small."""
    file = tmp_path / "model.onnx"
    model = write(
        file, "(float[b,2000] x) => (float[k,m,1] y) { z = MatMul(x, w) y = Reshape(z, q) }"
    )
    weights = np.zeros((2000, 300), np.float32)
    shape = np.array([-1, 300, 1], np.int64)
    model.graph.initializer.extend(
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(shape, "q")]
    )
    file.write_bytes(model.SerializeToString())
    graph = infer_outputs(read_graph(file))
    assert [(-1, 300, 1)] == [t.shape for t in graph.outputs] == told_by_onnxruntime(graph)


def test_a_graph_that_makes_no_sense_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    write(file, "(float[b,2] x) => (float[b,k] y) { y = Nothing(gone) }")
    graph = read_graph(file)
    assert infer_outputs(graph).outputs == graph.outputs
    file.write_bytes(b"\x3a\xff")
    assert infer_outputs(graph) is graph
