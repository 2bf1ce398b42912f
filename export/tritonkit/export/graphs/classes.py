"""From logits to a label and probabilities, or to a score, at the end of a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from tritonkit.export.graphs.head import append_head
from tritonkit.extras import require

__all__ = ["LABEL", "PROBABILITIES", "SCORE", "Activation", "append_classes", "append_score"]

LABEL = "label"
"""Output: the name of the most probable class, TYPE_STRING (1,)."""

PROBABILITIES = "probabilities"
"""Output: FP32 (classes,)."""

SCORE = "score"
"""Output of a model with one number: FP32 (1,)."""

Activation: TypeAlias = Literal["softmax", "sigmoid", "none"]
"""
What makes a probability of a logit.

softmax: one class of several; they sum to 1.
sigmoid: each class for itself.
none: the logit is the answer.
"""


def append_classes(model: Any, labels: Sequence[str], *, activation: Activation) -> Any:
    """
    End *model* in the most probable class and the probability of each.

    Args:
        model: An onnx.ModelProto whose first output is logits (batch, classes).
        labels: Names of the classes.
        activation: What makes probabilities of logits.

    Returns:
        A model with the outputs `label`, strings (batch, 1), and `probabilities`,
        FP32 (batch, classes).
    """
    onnx = require("onnx", extra="export")
    helper, kind = onnx.helper, onnx.TensorProto
    nodes = [
        *_activate(helper, kind, model, PROBABILITIES, activation),
        helper.make_node("ArgMax", [PROBABILITIES], ["classes/best"], axis=1, keepdims=1),
        helper.make_node("Gather", ["classes/labels", "classes/best"], [LABEL], axis=0),
    ]
    constants = [
        helper.make_tensor(
            "classes/labels", kind.STRING, [len(labels)], [label.encode() for label in labels]
        )
    ]
    outputs = [
        helper.make_tensor_value_info(LABEL, kind.STRING, ["batch_size", 1]),
        helper.make_tensor_value_info(PROBABILITIES, kind.FLOAT, ["batch_size", len(labels)]),
    ]
    return append_head(model, nodes, constants, outputs)


def append_score(model: Any, *, activation: Activation) -> Any:
    """
    End *model* in its one number.

    Args:
        model: An onnx.ModelProto whose first output is one logit a row, (batch, 1).
        activation: What makes the score of it.

    Returns:
        A model whose only output is `score`, FP32 (batch, 1).
    """
    onnx = require("onnx", extra="export")
    helper, kind = onnx.helper, onnx.TensorProto
    output = helper.make_tensor_value_info(SCORE, kind.FLOAT, ["batch_size", 1])
    return append_head(model, _activate(helper, kind, model, SCORE, activation), [], [output])


def _activate(helper: Any, kind: Any, model: Any, output: str, activation: Activation) -> list[Any]:
    # Half-precision logits must not be summed in half precision.
    logits = "classes/logits"
    cast = helper.make_node("Cast", [model.graph.output[0].name], [logits], to=kind.FLOAT)
    if activation == "softmax":
        return [cast, helper.make_node("Softmax", [logits], [output], axis=-1)]
    operator = "Sigmoid" if activation == "sigmoid" else "Identity"
    return [cast, helper.make_node(operator, [logits], [output])]
