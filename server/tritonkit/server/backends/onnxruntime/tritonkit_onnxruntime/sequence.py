"""The control inputs of the sequence batcher."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .errors import LoadError
from .graph import Graph, format_shape

__all__ = ["check_controls"]

_BOOLEAN = ("CONTROL_SEQUENCE_START", "CONTROL_SEQUENCE_END", "CONTROL_SEQUENCE_READY")
_TYPED = ("CONTROL_SEQUENCE_CORRID",)
_VALUES: Mapping[str, str] = {
    "int32_false_true": "TYPE_INT32",
    "fp32_false_true": "TYPE_FP32",
    "bool_false_true": "TYPE_BOOL",
}
# As NVIDIA's backend names onnxruntime's types in this one message.
_ONNX_NAMES: Mapping[str, str] = {
    "TYPE_FP16": "FLOAT16",
    "TYPE_FP32": "FLOAT",
    "TYPE_FP64": "DOUBLE",
}


def check_controls(config: Mapping[str, Any], graph: Graph) -> int:
    """
    Check the control inputs that the sequence batcher adds to each request.

    Returns:
        How many inputs of the graph the batcher fills; 0 without sequence batching.

    Raises:
        LoadError: If a control is defined wrongly or does not fit the graph.
    """
    batching = config.get("sequence_batching")
    if batching is None:
        return 0
    model = config["name"]
    found = [
        (name, _boolean_type(control, kind, model))
        for kind in _BOOLEAN
        for name, control in _only(batching, kind, model)
    ]
    found += [
        (name, _typed(control, kind, model))
        for kind in _TYPED
        for name, control in _only(batching, kind, model)
    ]
    for name, data_type in found:
        _check_tensor(name, data_type, config, graph)
    return len(found)


def _only(
    batching: Mapping[str, Any], kind: str, model: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Tensor name and definition of one kind of control: at most one."""
    names = set()
    seen = False
    for tensor in batching.get("control_input", []):
        name = tensor.get("name", "")
        if not name:
            raise LoadError(f"sequence batching control tensor must have a name for {model}")
        if name in names:
            raise LoadError(
                f"sequence batching control tensor '{name}' is specified for multiple control "
                f"kinds for {model}"
            )
        names.add(name)
        for control in tensor.get("control", []):
            if control.get("kind") != kind:
                continue
            if seen:
                raise LoadError(f"sequence batching specifies multiple {kind} tensors for {model}")
            seen = True
            yield name, control


def _boolean_type(control: Mapping[str, Any], kind: str, model: str) -> str:
    given = [name for name in _VALUES if control.get(name)]
    if not given:
        raise LoadError(
            "sequence batching must specify either 'int32_false_true', 'fp32_false_true' or "
            f"'bool_false_true' for {kind} for {model}"
        )
    if len(given) > 1:
        raise LoadError(
            "sequence batching specifies more than one from 'int32_false_true', "
            f"'fp32_false_true' and 'bool_false_true' for {kind} for {model}"
        )
    if len(control[given[0]]) != 2:
        raise LoadError(
            f"sequence batching control '{given[0]}' must have exactly 2 entries for {kind} "
            f"for {model}"
        )
    return _VALUES[given[0]]


def _typed(control: Mapping[str, Any], kind: str, model: str) -> str:
    if any(control.get(name) for name in _VALUES):
        raise LoadError(
            "sequence batching must not specify either 'int32_false_true', 'fp32_false_true' or "
            f"'bool_false_true' for {kind} for {model}"
        )
    return str(control.get("data_type", ""))


def _check_tensor(name: str, data_type: str, config: Mapping[str, Any], graph: Graph) -> None:
    tensor = graph.inputs.get(name)
    if tensor is None:
        raise LoadError(
            f"configuration specified sequence control '{name}', but model does not provide "
            "that input"
        )
    where = f"unable to load model '{config['name']}', sequence control '{name}'"
    dims = tensor.shape[1:] if config.get("max_batch_size", 0) > 0 else tensor.shape
    if dims != (1,):
        raise LoadError(f"{where} in model has dims {format_shape(dims)} but dims [1] is expected")
    if data_type != tensor.data_type:
        expected = tensor.data_type or "UNDEFINED"
        raise LoadError(
            f"{where}, the model expects data-type "
            f"{_ONNX_NAMES.get(expected, expected.removeprefix('TYPE_'))} but the model "
            f"configuration specifies data-type {data_type}"
        )
