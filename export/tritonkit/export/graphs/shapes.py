"""Names, types and sizes of a graph's inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tritonkit.errors import ExportError
from tritonkit.extras import require
from tritonkit.repository import Tensor

__all__ = [
    "BATCH",
    "Dims",
    "first_axis_is_free",
    "graph_inputs",
    "graph_tensors",
    "infer_dims",
    "set_dims",
    "tensor_dims",
]

BATCH = "batch_size"
"""Name of the first axis of a batched graph's inputs and outputs."""

Dims = tuple[int | str, ...]
"""Sizes of a tensor's axes: a number, or the name of a size that is free, perhaps empty."""

_TRITON_TYPES = {
    "BOOL": "TYPE_BOOL",
    "UINT8": "TYPE_UINT8",
    "UINT16": "TYPE_UINT16",
    "UINT32": "TYPE_UINT32",
    "UINT64": "TYPE_UINT64",
    "INT8": "TYPE_INT8",
    "INT16": "TYPE_INT16",
    "INT32": "TYPE_INT32",
    "INT64": "TYPE_INT64",
    "FLOAT16": "TYPE_FP16",
    "FLOAT": "TYPE_FP32",
    "DOUBLE": "TYPE_FP64",
    "STRING": "TYPE_STRING",
}


def graph_tensors(model: Any, *, batched: bool) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """
    Inputs and outputs of a graph as a model configuration has them.

    Args:
        model: onnx.ModelProto. Triton compares the sizes of outputs exactly with the
            graph's, so these are what the graph itself says.
        batched: Whether the first axis of each is the batch, and no part of dims.

    Raises:
        ExportError: If one is a sequence or a map, is of a type or shape that Triton
            does not know, or has no axis left; the message names it.
    """
    return (
        tuple(_tensor(value, "input", batched) for value in graph_inputs(model)),
        tuple(_tensor(value, "output", batched) for value in model.graph.output),
    )


def graph_inputs(model: Any) -> list[Any]:
    """The inputs that must be fed: an initialiser is an input too in old files."""
    constants = {tensor.name for tensor in model.graph.initializer}
    constants |= {tensor.values.name for tensor in model.graph.sparse_initializer}
    return [value for value in model.graph.input if value.name not in constants]


def tensor_dims(value: Any) -> Dims | None:
    """The sizes of a ValueInfoProto's axes; None where not even their number is known."""
    if not value.type.tensor_type.HasField("shape"):
        return None
    return tuple(
        dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else dim.dim_param
        for dim in value.type.tensor_type.shape.dim
    )


def first_axis_is_free(model: Any) -> bool:
    """Whether the first axis of every input and output may have any size, as a batch has."""
    every = [tensor_dims(value) for value in (*graph_inputs(model), *model.graph.output)]
    return all(dims and isinstance(dims[0], str) for dims in every)


def infer_dims(model: Any) -> Any:
    """A copy of *model* in which onnx has found the shapes that follow from its inputs'."""
    onnx = require("onnx", extra="export")
    return onnx.shape_inference.infer_shapes(model, data_prop=True)


def set_dims(model: Any, dims: Mapping[str, Sequence[int | str]]) -> None:
    """Write sizes into the inputs and outputs of *model* that are named in *dims*."""
    for value in (*model.graph.input, *model.graph.output):
        if value.name in dims:
            shape = value.type.tensor_type.shape
            shape.Clear()
            for size in dims[value.name]:
                axis = shape.dim.add()
                if isinstance(size, str):
                    axis.dim_param = size
                else:
                    axis.dim_value = size


def _tensor(value: Any, what: str, batched: bool) -> Tensor:
    name = value.name
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        raise ExportError(
            f"{what} {name!r} is a {str(kind).removesuffix('_type')}, and Triton serves tensors "
            "only; end the graph in a tensor."
        )
    onnx = require("onnx", extra="export")
    type_name = onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type)
    if type_name not in _TRITON_TYPES:
        raise ExportError(
            f"{what} {name!r} is of type {type_name}, which export cannot serve; a Cast in the "
            "graph to FLOAT or INT64 would work."
        )
    dims = tensor_dims(value)
    if dims is None:
        raise ExportError(f"{what} {name!r} has no shape; give the number of its axes.")
    if batched and dims and not isinstance(dims[0], str):
        raise ExportError(
            f"{what} {name!r} has the fixed size {dims[0]} where the batch should be."
        )
    sizes = tuple(-1 if isinstance(size, str) else size for size in dims[batched:])
    if not sizes or 0 in sizes:
        raise ExportError(
            f"{what} {name!r} has the shape {list(dims)}; Triton needs an axis"
            f"{' beside the batch' if batched else ''}, of size 1 or more."
        )
    return Tensor(name, _TRITON_TYPES[type_name], sizes)
