"""What the onnxruntime backend fills in from a model's graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from tritonclient.grpc import model_config_pb2

from tritonkit.repository.complete.filled import Place
from tritonkit.repository.config import ModelConfig
from tritonkit.repository.graph.batching import why_not_batchable
from tritonkit.repository.graph.graph import Graph
from tritonkit.repository.graph.tensor import GraphTensor

__all__ = [
    "DEFAULT_MAX_BATCH_SIZE",
    "AutofillFailed",
    "autofilled_batch_size",
    "fill_from_graph",
    "fill_tensors",
    "is_complete",
]

DEFAULT_MAX_BATCH_SIZE = 4
"""max_batch_size of a model that can batch and does not say, unless the server's
`--backend-config=default-max-batch-size` is another."""

_KINDS = {
    "seq": "ONNX_TYPE_SEQUENCE",
    "map": "ONNX_TYPE_MAP",
    "opaque": "ONNX_TYPE_OPAQUE",
    "sparse_tensor": "ONNX_TYPE_SPARSETENSOR",
    "optional": "ONNX_TYPE_OPTIONAL",
}


class AutofillFailed(Exception):
    """The backend refuses the model while it completes it; the message is Triton's."""


def is_complete(config: ModelConfig) -> bool:
    """Whether the backend completes nothing: inputs and outputs are given."""
    return bool((config.input or config.batch_input) and config.output)


def fill_from_graph(config: ModelConfig, graph: Graph) -> Iterator[Place]:
    """
    Fill `max_batch_size`, `dynamic_batching`, `input` and `output` from *graph*.

    The backend touches nothing where inputs and outputs are given, `max_batch_size` neither.

    Args:
        config: It is changed.
        graph: Of the version that is loaded.

    Yields:
        The place of each field that was filled.

    Raises:
        AutofillFailed: If the configuration batches and the graph cannot, or an input or
            output is no tensor.
    """
    if is_complete(config):
        return
    _check_tensors((*graph.inputs, *graph.outputs))
    if graph.batchable:
        if config.max_batch_size == 0:
            config.max_batch_size = DEFAULT_MAX_BATCH_SIZE
            yield ("max_batch_size",)
        if config.max_batch_size > 1 and config.WhichOneof("scheduling_choice") is None:
            config.dynamic_batching.SetInParent()
            yield ("dynamic_batching",)
    elif config.max_batch_size != 0 and _surely_hindered(graph):
        raise AutofillFailed(
            f"autofill failed for model '{config.name}': model does not support batching while "
            "non-zero max_batch_size is specified"
        )
    if not (config.input or config.batch_input):
        yield from fill_tensors(config.input, graph.inputs, config.max_batch_size > 0, "input")
    if not config.output:
        yield from fill_tensors(config.output, graph.outputs, config.max_batch_size > 0, "output")


def autofilled_batch_size(name: str) -> str:
    """The warning that the backend logs where it chooses the batch size itself."""
    return (
        f"autofilled max_batch_size to {DEFAULT_MAX_BATCH_SIZE} for model '{name}' since "
        "batching is supporrted but no max_batch_size is specified in model configuration. Must "
        "specify max_batch_size to utilize autofill with a larger max batch size"
    )


def _surely_hindered(graph: Graph) -> bool:
    """Whether it cannot batch, also if outputs have shapes that could not be inferred."""
    return any(
        side == "input" or tensor.shape is not None or graph.inferred
        for tensor, side, _ in why_not_batchable(graph)
    )


def _check_tensors(tensors: Iterable[GraphTensor]) -> None:
    for tensor in tensors:
        if not tensor.is_tensor:
            kind = _KINDS.get(tensor.onnx_type.partition("(")[0], "ONNX_TYPE_UNKNOWN")
            raise AutofillFailed(
                f"Unsupported ONNX Type '{kind}' for I/O '{tensor.name}', expected "
                "'ONNX_TYPE_TENSOR'."
            )


def fill_tensors(
    field: Any, tensors: Iterable[GraphTensor], batches: bool, side: str
) -> Iterator[Place]:
    """
    Append *tensors* to `config.input` or `config.output`, as the backend describes them.

    Args:
        field: The field.
        tensors: Of the graph.
        batches: Whether their first axis is the batch, which does not stand in dims.
        side: "input" or "output": the name of the field.

    Yields:
        The place of each that was added.
    """
    for position, tensor in enumerate(tensors):
        # A tensor without a shape counts as a scalar: onnxruntime tells no difference.
        shape = tensor.shape or ()
        dims = shape[1:] if batches else shape
        added = field.add(
            name=tensor.name,
            data_type=model_config_pb2.DataType.Value(tensor.data_type or "TYPE_INVALID"),
            dims=dims or (1,),
        )
        if batches and not dims:
            # One value a row; a model without batching may have no empty reshape.
            added.reshape.SetInParent()
        yield (side, position)
