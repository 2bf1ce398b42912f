"""Rows of inputs in a file: text, JSON lines or numpy's formats."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.commands.damage import damage_is_a_value_error
from tritonkit.client.signature import Signature
from tritonkit.errors import ConfigError, InvalidInput

__all__ = ["Row", "RowFile", "join_values", "open_rows"]

_MOST_FINDINGS = 10


class Row(NamedTuple):
    """Where a row stands, and its values by input name, without the batch dimension."""

    place: str
    values: Mapping[str, Any]


class RowFile(ABC):
    """The rows of a file, checked to be readable to the end, and read again by each iteration."""

    @abstractmethod
    def __len__(self) -> int:
        """How many rows there are."""

    @abstractmethod
    def __iter__(self) -> Iterator[Row]:
        """Each row in turn."""


def open_rows(path: Path, signature: Signature, name: str | None = None) -> RowFile:
    """
    Open a file of rows.

    Args:
        path: `.txt` has a text in each line. `.jsonl` has in each line an object of
            inputs, or the value of one. `.npy` and `.npz` have rows along the first
            axis, the latter in an array for each input.
        signature: Of the model that takes them.
        name: The input, where the file does not name any; the model's only one by
            default, in `.txt` the only one of text.

    Raises:
        ConfigError: If the file cannot be read to the end, or does not fit the model.
    """
    if name is not None and name not in signature.inputs:
        raise ConfigError(
            f"model {signature.model!r} has no input {name!r}, but {sorted(signature.inputs)}."
        )
    try:
        match path.suffix:
            case ".txt":
                return _Lines(path, lambda line: line, name or _only(signature, text=True))
            case ".jsonl":
                return _Lines(path, json.loads, name, signature)
            case ".npy":
                _check_start(path, b"\x93NUMPY")
                with damage_is_a_value_error():
                    array = np.load(path, mmap_mode="r", allow_pickle=False)
                return _Arrays(path, {name or _only(signature): array})
            case ".npz":
                _check_start(path, b"PK")
                with (
                    damage_is_a_value_error(),
                    path.open("rb") as file,
                    np.load(file, allow_pickle=False) as arrays,
                ):
                    return _Arrays(path, dict(arrays))
    except (OSError, ValueError, EOFError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{path} cannot be read: {error}") from error
    raise ConfigError(f"{path} must be a .txt, .jsonl, .npy or .npz file.")


def join_values(rows: Sequence[Row]) -> Mapping[str, Any]:
    """
    The inputs of one request of several rows.

    Raises:
        InvalidInput: If they do not have the same inputs.
    """
    names = rows[0].values.keys()
    if any(row.values.keys() != names for row in rows):
        raise InvalidInput(f"rows of one request must have the same inputs: {rows[0].place}")
    return {name: _stacked([row.values[name] for row in rows]) for name in names}


class _Lines(RowFile):
    def __init__(
        self, path: Path, parse: Any, name: str | None, signature: Signature | None = None
    ) -> None:
        self._path = path
        self._parse = parse
        self._name = name
        self._signature = signature
        self._count = 0
        findings = []
        for number, line in self._lines():
            try:
                self._row(number, line)
            except ConfigError as error:
                findings.append(str(error))
                if len(findings) == _MOST_FINDINGS:
                    findings.append("and perhaps more")
                    break
            self._count += 1
        if findings:
            raise ConfigError("\n".join(findings))

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Row]:
        for number, line in self._lines():
            yield self._row(number, line)

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        with self._path.open("rb") as file:
            for number, line in enumerate(file, 1):
                # An empty text is a text; an empty line is no JSON.
                if self._signature is None or line.strip():
                    yield number, line.rstrip(b"\r\n")

    def _row(self, number: int, line: bytes) -> Row:
        place = f"{self._path}:{number}"
        try:
            value = self._parse(line.decode())
        except UnicodeDecodeError as error:
            raise ConfigError(f"{place}: must be UTF-8: {error}") from error
        except RecursionError as error:
            raise ConfigError(f"{place}: is nested too deeply.") from error
        except ValueError as error:
            raise ConfigError(f"{place}: is not JSON: {error}") from error
        if isinstance(value, dict):
            return Row(place, value)
        if self._name is None:
            assert self._signature is not None
            self._name = _only(self._signature)
        return Row(place, {self._name: value})


class _Arrays(RowFile):
    def __init__(self, path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._path = path
        self._arrays = arrays
        counts = {name: len(array) if array.ndim else 0 for name, array in arrays.items()}
        if len(set(counts.values())) != 1:
            raise ConfigError(f"{path} must have the same number of rows in each array: {counts}.")
        self._count = next(iter(counts.values()))

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Row]:
        for row in range(self._count):
            yield Row(
                f"{self._path}[{row}]", {name: array[row] for name, array in self._arrays.items()}
            )


def _check_start(path: Path, start: bytes) -> None:
    """Whether it is such a file at all: for what is none, numpy advises to unpickle it."""
    with path.open("rb") as file:
        if file.read(len(start)) != start:
            raise ConfigError(f"{path} is no {path.suffix} file: it does not begin as one.")


def _only(signature: Signature, *, text: bool = False) -> str:
    names = [
        spec.name
        for spec in signature.inputs.values()
        if (spec.datatype == "BYTES" if text else not spec.optional)
    ]
    if len(names) != 1:
        kind = "text inputs" if text else "inputs"
        raise ConfigError(
            f"model {signature.model!r} has {len(names)} {kind}: {', '.join(names) or 'none'}; "
            "name one with --input, or all in a .jsonl or .npz file."
        )
    return names[0]


def _stacked(values: list[Any]) -> Any:
    """Values of an array file stay an array, with its type."""
    return np.stack(values) if isinstance(values[0], (np.ndarray, np.generic)) else values
