"""Mixed precision: 8 bits for all, and no rounded activations where that hurts most."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from tritonkit.export.stages.dynamic import quantise_nodes
from tritonkit.export.stages.embedding import quantise_embeddings
from tritonkit.export.stages.gemm import split_gemm
from tritonkit.export.stages.operators import require_nodes, require_weights, weighted_nodes
from tritonkit.export.stages.rewrite import rewrite
from tritonkit.export.stages.weights import store_in_blocks

__all__ = ["quantise_mixed"]


def quantise_mixed(
    source: Path,
    target: Path,
    *,
    sensitive: Collection[str],
    block_size: int = 32,
    unsigned: bool = False,
    reduce_range: bool = False,
) -> None:
    """
    Store the weights of *sensitive* nodes in blocks of 8 bits, and those of others in int8.

    Embedding tables are stored as int8, one scale a row. As long as one node is
    quantised dynamically, an answer depends on what else is in its batch.

    Args:
        source: ONNX file with FP32 weights.
        target: ONNX file to write.
        sensitive: Names of MatMul or Gemm nodes, the first few of `rank_nodes`.
        block_size: Weights of a sensitive node that share a scale; a power of two from 16 on.
        unsigned: Weights of the other nodes as uint8.
        reduce_range: Weights of the other nodes in 7 bits.

    Raises:
        ConfigError: If a sensitive node does not exist.
        ExportError: If the graph has nothing to quantise, or onnxruntime fails.
        MissingExtra: If the export extra is not installed.
    """

    def change(model: Any) -> Any:
        require_weights(model, ("MatMul", "Gemm"))
        require_nodes(model, sensitive)
        model = quantise_embeddings(split_gemm(model))
        rest = [name for name in weighted_nodes(model, ("MatMul",)) if name not in sensitive]
        model = quantise_nodes(model, rest, unsigned=unsigned, reduce_range=reduce_range)
        return store_in_blocks(model, sensitive, bits=8, block_size=block_size, accuracy_level=4)

    rewrite(source, target, change, what="mixed quantisation")
