"""An input or output of a configuration, and the tensor of the graph that it stands for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tritonkit.repository.check.entry import Entry
from tritonkit.repository.config import ModelConfig
from tritonkit.repository.graph.graph import Graph
from tritonkit.repository.graph.tensor import GraphTensor

__all__ = ["Pair", "pairs_of", "shapes_compared"]


class Pair(NamedTuple):
    """
    An entry and its tensor.

    Args:
        entry: In the configuration.
        tensor: In the graph, of the same side and name.
    """

    entry: Entry
    tensor: GraphTensor


def pairs_of(entries: Sequence[Entry], graph: Graph | None) -> tuple[Pair, ...]:
    """The entries that *graph* has a tensor for, each with it; none without a graph."""
    if graph is None:
        return ()
    tensors = {("input", tensor.name): tensor for tensor in (*graph.overridable, *graph.inputs)}
    tensors.update({("output", tensor.name): tensor for tensor in graph.outputs})
    return tuple(
        Pair(entry, tensors[entry.side, entry.name])
        for entry in entries
        if (entry.side, entry.name) in tensors
    )


def shapes_compared(pairs: Sequence[Pair], config: ModelConfig) -> Iterator[Pair]:
    """
    Those of *pairs* whose shapes are to be alike.

    A ragged input is flattened, and what a batch output splits need not have the graph's shape.
    """
    split = {name for batch in config.batch_output for name in batch.target_name}
    for pair in pairs:
        entry = pair.entry
        if not (entry.ragged or (entry.side == "output" and entry.name in split)):
            yield pair
