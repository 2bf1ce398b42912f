"""What is appended to a graph in place of its outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tritonkit.extras import require

__all__ = ["append_head"]


def append_head(
    model: Any, nodes: Sequence[Any], constants: Sequence[Any], outputs: Sequence[Any]
) -> Any:
    """
    End a graph otherwise.

    Args:
        model: An onnx.ModelProto.
        nodes: onnx.NodeProto to append.
        constants: onnx.TensorProto that they read; those that none reads are left out.
        outputs: onnx.ValueInfoProto of all outputs of the new model.

    Returns:
        A new onnx.ModelProto; *model* stays as it was.
    """
    onnx = require("onnx", extra="export")
    ended = onnx.ModelProto()
    ended.CopyFrom(model)
    ended.graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    ended.graph.initializer.extend(constant for constant in constants if constant.name in used)
    del ended.graph.output[:]
    ended.graph.output.extend(outputs)
    onnx.checker.check_model(ended)
    return ended
