"""Warm-up requests, which Triton answers for itself before it calls a model ready."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tritonclient.grpc import model_config_pb2

from tritonkit.repository import ModelConfig, Tensor

__all__ = ["add_warmup"]

_BATCH = 8


def add_warmup(
    config: ModelConfig, inputs: Sequence[Tensor], sizes: Mapping[str, tuple[int, ...]]
) -> None:
    """
    Add a request of one row to *config*, and one of several where it batches.

    Zeros are right for every graph: a random number may be no index of a table, and a
    model whose warm-up fails does not load. For the same reason nothing is added where an
    input takes strings, as an empty one may be no category that the graph knows, or where
    the size of an input is not known.

    Args:
        config: Of a graph; an ensemble cannot be warmed.
        inputs: Its inputs, dims without the batch axis.
        sizes: Dims of a short request for each input of variable size.
    """
    dims = {tensor.name: _dims(tensor, sizes) for tensor in inputs}
    if any(tensor.data_type == "TYPE_STRING" or -1 in dims[tensor.name] for tensor in inputs):
        return
    # Triton skips a request of batch size 0, even where the model has no batch axis.
    largest = max(1, config.max_batch_size)
    for rows in dict.fromkeys((1, min(_BATCH, largest))):
        name = f"zeros, batch {rows}" if config.max_batch_size else "zeros"
        request = config.model_warmup.add(name=name, batch_size=rows)
        for tensor in inputs:
            request.inputs[tensor.name].data_type = model_config_pb2.DataType.Value(
                tensor.data_type
            )
            request.inputs[tensor.name].dims.extend(dims[tensor.name])
            request.inputs[tensor.name].zero_data = True


def _dims(tensor: Tensor, sizes: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    return sizes.get(tensor.name, tensor.dims) if -1 in tensor.dims else tensor.dims
