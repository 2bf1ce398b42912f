"""A model configuration against the graph it stands for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .errors import LoadError
from .graph import DATA_TYPES, Graph, Tensor, format_shape
from .sequence import check_controls

__all__ = ["check_config", "config_shape"]

Io = Mapping[str, Any]
"""An entry of `input` or `output` in a model configuration."""

_TAKEN = frozenset(DATA_TYPES.values())


def check_config(config: Mapping[str, Any], graph: Graph) -> None:
    """
    Check a complete model configuration against its graph.

    Raises:
        LoadError: With the text of NVIDIA's backend for the first thing that is wrong,
            or because the configuration needs what a Python backend cannot do.
    """
    _check_feasible(config)
    controls = check_controls(config, graph)
    _check_inputs(config, graph, controls)
    _check_outputs(config, graph)


def config_shape(io: Io) -> tuple[int, ...]:
    """The shape that the graph sees without the batch dimension: `reshape`, or `dims`."""
    return tuple(io["reshape"].get("shape", ()) if "reshape" in io else io.get("dims", ()))


def _check_feasible(config: Mapping[str, Any]) -> None:
    # batch_output and states need calls that Triton offers to C++ backends only.
    refused = {
        "batch_output": config.get("batch_output"),
        "sequence_batching.state": config.get("sequence_batching", {}).get("state"),
        "model_transaction_policy.decoupled": config.get("model_transaction_policy", {}).get(
            "decoupled"
        ),
    }
    for field, value in refused.items():
        if value:
            raise LoadError(
                f"unable to load model '{config['name']}', '{field}' is not supported by the "
                "onnxruntime backend of the embedded server; use NVIDIA's container"
            )


def _check_inputs(config: Mapping[str, Any], graph: Graph, controls: int) -> None:
    model, max_batch_size = config["name"], config.get("max_batch_size", 0)
    ios: Sequence[Io] = config.get("input", [])
    expected = sum(not io.get("optional") for io in ios) + controls
    expected += len(config.get("batch_input", []))
    if expected != len(graph.inputs):
        raise LoadError(
            f"unable to load model '{model}', configuration expects {expected} inputs, "
            f"model provides {len(graph.inputs)}"
        )
    tensors = {**graph.inputs, **graph.initializers}
    for io in ios:
        name, optional = io["name"], bool(io.get("optional"))
        if optional and max_batch_size != 0:
            raise LoadError(
                f"unable to load model '{model}', optional input '{name}' is not supported "
                "for models that support batching"
            )
        tensor = _find(name, tensors, "input")
        _check_data_type(io, tensor, model, "input")
        if io.get("allow_ragged_batch"):
            _check_ragged(name, tensor, model, optional)
        else:
            _check_shape(io, tensor, model, max_batch_size, exact=False)


def _check_outputs(config: Mapping[str, Any], graph: Graph) -> None:
    for io in config.get("output", []):
        tensor = _find(io["name"], graph.outputs, "output")
        _check_data_type(io, tensor, config["name"], "output")
        _check_shape(io, tensor, config["name"], config.get("max_batch_size", 0), exact=True)


def _find(name: str, tensors: Mapping[str, Tensor], side: str) -> Tensor:
    if name not in tensors:
        raise LoadError(
            f"unexpected inference {side} '{name}', allowed {side}s are: "
            + ", ".join(sorted(tensors))
        )
    return tensors[name]


def _check_data_type(io: Io, tensor: Tensor, model: str, side: str) -> None:
    name, data_type = io["name"], io["data_type"]
    if data_type not in _TAKEN:
        raise LoadError(f"unsupported datatype {data_type} for {side} '{name}' for model '{model}'")
    if data_type != tensor.data_type:
        # Triton's type for strings is BYTES, and <invalid> for what it does not take.
        provided = (tensor.data_type or "TYPE_<invalid>").replace("STRING", "BYTES")
        raise LoadError(
            f"unable to load model '{model}', configuration expects datatype {data_type} for "
            f"{side} '{name}', model provides {provided}"
        )


def _check_ragged(name: str, tensor: Tensor, model: str, optional: bool) -> None:
    if optional:
        raise LoadError(
            f"unable to load model '{model}', configuration expects model provides input with "
            f"shape [-1] for ragged input '{name}', which is not supported for optional input"
        )
    if tensor.shape != (-1,):
        raise LoadError(
            f"unable to load model '{model}', configuration expects model provides input with "
            f"shape [-1]  for ragged input '{name}', model provides {format_shape(tensor.shape)}"
        )


def _check_shape(io: Io, tensor: Tensor, model: str, max_batch_size: int, *, exact: bool) -> None:
    name, dims = io["name"], config_shape(io)
    if not tensor.shape:
        if any(dim != 1 for dim in dims):
            raise LoadError(
                f"unable to load model '{model}', scalar tensor '{name}', should only provide 1 "
                "in the model configuration when the model doesn't support batching. Model "
                f"configuration provided: {format_shape(dims)}."
            )
        return
    where = f"model '{model}', tensor '{name}'"
    if max_batch_size > 0:
        if not tensor.batchable:
            raise LoadError(
                f"{where}: for the model to support batching the shape should have at least 1 "
                "dimension and the first dimension must be -1; but shape expected by the model "
                f"is {format_shape(tensor.shape)}"
            )
        dims = (-1, *dims)
    if _fits(tensor.shape, dims, exact):
        return
    specified = (
        "an initial batch dimension because max_batch_size > 0 followed by the explicit tensor "
        f"shape, making complete shape {format_shape(dims)}"
        if max_batch_size > 0
        else f"shape {format_shape(dims)}"
    )
    raise LoadError(
        f"{where}: the model expects {len(tensor.shape)} dimensions "
        f"(shape {format_shape(tensor.shape)}) but the model configuration specifies "
        f"{len(dims)} dimensions ({specified})"
    )


def _fits(shape: Iterable[int], dims: Iterable[int], exact: bool) -> bool:
    shape, dims = tuple(shape), tuple(dims)
    return len(shape) == len(dims) and all(
        model == config or (model == -1 and not exact)
        for model, config in zip(shape, dims, strict=True)
    )
