"""A graph's inputs and outputs: what it is fed, what it answers, what it says of their sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError
from tritonkit.export.graphs.missing_axes import add_missing_axes
from tritonkit.export.graphs.shapes import (
    BATCH,
    Dims,
    first_axis_is_free,
    graph_inputs,
    graph_tensors,
    infer_dims,
    set_dims,
    tensor_dims,
)
from tritonkit.export.samples.samples import Samples
from tritonkit.repository import Tensor

__all__ = ["Signature", "numpy_type"]

_NUMPY_TYPES: dict[str, Any] = {
    "TYPE_BOOL": np.bool_,
    "TYPE_FP16": np.float16,
    "TYPE_FP32": np.float32,
    "TYPE_FP64": np.float64,
    "TYPE_STRING": np.object_,
    **{
        f"TYPE_{sign}INT{bits}": getattr(np, f"{sign.lower()}int{bits}")
        for sign in ("", "U")
        for bits in (8, 16, 32, 64)
    },
}


def numpy_type(data_type: str) -> np.dtype[Any]:
    """The numpy type of Triton's *data_type*; strings are objects."""
    dtype: np.dtype[Any] = np.dtype(_NUMPY_TYPES[data_type])
    return dtype


@dataclass(frozen=True, slots=True)
class Signature:
    """
    Inputs and outputs of a graph.

    Args:
        inputs: What it is fed, dims without the batch axis.
        outputs: What it answers, dims without the batch axis.
        batched: Whether the first axis of each is the batch.
        dims: The sizes of each in the graph, batch included.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    batched: bool
    dims: Mapping[str, Dims]

    @classmethod
    def of(cls, model: Any) -> Signature:
        """
        The signature of *model*, which is changed: it gets the shapes that onnx infers, and an
        axis beside the batch for each input and output that has none, as Triton needs one.

        Args:
            model: onnx.ModelProto with all of its weights.

        Raises:
            ExportError: If Triton cannot serve an input or output; the message names it.
        """
        inferred = infer_dims(model)
        for mine, found in zip(model.graph.output, inferred.graph.output, strict=True):
            mine.type.CopyFrom(found.type)
        batched = first_axis_is_free(model)
        add_missing_axes(model, rank=2 if batched else 1)
        inputs, outputs = graph_tensors(model, batched=batched)
        dims = {}
        for value in (*graph_inputs(model), *model.graph.output):
            sizes = tensor_dims(value)
            assert sizes is not None
            dims[value.name] = (BATCH, *sizes[1:]) if batched else sizes
        set_dims(model, dims)
        return cls(inputs, outputs, batched, dims)

    def write(self, model: Any) -> Any:
        """*model* with these sizes: stages may have lost them."""
        set_dims(model, self.dims)
        return model

    def feeds(self, samples: Samples) -> dict[str, NDArray[Any]]:
        """
        The columns of *samples* as the graph takes them.

        Raises:
            ConfigError: If a column is missing, or its type or shape is another.
        """
        if not self.batched and len(samples) != 1:
            raise ConfigError(
                f"the graph has no batch axis and takes one sample at a time, not {len(samples)}."
            )
        found = {}
        for tensor in self.inputs:
            if tensor.name not in samples.columns:
                raise ConfigError(
                    f"the samples have no column {tensor.name!r}; the model's inputs are "
                    f"{', '.join(repr(t.name) for t in self.inputs)}."
                )
            array = _shaped(_typed(samples.columns[tensor.name], tensor), tensor)
            found[tensor.name] = array if self.batched else array[0]
        return found

    def rows(self, outputs: Mapping[str, NDArray[Any]]) -> dict[str, list[NDArray[Any]]]:
        """The answer to each sample of one batch, by output."""
        return {name: list(out) if self.batched else [out] for name, out in outputs.items()}

    def sizes(self, free: int) -> dict[str, tuple[int, ...]]:
        """For each input with an axis of any size: its dims, with such axes of size *free*."""
        return {
            tensor.name: tuple(free if size == -1 else size for size in tensor.dims)
            for tensor in self.inputs
            if -1 in tensor.dims
        }


def _typed(column: NDArray[Any], tensor: Tensor) -> NDArray[Any]:
    dtype, column = numpy_type(tensor.data_type), np.asarray(column)
    if dtype.hasobject:
        texts = np.empty(column.shape, np.object_)
        for at, value in np.ndenumerate(column):
            texts[at] = value.decode() if isinstance(value, bytes) else str(value)
        return texts
    try:
        if column.dtype.hasobject:
            column = np.array(column.tolist())
        array = column.astype(dtype)
        exact = dtype.kind == "f" or np.array_equal(array, column)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"column {tensor.name!r} must hold numbers of type {dtype}: {error}."
        ) from error
    if not exact:
        raise ConfigError(
            f"column {tensor.name!r} is of type {column.dtype} and holds values that its "
            f"input's type, {dtype}, cannot."
        )
    return array


def _shaped(column: NDArray[Any], tensor: Tensor) -> NDArray[Any]:
    if column.ndim == 1 and tensor.dims == (1,):
        column = column[:, np.newaxis]
    given = column.shape[1:]
    if len(given) != len(tensor.dims) or any(
        size not in (-1, mine) for mine, size in zip(given, tensor.dims, strict=False)
    ):
        raise ConfigError(
            f"column {tensor.name!r} has samples of shape {list(given)}, but the model's input "
            f"is {list(tensor.dims)}."
        )
    return column
