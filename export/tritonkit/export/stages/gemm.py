"""Gemm as MatMul and Add, which the quantisers know how to store in 8 bits or fewer."""

from __future__ import annotations

from typing import Any

import numpy as np

from tritonkit.export.stages.operators import attribute, drop_unused_weights, floats
from tritonkit.extras import require

__all__ = ["split_gemm"]


def split_gemm(model: Any) -> Any:
    """
    Replace each Gemm with a constant FP32 weight by a MatMul of the same name and an Add.

    onnxruntime would do so too, but under names that cannot be excluded.

    Args:
        model: onnx.ModelProto; it is changed.
    """
    onnx = require("onnx", extra="export")
    weights = floats(model)
    nodes: list[Any] = []
    for node in model.graph.node:
        if (
            node.op_type != "Gemm"
            or node.input[1] not in weights
            or attribute(node, "transA", 0)
            or attribute(node, "beta", 1.0) != 1.0
        ):
            nodes.append(node)
            continue
        weight = onnx.numpy_helper.to_array(weights[node.input[1]])
        if attribute(node, "transB", 0):
            weight = weight.T
        weight = weight * np.float32(attribute(node, "alpha", 1.0))
        # A weight that two nodes share is stored twice: they may have different factors.
        name = f"{node.name}/weight"
        model.graph.initializer.append(
            onnx.numpy_helper.from_array(np.ascontiguousarray(weight), name)
        )
        biased = len(node.input) > 2 and node.input[2]
        product = f"{node.output[0]}/product" if biased else node.output[0]
        nodes.append(
            onnx.helper.make_node("MatMul", [node.input[0], name], [product], name=node.name)
        )
        if biased:
            nodes.append(
                onnx.helper.make_node(
                    "Add", [product, node.input[2]], [node.output[0]], name=f"{node.name}/bias"
                )
            )
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return drop_unused_weights(model)
