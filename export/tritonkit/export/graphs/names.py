"""Names of a graph's tensors."""

from __future__ import annotations

from typing import Any

__all__ = ["rename"]


def rename(graph: Any, old: str, new: str) -> None:
    """
    Call a tensor otherwise, wherever *graph* and the graphs inside it name it.

    Args:
        graph: onnx.GraphProto; it is changed. Its outputs keep their names.
        old: Name of an input, a constant, or what a node makes.
        new: Must be nobody's name yet.
    """
    sparse = (tensor.values for tensor in graph.sparse_initializer)
    for named in (*graph.input, *graph.initializer, *sparse):
        if named.name == old:
            named.name = new
    for node in graph.node:
        for names in (node.input, node.output):
            for position, name in enumerate(names):
                if name == old:
                    names[position] = new
        for attribute in node.attribute:
            for subgraph in (attribute.g, *attribute.graphs):
                rename(subgraph, old, new)
