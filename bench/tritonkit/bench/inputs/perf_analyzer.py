"""
The JSON that perf_analyzer takes as --input-data.

Source: perf_analyzer/docs/input_data.md and src/data_loader.cc.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from json.decoder import JSONDecoder
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from tritonkit.bench.inputs.entry import Encoded, Entry
from tritonkit.bench.inputs.raw import RawTensor, fitted
from tritonkit.client.conversion import to_array
from tritonkit.errors import ConfigError

__all__ = ["read_json"]

_MOST_FINDINGS = 10


@dataclass(frozen=True, slots=True)
class _Flat(Encoded):
    """Elements in row-major order."""

    content: Sequence[Any]
    shape: tuple[int, ...] | None

    def array(self, datatype: str, dims: Sequence[int]) -> NDArray[Any]:
        flat = list(_leaves(self.content)) if list in map(type, self.content) else self.content
        array = to_array(flat, datatype, (-1,), batched=False)
        return array.reshape(fitted(len(array), self.shape, datatype, dims))


def read_json(path: Path) -> tuple[Entry, ...]:
    """
    Read every step of every stream, one stream after the other.

    Each step is one row. Tensors are lists in row-major order, {"b64": TEXT}, or
    {"content": either, "shape": LIST}. The steps of "validation_data" are what is
    expected of the answers to those of "data".

    Raises:
        ConfigError: If it is not in this form; up to ten mistakes, each with its line.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}:{error.lineno}: is not JSON: {error.msg}.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("data"), list):
        raise ConfigError(f'{path} must be an object with a list "data", as perf_analyzer takes.')
    lines = _Places(path, text)
    try:
        steps = dict(_steps(document["data"], "data"))
        expected: Mapping[str, Any] = {}
        if (validation := document.get("validation_data")) is not None:
            if not isinstance(validation, list):
                raise _Wrong("validation_data", f"must be a list, but got {validation!r}")
            expected = {
                "data" + field.removeprefix("validation_data"): (field, step)
                for field, step in _steps(validation, "validation_data")
            }
            if lacking := steps.keys() ^ expected.keys():
                raise _Wrong(min(lacking), '"data" and "validation_data" must have the same steps')
    except _Wrong as wrong:
        raise ConfigError(lines.message(wrong)) from wrong
    entries: list[Entry] = []
    findings: list[str] = []
    for field, step in steps.items():
        try:
            wanted_field, wanted = expected.get(field, (field, {}))
            entries.append(
                Entry(
                    place=lines.at(field),
                    inputs=_tensors(step, field),
                    expected=_tensors(wanted, wanted_field),
                )
            )
        except _Wrong as wrong:
            findings.append(lines.message(wrong))
            if len(findings) == _MOST_FINDINGS:
                findings.append("and perhaps more")
                break
    if findings:
        raise ConfigError("\n".join(findings))
    return tuple(entries)


class _Wrong(ValueError):
    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class _Places:
    """Where the steps of a document stand; found out once, when the first is asked for."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._lines: Mapping[str, int] = dict(_lines(text))

    def at(self, field: str) -> str:
        """Such as "FILE:LINE: data[3]", of a step or of what is inside one."""
        step = field
        while step not in self._lines and step:
            step = step[: max(step.rfind("."), step.rfind("["), 0)]
        line = f":{self._lines[step]}" if step else ""
        return f"{self._path}{line}: {field}"

    def message(self, wrong: _Wrong) -> str:
        return f"{self.at(wrong.field)} {wrong}."


def _steps(streams: Sequence[Any], field: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each step by the field it stands in, "data[2]" or "data[0][2]"."""
    nested = bool(streams) and isinstance(streams[0], list)
    for index, stream in enumerate(streams):
        place = f"{field}[{index}]"
        if isinstance(stream, list) != nested:
            raise _Wrong(place, "mixes lists of steps with steps: have one of them")
        for inner, step in enumerate(stream) if nested else [(None, stream)]:
            where = place if inner is None else f"{place}[{inner}]"
            if not isinstance(step, dict):
                raise _Wrong(where, f"must be an object of tensors, but got {step!r}")
            yield where, step


def _tensors(step: Mapping[str, Any], field: str) -> dict[str, Encoded]:
    return {
        name: _tensor(value, f"{field}.{name}")
        for name, value in step.items()
        # perf_analyzer lets a step name its model, and does nothing with it.
        if not (name == "model" and isinstance(value, str))
    }


def _tensor(value: Any, field: str) -> Encoded:
    shape = None
    content = value
    if isinstance(value, dict) and "b64" not in value:
        if "content" not in value:
            raise _Wrong(field, 'must have "content" or "b64"')
        content = value["content"]
    if isinstance(value, dict) and "shape" in value:
        given = value["shape"]
        if not isinstance(given, list) or not all(type(n) is int and n >= 0 for n in given):
            raise _Wrong(f"{field}.shape", f"must be a list of sizes, but got {given!r}")
        shape = tuple(given)
    if isinstance(content, list):
        return _Flat(content, shape)
    if isinstance(content, dict) and isinstance(encoded := content.get("b64"), str):
        try:
            return RawTensor(base64.b64decode(encoded, validate=True), shape)
        except (binascii.Error, ValueError) as error:
            raise _Wrong(f"{field}.b64", f"is not base64: {error}") from error
    raise _Wrong(field, f'must be a list of values or {{"b64": TEXT}}, but got {content!r}')


def _leaves(values: Sequence[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list):
            yield from _leaves(value)
        else:
            yield value


def _lines(text: str) -> Iterator[tuple[str, int]]:
    """The line of each step of a text that is known to be JSON."""
    decode = JSONDecoder().raw_decode
    line = 1
    counted = 0

    def line_at(position: int) -> int:
        nonlocal line, counted
        line += text.count("\n", counted, position)
        counted = position
        return line

    def skip(position: int, what: str = "") -> int:
        while position < len(text) and text[position] in " \t\r\n" + what:
            position += 1
        return position

    def elements(position: int, field: str) -> Iterator[tuple[str, int] | int]:
        """The place of each element, and at last where the list ends."""
        position = skip(position + 1)
        index = 0
        while text[position] != "]":
            name = f"{field}[{index}]"
            yield name, line_at(position)
            if text[position] == "[" and field.count("[") == 0:
                for found in elements(position, name):
                    if isinstance(found, int):
                        position = found
                    else:
                        yield found
            else:
                _, position = decode(text, position)
            position = skip(position, ",")
            index += 1
        yield position + 1

    position = skip(skip(0) + 1)
    while text[position] != "}":
        name, position = decode(text, position)
        position = skip(position, ":")
        yield name, line_at(position)
        if name in ("data", "validation_data") and text[position] == "[":
            for found in elements(position, name):
                if isinstance(found, int):
                    position = found
                else:
                    yield found
        else:
            _, position = decode(text, position)
        position = skip(position, ",")
