"""From logits of each token to probabilities, at the end of a graph."""

from __future__ import annotations

from typing import Any

from tritonkit.export.graphs.head import append_head
from tritonkit.extras import require

__all__ = ["TOKEN_PROBABILITIES", "append_token_classes"]

TOKEN_PROBABILITIES = "probabilities"
"""Output: FP32 (tokens, classes)."""


def append_token_classes(model: Any, classes: int) -> Any:
    """
    End *model* in the probability of each class for each token.

    Args:
        model: An onnx.ModelProto whose first output is logits (batch, sequence, classes).
        classes: How many there are; written into the output's shape.

    Returns:
        A model whose only output is `probabilities`, FP32 (batch, sequence, classes).
    """
    onnx = require("onnx", extra="export")
    helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
    logits = "token_classes/logits"
    nodes = [
        helper.make_node("Cast", [model.graph.output[0].name], [logits], to=float32),
        helper.make_node("Softmax", [logits], [TOKEN_PROBABILITIES], axis=-1),
    ]
    shape = ["batch_size", "sequence_length", classes]
    output = helper.make_tensor_value_info(TOKEN_PROBABILITIES, float32, shape)
    return append_head(model, nodes, [], [output])
