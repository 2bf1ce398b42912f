"""Pooling and L2 normalisation, appended to an encoder's graph."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from tritonkit.errors import ExportError
from tritonkit.export.graphs.head import append_head
from tritonkit.extras import require

__all__ = ["OUTPUT", "PoolingMode", "append_pooling"]

PoolingMode: TypeAlias = Literal["cls", "max", "mean"]
"""How token embeddings become one embedding, by sentence-transformers' names."""

OUTPUT = "embedding"
"""Name of the output that pooling adds."""

# Under a prefix, as an encoder has names of its own.
_TOKENS = "pooling/tokens"
_MASK = "pooling/mask"


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
    pooled_name = "pooling/pooled" if normalize else OUTPUT
    nodes = [
        # A half-precision encoder must not sum its tokens in half precision.
        helper.make_node("Cast", [model.graph.output[0].name], [_TOKENS], to=float32),
        helper.make_node("Cast", ["attention_mask"], ["pooling/mask_2d"], to=float32),
        helper.make_node("Unsqueeze", ["pooling/mask_2d", "pooling/axis_2"], [_MASK]),
        *_pool(helper, mode, pooled_name),
    ]
    if normalize:
        nodes += [
            helper.make_node("ReduceL2", [pooled_name], ["pooling/norm"], axes=[1], keepdims=1),
            helper.make_node("Max", ["pooling/norm", "pooling/tiny"], ["pooling/norm_or_tiny"]),
            helper.make_node("Div", [pooled_name, "pooling/norm_or_tiny"], [OUTPUT]),
        ]
    int64 = onnx.TensorProto.INT64
    constants = [
        helper.make_tensor("pooling/axis_1", int64, [1], [1]),
        helper.make_tensor("pooling/axis_2", int64, [1], [2]),
        helper.make_tensor("pooling/first", int64, [], [0]),
        helper.make_tensor("pooling/few", float32, [], [1e-9]),
        helper.make_tensor("pooling/tiny", float32, [], [1e-12]),
        helper.make_tensor("pooling/zero", float32, [], [0.0]),
        helper.make_tensor("pooling/lowest", float32, [], [-3.0e38]),
    ]
    output = helper.make_tensor_value_info(OUTPUT, float32, ["batch_size", dimension])
    return append_head(model, nodes, constants, [output])


def _pool(helper: Any, mode: PoolingMode, output: str) -> list[Any]:
    if mode == "mean":
        axis = "pooling/axis_1"
        return [
            helper.make_node("Mul", [_TOKENS, _MASK], ["pooling/masked"]),
            helper.make_node("ReduceSum", ["pooling/masked", axis], ["pooling/sum"], keepdims=0),
            helper.make_node("ReduceSum", [_MASK, axis], ["pooling/count"], keepdims=0),
            helper.make_node("Max", ["pooling/count", "pooling/few"], ["pooling/count_or_few"]),
            helper.make_node("Div", ["pooling/sum", "pooling/count_or_few"], [output]),
        ]
    if mode == "max":
        return [
            helper.make_node("Equal", [_MASK, "pooling/zero"], ["pooling/is_padding"]),
            helper.make_node(
                "Where", ["pooling/is_padding", "pooling/lowest", _TOKENS], ["pooling/masked"]
            ),
            helper.make_node("ReduceMax", ["pooling/masked"], [output], axes=[1], keepdims=0),
        ]
    # The tokenizer model pads on the right: the first token is at 0.
    return [helper.make_node("Gather", [_TOKENS, "pooling/first"], [output], axis=1)]
