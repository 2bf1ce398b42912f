"""Axes for inputs and outputs that have too few for Triton."""

from __future__ import annotations

from typing import Any

import numpy as np

from tritonkit.export.graphs.names import rename
from tritonkit.export.graphs.shapes import graph_inputs, tensor_dims
from tritonkit.extras import require

__all__ = ["add_missing_axes"]


def add_missing_axes(model: Any, *, rank: int) -> None:
    """
    Give each input and output of *model* at least *rank* axes, the last one of size 1.

    Triton needs an axis beside the batch, and one at all where there is no batch.

    Args:
        model: onnx.ModelProto of opset 13 or later; it is changed.
        rank: 2 for a graph with a batch axis, 1 for one without.
    """
    onnx = require("onnx", extra="export")
    helper, graph = onnx.helper, model.graph
    axis, before, behind = "missing_axis", [], []
    for value in graph_inputs(model):
        if _lacks(value, rank):
            name, inner = value.name, f"{value.name}/without_axis"
            rename(graph, name, inner)
            value.name = name
            before.append(helper.make_node("Squeeze", [name, axis], [inner]))
            value.type.tensor_type.shape.dim.add(dim_value=1)
    for value in graph.output:
        if _lacks(value, rank):
            inner = f"{value.name}/without_axis"
            rename(graph, value.name, inner)
            behind.append(helper.make_node("Unsqueeze", [inner, axis], [value.name]))
            value.type.tensor_type.shape.dim.add(dim_value=1)
    for node in reversed(before):
        graph.node.insert(0, node)
    graph.node.extend(behind)
    if before or behind:
        last = np.array([rank - 1], np.int64)
        graph.initializer.append(onnx.numpy_helper.from_array(last, axis))


def _lacks(value: Any, rank: int) -> bool:
    dims = tensor_dims(value)
    return value.type.HasField("tensor_type") and dims is not None and len(dims) < rank
