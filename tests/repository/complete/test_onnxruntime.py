from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from onnx import parser

from tritonkit.repository.complete.onnxruntime import AutofillFailed, fill_from_graph
from tritonkit.repository.config import ModelConfig
from tritonkit.repository.graph.graph import Graph, read_graph


@pytest.fixture
def open_graph(tmp_path: Path) -> Graph:
    """A graph whose output has no shape in the file."""
    file = tmp_path / "model.onnx"
    text = '<ir_version: 8, opset_import: ["": 17]> g (float[n,2] x) => (float[] y) { y = Neg(x) }'
    file.write_bytes(parser.parse_model(text).SerializeToString())
    return read_graph(file)


def test_a_model_is_not_refused_for_a_shape_that_was_not_inferred(open_graph: Graph) -> None:
    config = ModelConfig(name="m", max_batch_size=2)
    list(fill_from_graph(config, open_graph))
    assert list(config.input[0].dims) == [2]

    sure = replace(open_graph, inferred=True)
    with pytest.raises(AutofillFailed, match="autofill failed for model 'm'"):
        list(fill_from_graph(ModelConfig(name="m", max_batch_size=2), sure))


def test_what_is_complete_is_not_touched(open_graph: Graph) -> None:
    config = ModelConfig(name="m")
    config.input.add(name="x")
    config.output.add(name="y")
    assert list(fill_from_graph(config, open_graph)) == []
    assert config.max_batch_size == 0
