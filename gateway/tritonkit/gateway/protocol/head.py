"""The JSON part of a request for an inference."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from tritonkit.client.types import Parameter
from tritonkit.client.wire.datatypes import DATATYPES
from tritonkit.gateway.protocol.asked import Form
from tritonkit.gateway.protocol.numbers import read_float
from tritonkit.gateway.protocol.unreadable import Unreadable

__all__ = ["Head", "Input", "read_head"]

_CACHED = 4096
# An id at the beginning, where the usual clients write it, made of what needs no care.
_ID = re.compile(rb'\{"id": ?"([\w.:@/+=-]{1,200})", ?', re.ASCII)
_NOT_THERE = object()
_NONE: Mapping[str, Parameter] = MappingProxyType({})
_LENIENT = re.compile(rb"Inf|NaN|\x00")
_NUMBERS = ("timeout", "priority")
_MOST_INPUTS = 1000
"""Inputs that are read; more of them no model has."""
_MOST_DIMENSIONS = 32
"""Of a shape, so that its product is small work."""


class Input(NamedTuple):
    """
    One input tensor.

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


class Head(NamedTuple):
    """
    The whole JSON part.

    Args:
        id: Of the request; empty for none.
        parameters: In their order, without those that say how to answer.
        inputs: In the order of their bytes.
        outputs: Names of those that are wanted; None for all.
        form: Of the answer.
    """

    id: str
    parameters: Mapping[str, Parameter]
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...] | None
    form: Form


def read_head(text: bytes, *, binary: bool) -> Head:
    """
    Read the JSON part.

    Args:
        text: The JSON.
        binary: Whether tensors follow it. Then requests of the same shapes have the
            same text but for their ids, and it is read once.

    Raises:
        Unreadable: If Triton may take it for something else.
    """
    if not binary or len(text) > _CACHED:
        return _read(text)
    match = _ID.match(text)
    if match is None:
        return _unwrapped(_kept(text))
    head = _unwrapped(_kept(b"{" + text[match.end() :]))
    if head.id:
        raise Unreadable("the JSON has two ids")
    return head._replace(id=match[1].decode())


class _Why(NamedTuple):
    """What Unreadable says; the exception itself would keep the whole request."""

    reason: str
    wrong: bool
    sequence: str


def _unwrapped(head: Head | _Why) -> Head:
    if isinstance(head, _Why):
        raise Unreadable(head.reason, wrong=head.wrong, sequence=head.sequence)
    return head


@lru_cache(maxsize=1024)
def _kept(text: bytes) -> Head | _Why:
    try:
        return _read(text)
    except Unreadable as error:
        return _Why(str(error), error.wrong, error.sequence)


def _read(text: bytes) -> Head:
    fields = _json(text)
    try:
        return _understood(fields)
    except Unreadable as error:
        error.sequence = _sequence(fields)
        raise


def _sequence(fields: Any) -> str:
    """Whatever else a request has that is not understood, its sequence has one server."""
    parameters = fields.get("parameters") if isinstance(fields, dict) else None
    id = parameters.get("sequence_id") if isinstance(parameters, dict) else None
    # 0 and "" are none to Triton.
    return str(id) if id and type(id) in (int, str) else ""


def _understood(fields: Any) -> Head:
    _known(fields, ("id", "parameters", "inputs", "outputs"), "the request")
    parameters, others = _parameters(fields.get("parameters", {}))
    outputs = _list(fields.get("outputs", []), "outputs")
    wanted = {}
    for output in outputs:
        name, binary = _output(output)
        if name in wanted:
            raise Unreadable(f"output {name!r} is asked for twice")
        wanted[name] = binary
    given = _list(fields.get("inputs"), "inputs")
    if len(given) > _MOST_INPUTS:
        raise Unreadable(f"{len(given)} inputs are more than any model has")
    inputs = tuple(map(_input, given))
    if len({one.name for one in inputs}) < len(inputs):
        raise Unreadable("an input is there twice", wrong=True)
    id = fields.get("id")
    return Head(
        "" if id is None and "id" not in fields else _text(id, "id"),
        MappingProxyType(parameters) if parameters else _NONE,
        inputs,
        tuple(wanted) or None,
        Form(MappingProxyType(wanted), others),
    )


