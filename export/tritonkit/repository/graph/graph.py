"""What an ONNX graph takes, gives and needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tritonkit.errors import RepositoryError
from tritonkit.repository.graph.tensor import GraphTensor

__all__ = ["ExternalData", "Graph", "GraphError", "NotBatchable", "Operator", "why_not_batchable"]


class GraphError(RepositoryError):
    """A file is no ONNX model, or cannot be read; the message names file, byte and reason."""


class Operator(NamedTuple):
    """A type of operator; the domain of ONNX's own is ""."""

    domain: str
    name: str


@dataclass(frozen=True, slots=True)
class ExternalData:
    """
    A file that holds weights of a graph.

    Args:
        location: Its path, relative to the model file's folder.
        needed_bytes: Its least size, from the offsets and lengths that the graph names.
        found_bytes: Its size; None where there is no such file.
    """

    location: str
    needed_bytes: int
    found_bytes: int | None


@dataclass(frozen=True, slots=True)
class Graph:
    """
    What a model file says of its graph.

    Shapes are those that the file declares. onnxruntime infers shapes too, and may know an
    axis of an output that the file leaves open.

    Args:
        path: The file.
        inputs: What a run must be given, in the graph's order.
        overridable: Inputs that have a value of their own unless they are given one.
        outputs: What it gives.
        opsets: Version by domain; ONNX's own domain is "".
        operators: The types of operators, in subgraphs and functions too.
        functions: The operators that the file itself defines.
        external_data: The files beside it that hold weights.
        ir_version: 0 where the file does not say.
        producer: Name and version of what wrote it, "" where it does not say.
        metadata: The model's own properties.
    """

    path: Path
    inputs: tuple[GraphTensor, ...]
    overridable: tuple[GraphTensor, ...]
    outputs: tuple[GraphTensor, ...]
    opsets: Mapping[str, int]
    operators: frozenset[Operator]
    functions: frozenset[Operator]
    external_data: tuple[ExternalData, ...]
    ir_version: int
    producer: str
    metadata: Mapping[str, str]

    @property
    def batchable(self) -> bool:
        """
        Whether Triton's onnxruntime backend takes it for a model that batches.

        Every input and output must have a variable first axis.
        """
        return all(t.variable_first_axis for t in (*self.inputs, *self.outputs))

    @property
    def quantised(self) -> bool:
        """Whether it holds QuantizeLinear or DequantizeLinear (Q/DQ)."""
        return any(op.name in ("QuantizeLinear", "DequantizeLinear") for op in self.operators)


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
