"""What keeps a graph from batching."""

from __future__ import annotations

from typing import NamedTuple

from tritonkit.repository.graph.graph import Graph
from tritonkit.repository.graph.tensor import GraphTensor

__all__ = ["NotBatchable", "why_not_batchable"]


class NotBatchable(NamedTuple):
    """
    What keeps a graph from batching.

    Args:
        tensor: An input or output.
        side: "input" or "output".
        reason: What is wrong with its first axis, as the end of a sentence.
    """

    tensor: GraphTensor
    side: str
    reason: str


def why_not_batchable(graph: Graph) -> tuple[NotBatchable, ...]:
    """Every input and output that keeps *graph* from batching; empty where it can."""
    sides = (("input", graph.inputs), ("output", graph.outputs))
    return tuple(
        NotBatchable(tensor, side, tensor.first_axis_problem)
        for side, tensors in sides
        for tensor in tensors
        if not tensor.variable_first_axis
    )