def _json(text: bytes) -> Any:
    try:
        return json.loads(text.decode(), object_pairs_hook=_object, parse_float=read_float)
    except json.JSONDecodeError as error:
        # Triton knows "Inf" as well, minds no characters and stops at a NUL.
        wrong = text.isascii() and not _LENIENT.search(text)
        raise Unreadable(f"the JSON cannot be read: {error}", wrong=wrong) from error
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"the JSON cannot be read: {error}") from error


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Unreadable("the JSON has a key twice")
    return found


def _parameters(given: Any) -> tuple[dict[str, Parameter], bool]:
    binary = False
    parameters: dict[str, Parameter] = {}
    for name, value in _mapping(given, "parameters").items():
        _text(name, "a parameter's name")
        if name.startswith("sequence_"):
            raise Unreadable("sequences keep their state at one server")
        if name.startswith("triton_"):
            raise Unreadable(f"parameter {name!r} is Triton's own", wrong=True)
        if name == "binary_data_output":
            binary = _boolean(value, name)
            continue
        if name in _NUMBERS and (type(value) is not int or not 0 <= value < 2**64):
            raise Unreadable(f"{name} {value!r} is no number", wrong=True)
        parameters[name] = _parameter(name, value)
    return parameters, binary


def _parameter(name: str, value: Any) -> Parameter:
    """A value that arrives at a server as it came, when it is written once more."""
    if type(value) is str:
        return _text(value, name)
    if type(value) is bool:
        return value
    if type(value) is int and (-(2**63) <= value < 2**63 or name in _NUMBERS):
        return value
    if type(value) is float and abs(value) < 1e300 and read_float(repr(value)) == value != 0:
        return value
    raise Unreadable(
        f"parameter {name!r} has a value that cannot be carried: {value!r:.80}",
        wrong=not isinstance(value, (int, float)),
    )


def _input(given: Any) -> Input:
    fields = _known(given, ("name", "shape", "datatype", "parameters", "data"), "an input")
    parameters = _mapping(fields.get("parameters", {}), "parameters")
    if "shared_memory_region" in parameters:
        raise Unreadable("shared memory is of one machine")
    _known(parameters, ("binary_data_size",), "an input's parameters")
    size = parameters.get("binary_data_size", _NOT_THERE)
    if ("data" in fields) == ("binary_data_size" in parameters):
        raise Unreadable("an input needs either data or its size", wrong=True)
    if size is _NOT_THERE:
        size = None
    elif type(size) is not int or size < 0:
        raise Unreadable(f"binary_data_size {size!r:.80} is no size", wrong=True)
    datatype = fields.get("datatype")
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        raise Unreadable(f"there is no datatype {datatype!r:.80}")
    shape = tuple(_list(fields.get("shape"), "shape"))
    if any(type(size) is not int or size < 0 for size in shape):
        raise Unreadable(f"{list(shape)!r:.80} is no shape", wrong=True)
    if not shape or len(shape) > _MOST_DIMENSIONS or max(shape) >= 2**62:
        raise Unreadable(f"{list(shape)!r:.80} is no shape that anybody has")
    return Input(_text(fields.get("name"), "name"), datatype, shape, size, fields.get("data"))


def _output(given: Any) -> tuple[str, bool]:
    fields = _known(given, ("name", "parameters"), "an output")
    parameters = _mapping(fields.get("parameters", {}), "parameters")
    if "shared_memory_region" in parameters:
        raise Unreadable("shared memory is of one machine")
    if "classification" in parameters:
        raise Unreadable("classes are counted at the server")
    _known(parameters, ("binary_data",), "an output's parameters")
    return (
        _text(fields.get("name"), "name"),
        _boolean(parameters.get("binary_data", False), "binary_data"),
    )


def _known(given: Any, names: tuple[str, ...], what: str) -> dict[str, Any]:
    fields = _mapping(given, what)
    for name in fields:
        if name not in names:
            # Triton passes it over.
            raise Unreadable(f"{what} has {name!r:.80}, which nobody here knows")
    return fields


def _mapping(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        # Triton passes over the parameters of a tensor that are none.
        raise Unreadable(f"{name} is no object")
    return value


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise Unreadable(f"{name} is no list", wrong=True)
    return value


def _boolean(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise Unreadable(f"{name} is neither true nor false", wrong=True)
    return value


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise Unreadable(f"{name} is no text", wrong=True)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Unreadable(f"{name} has half of a character", wrong=True) from error
    if "\0" in value:
        raise Unreadable(f"{name} has a NUL, where Triton ends it")
    return value
