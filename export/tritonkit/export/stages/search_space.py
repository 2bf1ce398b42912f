"""The recipes that are worth trying on a graph."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from tritonkit.export.stages.instructions import InstructionSet
from tritonkit.export.stages.operators import embedding_tables, floats, weighted_nodes
from tritonkit.export.stages.recipe import Recipe
from tritonkit.export.stages.recipes import (
    Dynamic,
    Half,
    Mixed,
    Single,
    Static,
    WeightOnly,
    share,
)
from tritonkit.export.stages.rewrite import load

__all__ = ["search_space"]

_WORTH = 0.2
"""The least share of a graph's weights in products and tables to try what quantises these."""

_AHEAD = 4
"""How many recipes for products are tried before static ones."""


def search_space(
    graph: Path, *, calibrated: bool, instructions: InstructionSet
) -> tuple[Recipe, ...]:
    """
    What is worth trying on *graph*, fp32 first, then the most promising.

    Args:
        graph: The converted graph, FP32.
        calibrated: Whether there are calibration batches.
        instructions: Of the CPU that it is measured on.
    """
    model = load(graph)
    products = weighted_nodes(model, ("MatMul", "Gemm"))
    convolutions = weighted_nodes(model, ("Conv",))
    if not products and not convolutions and not embedding_tables(model):
        return (Single(),)
    fused = _foldable(model)
    of_products: list[Recipe] = []
    if _weight_in_products(model) >= _WORTH:
        of_products = _for_products(len(products), instructions, fused=fused)
    static: list[Recipe] = []
    if calibrated and (products or convolutions):
        static = [Static(method=method) for method in ("minmax", "percentile", "entropy")]
        if instructions.saturates:
            static.insert(0, Static(reduce_range=True))
        if len(convolutions) <= len(products):
            static[1:1] = [Static(sensitive=count) for count in _counts(len(products), 2, 3)]
    # Convolutions gain most from ranges that are known beforehand, products least.
    quantised = (
        [*static, *of_products]
        if len(convolutions) > len(products)
        else [*of_products[:_AHEAD], *static, *of_products[_AHEAD:]]
    )
    rest: list[Recipe] = [Half(), *[Single(fused=True)] * fused]
    return (Single(), *quantised, *rest)


def _for_products(products: int, instructions: InstructionSet, *, fused: bool) -> list[Recipe]:
    # Sums are cut off there; 7 bits or two unsigned factors avoid it.
    narrow = instructions.saturates
    mixed = [Mixed(sensitive=count, reduce_range=narrow) for count in _counts(products, 2, 3, 1)]
    return [
        *[Dynamic(reduce_range=True)] * narrow,
        Dynamic(),
        # Before what needs the ranking of nodes, which takes a run for each: in little time
        # there is then one that is fast, and one that is accurate whatever is in its batch.
        WeightOnly(block_size=32),
        WeightOnly(block_size=128),
        *mixed[:1],
        *[Dynamic(unsigned=True)] * narrow,
        *[Dynamic(fused=True, reduce_range=narrow)] * fused,
        *mixed[1:],
        WeightOnly(bits=4),
    ]


def _counts(products: int, *ninths: int) -> list[int]:
    counts = dict.fromkeys(share(products, number) for number in ninths)
    return [count for count in counts if count < products]


def _foldable(model: Any) -> bool:
    kinds = {node.op_type for node in model.graph.node}
    return "BatchNormalization" in kinds or {"MatMul", "Softmax"} <= kinds


def _weight_in_products(model: Any) -> float:
    weights = floats(model)
    sizes: dict[str, int] = {name: math.prod(tensor.dims) for name, tensor in weights.items()}
    inputs = {
        node.input[1]
        for node in model.graph.node
        if node.op_type in ("MatMul", "Gemm") and node.input[1] in weights
    }
    within = sum(sizes[name] for name in {*inputs, *embedding_tables(model)})
    return within / sum(sizes.values())
