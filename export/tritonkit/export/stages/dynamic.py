"""Dynamic int8: weights stored in 8 bits, activations quantised as they come."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

from tritonkit.export.stages.embedding import quantise_embeddings
from tritonkit.export.stages.gemm import split_gemm
from tritonkit.export.stages.operators import require_nodes, require_weights, weighted_nodes
from tritonkit.export.stages.rewrite import load, rewrite
from tritonkit.extras import require

__all__ = ["quantise_dynamic", "quantise_nodes"]

OPERATORS = ("MatMul", "Gemm", "Attention")
"""
What is quantised dynamically, embedding tables beside.

Conv is not: onnxruntime computes it in 8 bits without a gain over FP32.
"""


def quantise_dynamic(
    source: Path,
    target: Path,
    *,
    unsigned: bool = False,
    reduce_range: bool = False,
    exclude: Collection[str] = (),
) -> None:
    """
    Store the weights of matrix products in int8, one scale a channel, and embedding tables.

    Activations share one scale a tensor, found as they come, so an answer depends on
    what else is in its batch.

    Args:
        source: ONNX file with FP32 weights.
        target: ONNX file to write.
        unsigned: Weights as uint8. Signed is the default: measured on a CPU with VNNI,
            unsigned weights lose half of the gain in speed.
        reduce_range: Weights in 7 bits, against the saturation of CPUs without VNNI.
        exclude: Names of nodes that stay FP32.

    Raises:
        ConfigError: If an excluded node does not exist.
        ExportError: If the graph has no matrix product with constant weights and no
            embedding table, or onnxruntime fails.
        MissingExtra: If the export extra is not installed.
    """

    def change(model: Any) -> Any:
        require_weights(model, OPERATORS, tables=True)
        require_nodes(model, exclude)
        model = quantise_embeddings(split_gemm(model), exclude=exclude)
        nodes = [name for name in weighted_nodes(model, OPERATORS) if name not in exclude]
        return quantise_nodes(model, nodes, unsigned=unsigned, reduce_range=reduce_range)

    rewrite(source, target, change, what="dynamic quantisation")


def quantise_nodes(
    model: Any, nodes: Collection[str], *, unsigned: bool = False, reduce_range: bool = False
) -> Any:
    """
    *model* with the weights of *nodes* in int8, and nothing else.

    Args:
        model: onnx.ModelProto without Gemm.
        nodes: Names of MatMul and Attention nodes; none leaves the model as it is.
        unsigned: Weights as uint8.
        reduce_range: Weights in 7 bits.
    """
    if not nodes:
        return model
    onnx = require("onnx", extra="export")
    quantization = require("onnxruntime.quantization", extra="export")
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "quantised.onnx"
        quantization.quantize_dynamic(
            model,
            str(written),
            op_types_to_quantize=["MatMul", "Attention"],
            nodes_to_quantize=list(nodes),
            per_channel=True,
            reduce_range=reduce_range,
            weight_type=quantization.QuantType.QUInt8 if unsigned else quantization.QuantType.QInt8,
            # Shape inference does not know the types behind a fused node.
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
        return load(written)
