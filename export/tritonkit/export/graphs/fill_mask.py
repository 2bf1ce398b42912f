"""From logits of each token to the likeliest words for the masked one, at the end of a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tritonkit.export.graphs.head import append_head
from tritonkit.extras import require

__all__ = ["SCORES", "TOKENS", "append_fill_mask"]

TOKENS = "tokens"
"""Output: the likeliest tokens, best first, TYPE_STRING (best,)."""

SCORES = "scores"
"""Output: their probabilities, FP32 (best,)."""


def append_fill_mask(model: Any, mask_id: int, vocabulary: Sequence[str], *, best: int) -> Any:
    """
    End *model* in the likeliest tokens for the first masked one of each row.

    Args:
        model: An onnx.ModelProto with input input_ids (batch, sequence) and first output
            logits (batch, sequence, vocabulary).
        mask_id: Id of the mask token.
        vocabulary: The string of each id.
        best: How many tokens to give.

    Returns:
        A model with the outputs `tokens`, strings (batch, best), and `scores`,
        FP32 (batch, best).
    """
    onnx = require("onnx", extra="export")
    helper, kind = onnx.helper, onnx.TensorProto
    node = helper.make_node
    prefix = "fill_mask"
    logits, scores, ids = f"{prefix}/logits", f"{prefix}/scores", f"{prefix}/ids"
    nodes = [
        node("Equal", ["input_ids", f"{prefix}/mask_id"], [f"{prefix}/is_mask"]),
        node("Cast", [f"{prefix}/is_mask"], [f"{prefix}/is_mask_number"], to=kind.INT32),
        # (batch, 1): where the mask is, of equals the first.
        node("ArgMax", [f"{prefix}/is_mask_number"], [f"{prefix}/position"], axis=1, keepdims=1),
        # (batch, vocabulary): the logits there; batch_dims=1 goes row by row.
        node(
            "GatherND",
            [model.graph.output[0].name, f"{prefix}/position"],
            [f"{prefix}/any_logits"],
            batch_dims=1,
        ),
        node("Cast", [f"{prefix}/any_logits"], [logits], to=kind.FLOAT),
        node("Softmax", [logits], [scores], axis=-1),
        node("TopK", [scores, f"{prefix}/best"], [SCORES, ids], axis=-1),
        node("Gather", [f"{prefix}/vocabulary", ids], [TOKENS], axis=0),
    ]
    constants = [
        helper.make_tensor(f"{prefix}/mask_id", kind.INT64, [], [mask_id]),
        helper.make_tensor(f"{prefix}/best", kind.INT64, [1], [best]),
        helper.make_tensor(
            f"{prefix}/vocabulary",
            kind.STRING,
            [len(vocabulary)],
            [token.encode() for token in vocabulary],
        ),
    ]
    outputs = [
        helper.make_tensor_value_info(TOKENS, kind.STRING, ["batch_size", best]),
        helper.make_tensor_value_info(SCORES, kind.FLOAT, ["batch_size", best]),
    ]
    return append_head(model, nodes, constants, outputs)
