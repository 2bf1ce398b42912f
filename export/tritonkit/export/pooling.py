"""Pooling and L2 normalisation, appended to an encoder's graph."""

from __future__ import annotations

from typing import Any

from tritonkit.errors import ExportError
from tritonkit.export.source import PoolingMode
from tritonkit.extras import require

__all__ = ["OUTPUT", "append_pooling"]

OUTPUT = "embedding"
"""Name of the output that pooling adds."""

_FLOAT = "last_hidden_f32"
_MASK = "pooling_mask"


def append_pooling(model: Any, mode: PoolingMode, *, normalize: bool, dimension: int) -> Any:
    """
    End *model* in one embedding per row.

    Args:
        model: An onnx.ModelProto with input attention_mask (batch, sequence)
            and first output token embeddings (batch, sequence, dimension).
        mode: How token embeddings become one.
        normalize: Whether to scale each embedding to length 1.
        dimension: Written into the output's shape: Triton compares it exactly.

    Returns:
        A model whose only output is `embedding`, FP32 (batch, dimension).

    Raises:
        ExportError: If the model has no attention_mask.

    Source: sentence_transformers Pooling and Normalize; with their epsilons, 1e-9 on the
    count of tokens and 1e-12 on the length.
    """
    onnx = require("onnx", extra="export")
    helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
    if "attention_mask" not in {tensor.name for tensor in model.graph.input}:
        raise ExportError("pooling needs an encoder with the input attention_mask.")
    pooled = onnx.ModelProto()
    pooled.CopyFrom(model)
    graph = pooled.graph
    nodes = [
        # A half-precision encoder must not sum its tokens in half precision.
        helper.make_node("Cast", [graph.output[0].name], [_FLOAT], to=float32),
        helper.make_node("Cast", ["attention_mask"], ["mask_f32"], to=float32),
        helper.make_node("Unsqueeze", ["mask_f32", "pooling_axis_2"], [_MASK]),
        *_pool(helper, mode, "pooled" if normalize else OUTPUT),
    ]
    if normalize:
        nodes += [
            helper.make_node("ReduceL2", ["pooled"], ["norm"], axes=[1], keepdims=1),
            helper.make_node("Max", ["norm", "pooling_tiny"], ["norm_or_tiny"]),
            helper.make_node("Div", ["pooled", "norm_or_tiny"], [OUTPUT]),
        ]
    graph.node.extend(nodes)
    constants = {
        "pooling_axis_1": helper.make_tensor("pooling_axis_1", onnx.TensorProto.INT64, [1], [1]),
        "pooling_axis_2": helper.make_tensor("pooling_axis_2", onnx.TensorProto.INT64, [1], [2]),
        "pooling_few": helper.make_tensor("pooling_few", float32, [], [1e-9]),
        "pooling_tiny": helper.make_tensor("pooling_tiny", float32, [], [1e-12]),
        "pooling_first": helper.make_tensor("pooling_first", onnx.TensorProto.INT64, [], [0]),
        "pooling_one": helper.make_tensor("pooling_one", float32, [], [1.0]),
        "pooling_lowest": helper.make_tensor("pooling_lowest", float32, [], [-3.0e38]),
    }
    used = {name for node in nodes for name in node.input}
    graph.initializer.extend(tensor for name, tensor in constants.items() if name in used)
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(OUTPUT, float32, ["batch_size", dimension]))
    onnx.checker.check_model(pooled)
    return pooled


def _pool(helper: Any, mode: PoolingMode, output: str) -> list[Any]:
    if mode == "mean":
        return [
            helper.make_node("Mul", [_FLOAT, _MASK], ["masked"]),
            helper.make_node("ReduceSum", ["masked", "pooling_axis_1"], ["sum"], keepdims=0),
            helper.make_node("ReduceSum", [_MASK, "pooling_axis_1"], ["tokens"], keepdims=0),
            helper.make_node("Max", ["tokens", "pooling_few"], ["tokens_or_few"]),
            helper.make_node("Div", ["sum", "tokens_or_few"], [output]),
        ]
    if mode == "max":
        return [
            helper.make_node("Equal", [_MASK, "pooling_one"], ["is_token"]),
            helper.make_node("Where", ["is_token", _FLOAT, "pooling_lowest"], ["masked"]),
            helper.make_node("ReduceMax", ["masked"], [output], axes=[1], keepdims=0),
        ]
    # The tokenizer model pads on the right: the first token is at 0.
    return [helper.make_node("Gather", [_FLOAT, "pooling_first"], [output], axis=1)]
