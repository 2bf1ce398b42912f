"""Random inputs for a graph of which nothing is known but its signature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.export.graphs.signature import numpy_type
from tritonkit.repository import Tensor

__all__ = ["random_columns"]

_INTEGERS = 10
"""Integers stay below it: they may be indices into a table of unknown length."""


def random_columns(
    model: Any, inputs: Sequence[Tensor], count: int, *, free: int
) -> dict[str, NDArray[Any]] | None:
    """
    Numbers that most graphs can work with, the same each time.

    Floating-point inputs get a standard normal distribution, those of 8 unsigned bits all
    values as pixels have, other integers 0 to 9 or less where a table that they index is
    shorter.

    Args:
        model: onnx.ModelProto.
        inputs: Its inputs, dims without the batch axis.
        count: Rows.
        free: Size of an axis of any size.

    Returns:
        By input (count, ...); None where an input takes strings.
    """
    generator = np.random.default_rng(0)
    columns = {}
    for tensor in inputs:
        dtype = numpy_type(tensor.data_type)
        shape = (count, *(free if size == -1 else size for size in tensor.dims))
        if dtype.hasobject:
            return None
        if dtype.kind == "f":
            columns[tensor.name] = generator.standard_normal(shape).astype(dtype)
        else:
            limit = {"b": 2, "u": 256 if dtype.itemsize == 1 else _INTEGERS}.get(
                dtype.kind, _INTEGERS
            )
            limit = min([limit, *_table_lengths(model.graph, tensor.name)])
            columns[tensor.name] = generator.integers(0, max(limit, 1), shape).astype(dtype)
    return columns


def _table_lengths(graph: Any, name: str) -> list[int]:
    """Lengths of the constant tables that input *name* indexes."""
    tables = {tensor.name: tensor.dims for tensor in graph.initializer}
    lengths = []
    for node in graph.node:
        if node.op_type == "Gather" and node.input[1] == name and node.input[0] in tables:
            axis = next((a.i for a in node.attribute if a.name == "axis"), 0)
            lengths.append(int(tables[node.input[0]][axis]))
    return lengths
