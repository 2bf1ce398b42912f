"""Outputs of a tabular model as Triton takes them, and what its graph tells of its columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tritonkit.export.graphs.names import rename
from tritonkit.export.graphs.opset import OPSET
from tritonkit.extras import require
from tritonkit.repository import Tensor

__all__ = ["column_ranges", "name_outputs"]

_BATCH = "batch_size"
_ELEMENTS = {"TYPE_FP32": "FLOAT", "TYPE_INT64": "INT64", "TYPE_STRING": "STRING"}
# Standard deviations, where a scaler tells them.
_WIDE = 3.0


def name_outputs(model: Any, outputs: Sequence[Tensor]) -> Any:
    """
    Give *model* the *outputs*, each of shape (batch, size).

    Labels of shape (batch,) get their second axis, and shapes that a converter wrote
    wrongly are replaced: Triton compares them with the configuration's.

    Args:
        model: onnx.ModelProto; it is changed.
        outputs: One for each output of the graph, in its order; dims of one axis.

    Returns:
        *model*; the first axis of its inputs and outputs is "batch_size".
    """
    onnx = require("onnx", extra="export")
    helper, graph = onnx.helper, model.graph
    if not any(opset.domain == "" for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid("", OPSET))
    for position, value in enumerate(graph.output):
        rename(graph, value.name, f"outputs/{position}/given")
    values = []
    for position, tensor in enumerate(outputs):
        shape, inner = f"outputs/{position}/shape", f"outputs/{position}/given"
        # A converter may call a tensor in between so.
        rename(graph, tensor.name, f"outputs/{position}/other")
        graph.initializer.append(
            helper.make_tensor(shape, onnx.TensorProto.INT64, [2], [-1, *tensor.dims])
        )
        graph.node.append(helper.make_node("Reshape", [inner, shape], [tensor.name]))
        element = getattr(onnx.TensorProto, _ELEMENTS[tensor.data_type])
        values.append(helper.make_tensor_value_info(tensor.name, element, [_BATCH, *tensor.dims]))
    del graph.output[:]
    graph.output.extend(values)
    # Their first axis is the old one, where there are any.
    del graph.value_info[:]
    for value in graph.input:
        first = value.type.tensor_type.shape.dim[0]
        first.Clear()
        first.dim_param = _BATCH
    onnx.checker.check_model(model)
    return model


def column_ranges(model: Any, features: str, columns: int) -> list[tuple[float, float]]:
    """
    Between which values each column decides something.

    Args:
        model: onnx.ModelProto.
        features: Its input of shape (batch, columns).
        columns: How many.

    Returns:
        For each column the range of the thresholds that trees compare it to, widened, or
        3 standard deviations around the mean that a scaler takes away; -3 to 3 where the
        graph tells neither.
    """
    onnx = require("onnx", extra="export")
    constants = {c.name: onnx.numpy_helper.to_array(c) for c in model.graph.initializer}
    means: dict[str, Any] = {}
    same, thresholds = {features}, [list[float]() for _ in range(columns)]
    for node in model.graph.node:
        if not node.input or node.input[0] not in {*same, *means}:
            continue
        found = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type in ("Cast", "Identity"):
            same.add(node.output[0])
        elif node.op_type.startswith("TreeEnsemble") and "nodes_values" in found:
            for column, mode, value in zip(
                found["nodes_featureids"], found["nodes_modes"], found["nodes_values"], strict=True
            ):
                if mode != b"LEAF":
                    thresholds[column].append(value)
        elif node.op_type == "Sub" and node.input[1] in constants:
            means[node.output[0]] = constants[node.input[1]]
        elif node.op_type == "Div" and node.input[0] in means and node.input[1] in constants:
            pairs = zip(means[node.input[0]], constants[node.input[1]], strict=True)
            for at, (mean, deviation) in zip(thresholds, pairs, strict=True):
                at.extend((mean - _WIDE * deviation, mean + _WIDE * deviation))
    return [_widened(values) for values in thresholds]


def _widened(values: list[float]) -> tuple[float, float]:
    finite = [value for value in values if np.isfinite(value)]
    if not finite:
        return -_WIDE, _WIDE
    margin = (max(finite) - min(finite)) / 10 or max(1.0, abs(finite[0]) / 10)
    return min(finite) - margin, max(finite) + margin
