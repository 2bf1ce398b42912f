"""Small ONNX graphs, and what becomes of a source when it is converted and finished."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tritonkit.export.network import Network
from tritonkit.export.samples.samples import Samples
from tritonkit.export.sources.source import Answers, Source

TYPES = {
    "float": TensorProto.FLOAT,
    "half": TensorProto.FLOAT16,
    "double": TensorProto.DOUBLE,
    "int64": TensorProto.INT64,
    "uint8": TensorProto.UINT8,
    "bool": TensorProto.BOOL,
    "string": TensorProto.STRING,
    "bfloat16": TensorProto.BFLOAT16,
    "complex": TensorProto.COMPLEX64,
}


@pytest.fixture(scope="session")
def build() -> Callable[..., Any]:
    """
    Makes an onnx.ModelProto.

    Inputs and outputs are (name, type, shape); a node is (operator, inputs, outputs) and
    perhaps a dict of attributes, whose "domain" is the operator's.
    """

    def make(
        inputs: Sequence[tuple[str, str, Any]],
        nodes: Sequence[Any],
        outputs: Sequence[tuple[str, str, Any]],
        constants: dict[str, Any] | None = None,
        *,
        opset: int = 17,
        domains: Sequence[str] = (),
    ) -> Any:
        graph = helper.make_graph(
            [helper.make_node(op, i, o, **(rest[0] if rest else {})) for op, i, o, *rest in nodes],
            "graph",
            [helper.make_tensor_value_info(n, TYPES[kind], shape) for n, kind, shape in inputs],
            [helper.make_tensor_value_info(n, TYPES[kind], shape) for n, kind, shape in outputs],
            [numpy_helper.from_array(np.asarray(a), n) for n, a in (constants or {}).items()],
        )
        opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    return make


@pytest.fixture
def saved(build: Callable[..., Any], tmp_path: Path) -> Callable[..., Path]:
    """Writes what `build` makes to a file."""

    def save(*args: Any, **kwargs: Any) -> Path:
        file = tmp_path / "small.onnx"
        onnx.save(build(*args, **kwargs), file)
        return file

    return save


@dataclass(frozen=True)
class Served:
    """A source's own answers, and those of its finished graph."""

    samples: Samples
    reference: Answers
    answers: Answers
    graph: Any


@pytest.fixture
def serve(tmp_path: Path) -> Callable[..., Served]:
    """Converts and finishes a source, and lets its graph answer samples, one at a time."""

    def run(source: Source, samples: Samples | None = None) -> Served:
        chosen = source.builtin_samples() if samples is None else samples
        assert chosen is not None
        folder = tmp_path / "converted"
        folder.mkdir()
        converted = source.convert(folder, chosen)
        model = source.finish(onnx.load(converted.graph))
        onnx.checker.check_model(model, full_check=True)
        finished = folder / "finished.onnx"
        onnx.save(model, finished)
        size = 16 if source.batched else 1
        answers = Network(source, finished).answer(chosen, batch_size=size)
        return Served(chosen, converted.reference, answers, model.graph)

    return run


@pytest.fixture
def mlp(build: Callable[..., Any]) -> Any:
    """Two layers with two outputs: three numbers, and the place of the largest."""
    generator = np.random.default_rng(0)
    return build(
        [("x", "float", ["N", 4])],
        [
            ("Gemm", ["x", "w1", "b1"], ["h"]),
            ("Relu", ["h"], ["r"]),
            ("MatMul", ["r", "w2"], ["scores"]),
            ("ArgMax", ["scores"], ["best"], {"axis": 1, "keepdims": 0}),
        ],
        [("scores", "float", ["N", "classes"]), ("best", "int64", ["N"])],
        {
            "w1": generator.standard_normal((4, 8)).astype(np.float32),
            "b1": generator.standard_normal(8).astype(np.float32),
            "w2": generator.standard_normal((8, 3)).astype(np.float32),
        },
    )
