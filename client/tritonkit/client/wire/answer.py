"""The JSON part of an inference response."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.types import Parameter
from tritonkit.client.wire.datatypes import DATATYPES
from tritonkit.errors import ProtocolError

__all__ = ["Answer", "Output", "from_json", "load_json", "read_answer"]

_CACHED = 4096


class Output(NamedTuple):
    """
    One output tensor.

    Args:
        name: Its name.
        datatype: Triton's name of its type.
        shape: Every dimension 0 or more.
        size: Bytes that it has after the JSON; None where *data* has its values.
        data: Its values as JSON; None where it is binary.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    size: int | None
    data: Any


class Answer(NamedTuple):
    """
    The whole JSON part.

    Args:
        model: Name of the model that answered.
        version: Version that answered.
        id: The request's id.
        parameters: Response parameters.
        outputs: In the order of their bytes.
    """

    model: str
    version: str
    id: str
    parameters: Mapping[str, Parameter]
    outputs: tuple[Output, ...]


def read_answer(text: bytes, *, binary: bool) -> Answer:
    """
    Read the JSON part.

    Args:
        text: The JSON.
        binary: Whether tensors follow it. Then the same shapes give the same
            text again, unless it has an id, and it is read once.

    Raises:
        ProtocolError: If it is not an inference response.
    """
    if binary and len(text) <= _CACHED and not text.startswith(b'{"id"'):
        return _cached_answer(text)
    return _read_answer(text)


def _read_answer(text: bytes) -> Answer:
    fields = load_json(text)
    try:
        outputs = tuple(_read_output(output) for output in fields["outputs"])
        return Answer(
            _string(fields["model_name"]),
            _string(fields.get("model_version", "")),
            _string(fields.get("id", "")),
            MappingProxyType(dict(fields.get("parameters", {}))),
            outputs,
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ProtocolError(
            f"the answer is JSON, but not an inference response "
            f"({type(error).__name__}: {error}): {text[:200]!r}"
        ) from error


_cached_answer = lru_cache(maxsize=512)(_read_answer)


def _read_output(output: Mapping[str, Any]) -> Output:
    shape = tuple(output["shape"])
    if any(type(dimension) is not int or dimension < 0 for dimension in shape):
        raise ValueError(f"shape {list(shape)}")
    size = output.get("parameters", {}).get("binary_data_size")
    if size is not None and (type(size) is not int or size < 0):
        raise ValueError(f"binary_data_size {size!r}")
    return Output(
        _string(output["name"]),
        _string(output["datatype"]),
        shape,
        size,
        None if size is not None else output["data"],
    )


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a string")
    return value


def from_json(name: str, datatype: str, shape: tuple[int, ...], data: Any) -> NDArray[Any]:
    """
    The array of an output whose values stand in the JSON.

    Raises:
        ProtocolError: If they do not fit its type or its shape.
    """
    dtype = DATATYPES.get(datatype)
    if dtype is None:
        raise ProtocolError(f"output {name!r} has the unknown datatype {datatype!r}")
    try:
        if datatype != "BYTES":
            return np.array(data, dtype=dtype).reshape(shape)
        flat = [text.encode() for text in _flatten(data)]
        array = np.empty(len(flat), dtype=np.object_)
        array[:] = flat
        return array.reshape(shape)
    except (ValueError, TypeError, OverflowError, AttributeError, RecursionError) as error:
        raise ProtocolError(
            f"the data of output {name!r} is not {datatype} of shape {list(shape)}: {error}"
        ) from error


def _flatten(data: Any) -> list[Any]:
    if not isinstance(data, list):
        return [data]
    return [leaf for item in data for leaf in _flatten(item)]


def load_json(text: bytes) -> Any:
    """
    Read JSON that a server sent.

    Raises:
        ProtocolError: If it is none.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"the answer is not JSON ({error}): {text[:200]!r}") from error
