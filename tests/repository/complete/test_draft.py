from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from onnx import parser

from tritonkit.errors import RepositoryError
from tritonkit.repository.complete.draft import draft_config
from tritonkit.repository.graph.graph import Graph, read_graph
from tritonkit.repository.text.read import parse_config


def graph(tmp_path: Path, text: str) -> Graph:
    file = tmp_path / "model.onnx"
    file.write_bytes(
        parser.parse_model(
            f'<ir_version: 8, opset_import: ["": 17], producer_name: "p"> g {text}'
        ).SerializeToString()
    )
    return read_graph(file)


def test_a_graph_of_fixed_rows_batches(tmp_path: Path) -> None:
    found = graph(tmp_path, "(float[n,2] x) => (float[n,2] y) { y = Neg(x) }")
    draft = draft_config(found, "m")
    assert (
        draft.text
        == """\
# Drafted from model.onnx, made by p. The name is the directory's.
name: "m"
# What runs it. It loads the file VERSION/model.onnx.
backend: "onnxruntime"
# Most rows of one run. Raise it while memory and latency allow.
max_batch_size: 64
# What a request must hold. dims are sizes of axes, -1 any size.
# The batch is the first axis, and does not stand in dims.
input {
  name: "x"
  data_type: TYPE_FP32
  dims: [2]
}
# What comes back. A request may ask for some of them only.
output {
  name: "y"
  data_type: TYPE_FP32
  dims: [2]
}
# How many run at once: one on each GPU, or one on the CPU. Written because Triton's default on
# a CPU is two, each with a thread for every core. KIND_CPU or KIND_GPU settles where.
instance_group {
  count: 1
}
# Requests that wait while the model is busy become one batch. Nothing waits longer for
# others to come: for that, set max_queue_delay_microseconds.
dynamic_batching { }
"""
    )
    assert parse_config(draft.text, source="test") == draft.config
    assert draft.unknown == ()


def test_a_graph_without_inputs_batches_whatever_is_said(tmp_path: Path) -> None:
    found = graph(tmp_path, "() => (float[n,2] y) { y = Constant<value = float[1,2] {1, 2}>() }")
    assert draft_config(found, "m").config.max_batch_size == 64
    with pytest.raises(RepositoryError, match="has no inputs and can batch, so that Triton takes"):
        draft_config(found, "m", max_batch_size=0)


def test_inputs_of_any_size_are_left_without_a_batcher(tmp_path: Path) -> None:
    """The dynamic batcher puts equal shapes together only; the comment says when to turn it on."""
    found = graph(tmp_path, "(float[n,time,2] x) => (float[n] y) { y = Neg(x) }")
    draft = draft_config(found, "m")
    assert not draft.config.HasField("dynamic_batching")
    assert "add the line\n# dynamic_batching { }\n" in draft.text
    assert "  dims: [-1, 2]  # time, 2\n" in draft.text
    assert list(draft.config.output[0].dims) == [1]
    assert draft.config.output[0].HasField("reshape")


def test_a_graph_that_cannot_batch_says_why(tmp_path: Path) -> None:
    found = graph(tmp_path, "(float[1,2] x) => (float[] y) { y = Neg(x) }")
    draft = draft_config(found, "m", file="other.onnx")
    assert draft.config.max_batch_size == 0
    assert draft.config.default_model_filename == "other.onnx"
    assert "# input 'x' has a first axis of fixed size 1.\n" in draft.text
    assert "  dims: [1]  # a guess: the graph does not give the shape\n" in draft.text
    assert draft.unknown == (
        "The graph gives no shape for output 'y': its dims are a guess, and no batching is "
        "possible.",
    )
    with pytest.raises(RepositoryError, match="input 'x' has a first axis of fixed size 1; output"):
        draft_config(found, "m", max_batch_size=4)


def test_inputs_with_a_value_and_weights_that_are_not_there(tmp_path: Path) -> None:
    found = graph(
        tmp_path, "(float[2] x, float[2] w) => (float[2] y) <float[2] w = {1, 2}> { y = Add(x, w) }"
    )
    assert [t.name for t in draft_config(found, "m").config.input] == ["x"]
    assert "Input 'w' has a value in the graph" in draft_config(found, "m").unknown[0]

    model = onnx.load(found.path)
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="gone.bin")
    found.path.write_bytes(model.SerializeToString())
    found = read_graph(found.path)
    assert "The file of weights 'gone.bin' is not beside model.onnx." in (
        draft_config(found, "m").unknown
    )


def test_what_triton_cannot_serve_is_refused(tmp_path: Path) -> None:
    found = graph(
        tmp_path,
        "(bfloat16[n] x) => (float[n] y, seq(map(int64, float)) z) { y = Cast<to = 1>(x) }",
    )
    with pytest.raises(RepositoryError) as caught:
        draft_config(found, "m")
    assert "input 'x' is a tensor(bfloat16); output 'z' is a seq(map(" in str(caught.value)
    assert str(caught.value).endswith("without ZipMap (zipmap=False).")
    with pytest.raises(RepositoryError, match="a model name is made of"):
        draft_config(found, "a/b")


def test_open_axes_of_outputs_that_were_not_inferred_are_told(tmp_path: Path) -> None:
    found = graph(tmp_path, "(float[n,2] x) => (float[n,k] y) { y = com.microsoft.Gelu(x) }")
    assert draft_config(found, "m").unknown[0].startswith("Output 'y' has open axes")
    assert draft_config(replace(found, inferred=True), "m").unknown == ()
