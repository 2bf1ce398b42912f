"""Which nodes 8 bits hurt most."""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tritonkit.export.stages.gemm import split_gemm
from tritonkit.export.stages.operators import require_weights, weighted_nodes
from tritonkit.export.stages.recipe import Bench
from tritonkit.export.stages.rewrite import load, store
from tritonkit.extras import require

__all__ = ["rank_nodes"]


def rank_nodes(bench: Bench) -> tuple[str, ...]:
    """
    Names of the matrix products with constant weights, the most sensitive first.

    Each is rounded alone as dynamic int8 would round it, and `bench.loss` says what that
    costs: a run for each node. The losses are kept in `bench.scratch`, for the next who asks.

    Raises:
        ExportError: If the graph has no matrix product with constant weights.
        MissingExtra: If the export extra is not installed.
    """
    kept = bench.scratch / "sensitivity.json"
    if kept.exists():
        losses: dict[str, float] = json.loads(kept.read_text(encoding="utf-8"))
    else:
        losses = _losses(bench)
        written = kept.with_suffix(".part")
        written.write_text(json.dumps(losses, indent=2) + "\n", encoding="utf-8")
        written.replace(kept)
    return tuple(sorted(losses, key=lambda name: -losses[name]))


def _losses(bench: Bench) -> dict[str, float]:
    model = load(bench.graph)
    require_weights(model, ("MatMul", "Gemm"))
    model = split_gemm(model)
    losses: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=bench.scratch) as folder:
        graph = Path(folder) / "rounded.onnx"
        for name in weighted_nodes(model, ("MatMul",)):
            # Read once: reading is most of what a node costs.
            store(_rounded(copy.deepcopy(model), name), graph)
            losses[name] = float(bench.loss(graph))
    return losses


def _rounded(model: Any, name: str) -> Any:
    """
    *model* with what node *name* multiplies rounded to 8 bits, and multiplied in FP32.

    The result is that of dynamic int8, but for the order of sums.
    """
    onnx = require("onnx", extra="export")
    position, product = next(
        (position, node) for position, node in enumerate(model.graph.node) if node.name == name
    )
    activation, weight = product.input
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == weight)
    values = onnx.numpy_helper.to_array(tensor)
    largest = np.abs(values).max(axis=-2, keepdims=True)
    scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    model.graph.initializer.append(
        onnx.numpy_helper.from_array(np.rint(values / scale) * scale, f"{name}/rounded")
    )
    stored = [f"{name}/{part}" for part in ("stored", "scale", "zero")]
    product.input[:] = [f"{name}/activation", f"{name}/rounded"]
    for offset, node in enumerate(
        (
            onnx.helper.make_node("DynamicQuantizeLinear", [activation], stored),
            onnx.helper.make_node("DequantizeLinear", stored, [f"{name}/activation"]),
        )
    ):
        model.graph.node.insert(position + offset, node)
    return model
