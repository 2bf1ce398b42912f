"""Completing a model configuration from the graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import LoadError
from .graph import Graph, Tensor

__all__ = ["Completion", "complete", "is_complete"]

Completion = dict[str, Any]
"""Fields of a model configuration, and the values to put there."""


def is_complete(config: Mapping[str, Any]) -> bool:
    """Whether inputs and outputs are given, so that nothing is completed, batching neither."""
    return bool((config.get("input") or config.get("batch_input")) and config.get("output"))


def complete(
    config: Mapping[str, Any], graph: Graph, *, default_max_batch_size: int
) -> tuple[Completion, tuple[str, ...]]:
    """
    Find what a configuration leaves to the graph.

    Args:
        config: The model configuration, which is not changed.
        graph: Its graph.
        default_max_batch_size: `max_batch_size` where the graph can batch and the
            configuration gives none.

    Returns:
        The fields to set, and warnings.

    Raises:
        LoadError: If the configuration batches and the graph cannot, or a tensor has
            a type that the backend does not take.
    """
    name, max_batch_size = config["name"], config.get("max_batch_size", 0)
    found: Completion = {}
    warnings: tuple[str, ...] = ()
    if graph.batchable:
        if max_batch_size == 0:
            max_batch_size = found["max_batch_size"] = max(default_max_batch_size, 0)
            warnings = (_autofilled(name, max_batch_size),)
        if max_batch_size > 1 and not config.keys() & {"sequence_batching", "dynamic_batching"}:
            found["dynamic_batching"] = {}
    elif max_batch_size != 0:
        raise LoadError(
            f"autofill failed for model '{name}': model does not support batching while "
            "non-zero max_batch_size is specified"
        )
    if not (config.get("input") or config.get("batch_input")):
        found["input"] = [_io(t, name, max_batch_size, "input") for t in graph.inputs.values()]
    if not config.get("output"):
        found["output"] = [_io(t, name, max_batch_size, "output") for t in graph.outputs.values()]
    return found, warnings


def _io(tensor: Tensor, model: str, max_batch_size: int, side: str) -> dict[str, Any]:
    if tensor.data_type is None:
        raise LoadError(
            f"unsupported datatype {tensor.onnx_type} for {side} '{tensor.name}' "
            f"for model '{model}'"
        )
    dims = tensor.shape[1:] if max_batch_size > 0 else tensor.shape
    io: dict[str, Any] = {
        "name": tensor.name,
        "data_type": tensor.data_type,
        "dims": list(dims) or [1],
    }
    if not dims and max_batch_size > 0:
        # One value a row. Without batching an empty reshape is not allowed, and a
        # scalar goes over the wire with shape [1].
        io["reshape"] = {"shape": []}
    return io


def _autofilled(model: str, max_batch_size: int) -> str:
    return (
        f"autofilled max_batch_size to {max_batch_size} for model '{model}' since batching is "
        "supporrted but no max_batch_size is specified in model configuration. Must specify "
        "max_batch_size to utilize autofill with a larger max batch size"
    )
