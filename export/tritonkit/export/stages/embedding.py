"""Embedding tables in 8 bits: one scale a row."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from tritonkit.export.stages.operators import drop_unused_weights, embedding_tables, floats
from tritonkit.extras import require

__all__ = ["quantise_embeddings"]


def quantise_embeddings(model: Any, *, exclude: Collection[str] = ()) -> Any:
    """
    Store each embedding table as int8, with the largest magnitude of a row as its 127.

    A row is looked up as it is stored, its scale beside it, and multiplied: an answer
    does not depend on its batch, and an outlier in one row costs no other row anything.

    Args:
        model: onnx.ModelProto; it is changed.
        exclude: Names of Gather nodes whose tables stay as they are.
    """
    onnx = require("onnx", extra="export")
    make_node, from_array = onnx.helper.make_node, onnx.numpy_helper.from_array
    tables = set(embedding_tables(model, exclude=exclude))
    for name, tensor in floats(model).items():
        if name in tables:
            table = onnx.numpy_helper.to_array(tensor)
            largest = np.abs(table).max(axis=1, keepdims=True)
            scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
            stored = np.rint(table / scale).astype(np.int8)
            model.graph.initializer.append(from_array(stored, f"{name}/int8"))
            model.graph.initializer.append(from_array(scale, f"{name}/scale"))
    nodes: list[Any] = []
    for node in model.graph.node:
        if node.op_type != "Gather" or node.input[0] not in tables:
            nodes.append(node)
            continue
        name, rows = node.input
        looked_up, scale_row, row = (
            f"{node.output[0]}/{part}" for part in ("int8", "scale", "float")
        )
        nodes += [
            make_node("Gather", [f"{name}/int8", rows], [looked_up], name=node.name),
            make_node("Gather", [f"{name}/scale", rows], [scale_row], name=f"{node.name}/scale"),
            make_node(
                "Cast", [looked_up], [row], name=f"{node.name}/float", to=onnx.TensorProto.FLOAT
            ),
            make_node("Mul", [row, scale_row], [node.output[0]], name=f"{node.name}/row"),
        ]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return drop_unused_weights(model)
