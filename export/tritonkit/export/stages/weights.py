"""Weight-only: weights in 8 or 4 bits, in blocks; activations as they were."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

from tritonkit.errors import ConfigError
from tritonkit.export.stages.embedding import quantise_embeddings
from tritonkit.export.stages.gemm import split_gemm
from tritonkit.export.stages.operators import (
    embedding_tables,
    require_nodes,
    require_weights,
    weighted_nodes,
)
from tritonkit.export.stages.rewrite import rewrite
from tritonkit.extras import require

__all__ = ["quantise_weights", "store_in_blocks"]


def quantise_weights(
    source: Path,
    target: Path,
    *,
    bits: Literal[4, 8] = 8,
    block_size: int = 32,
    accuracy_level: int = 4,
    exclude: Collection[str] = (),
) -> None:
    """
    Store the weights of matrix products and embedding tables in *bits*.

    Each block of a weight's column has a scale of its own, and an answer does not depend
    on its batch. The operators are onnxruntime's own: MatMulNBits, and for tables in
    4 bits GatherBlockQuantized.

    Args:
        source: ONNX file with FP32 weights.
        target: ONNX file to write.
        bits: 8, or 4.
        block_size: Weights that share a scale; a power of two from 16 on. Larger is
            smaller, faster and less accurate.
        accuracy_level: What products are computed in: 4 is int8 with one scale a block of
            a row, which is the fastest on CPUs; 1 is FP32.
        exclude: Names of nodes that stay FP32.

    Raises:
        ConfigError: If an argument is out of range, or an excluded node does not exist.
        ExportError: If the graph has nothing to quantise, or onnxruntime fails.
        MissingExtra: If the export extra is not installed.
    """
    if bits not in (4, 8):
        raise ConfigError(f"bits must be 4 or 8, but got {bits}.")
    if block_size < 16 or block_size & (block_size - 1):
        raise ConfigError(f"block_size must be a power of two from 16 on, but got {block_size}.")
    if accuracy_level not in range(5):
        raise ConfigError(f"accuracy_level must be 0 to 4, but got {accuracy_level}.")

    def change(model: Any) -> Any:
        require_weights(model, ("MatMul", "Gemm"), tables=True)
        require_nodes(model, exclude)
        model = split_gemm(model)
        nodes = [name for name in weighted_nodes(model, ("MatMul",)) if name not in exclude]
        if bits == 8:
            model = quantise_embeddings(model, exclude=exclude)
        else:
            tables = set(embedding_tables(model, exclude=exclude))
            nodes += [node.name for node in model.graph.node if tables & {*node.input}]
        return store_in_blocks(
            model, nodes, bits=bits, block_size=block_size, accuracy_level=accuracy_level
        )

    rewrite(source, target, change, what=f"weight-only quantisation to {bits} bits")


def store_in_blocks(
    model: Any, nodes: Collection[str], *, bits: int, block_size: int, accuracy_level: int
) -> Any:
    """
    *model* with the weights of *nodes* in blocks, and nothing else.

    Args:
        model: onnx.ModelProto without Gemm; it is changed.
        nodes: Names of MatMul nodes, and of Gather nodes where *bits* is 4.
        bits: 8, or 4.
        block_size: Weights that share a scale.
        accuracy_level: As MatMulNBits has it.
    """
    if not nodes:
        return model
    nbits = require("onnxruntime.quantization.matmul_nbits_quantizer", extra="export")
    opset = {entry.domain: entry.version for entry in model.opset_import}
    quantiser = nbits.MatMulNBitsQuantizer(
        model,
        bits=bits,
        block_size=block_size,
        # 4 bits are too few to spend one on a range that is not symmetric.
        is_symmetric=bits == 8,
        accuracy_level=accuracy_level,
        op_types_to_quantize=tuple(
            {node.op_type for node in model.graph.node if node.name in nodes}
        ),
        nodes_to_exclude=[node.name for node in model.graph.node if node.name not in nodes],
    )
    quantiser.process()
    made = quantiser.model.model
    # It raises the opset for the type of 4-bit tables, without converting the operators;
    # only the IR version decides which types a file may hold.
    for entry in made.opset_import:
        entry.version = opset.get(entry.domain, entry.version)
    return made
