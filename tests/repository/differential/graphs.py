"""Tiny ONNX graphs: every output is an input, copied or cast."""

from __future__ import annotations

from dataclasses import dataclass

import onnx
from onnx import TensorProto, helper

__all__ = ["DATA_TYPES", "GraphSpec", "TensorSpec", "graph_bytes"]

DATA_TYPES = {
    "TYPE_FP32": TensorProto.FLOAT,
    "TYPE_FP64": TensorProto.DOUBLE,
    "TYPE_INT32": TensorProto.INT32,
    "TYPE_INT64": TensorProto.INT64,
    "TYPE_BOOL": TensorProto.BOOL,
    "TYPE_UINT8": TensorProto.UINT8,
}


@dataclass(frozen=True)
class TensorSpec:
    """A tensor of a graph; an axis of None is dynamic."""

    name: str
    data_type: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class GraphSpec:
    """Inputs, and of each output the input that it copies."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[tuple[TensorSpec, int], ...]


def graph_bytes(spec: GraphSpec) -> bytes:
    """The ONNX file of *spec*."""
    nodes = [
        helper.make_node("Cast", [spec.inputs[of].name], [t.name], to=DATA_TYPES[t.data_type])
        for t, of in spec.outputs
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [_info(tensor) for tensor in spec.inputs],
        [_info(tensor) for tensor, _ in spec.outputs],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


def _info(tensor: TensorSpec) -> onnx.ValueInfoProto:
    shape = [
        f"{tensor.name}_{axis}" if size is None else size for axis, size in enumerate(tensor.shape)
    ]
    return helper.make_tensor_value_info(tensor.name, DATA_TYPES[tensor.data_type], shape)
