"""Rows of a file, and what becomes of them: typed columns, labels, matches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError
from tritonkit.export.samples.samples import Samples

__all__ = ["Table", "as_samples", "shown"]

LABEL, MATCH, IMAGE = "label", "match", "image"


@dataclass(frozen=True, slots=True)
class Table:
    """
    What a file holds.

    Args:
        file: Where it was read from.
        columns: By name, values of one length; a list holds what JSON knows.
        places: Where each row is, for errors: "samples.jsonl:7".
    """

    file: Path
    columns: Mapping[str, NDArray[Any] | Sequence[Any]]
    places: Sequence[str]


def shown(value: object) -> str:
    """*value* in an error, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def as_samples(table: Table, columns: Sequence[str] | None, limit: int, origin: str) -> Samples:
    """
    Samples of a table: at most *limit* of its rows, evenly spaced, and their matches.

    Args:
        table: One row or more.
        columns: Which are the model's inputs; None for all but labels and matches.
        limit: The most rows.
        origin: Without the number of samples, which is added.

    Raises:
        ConfigError: If a column is missing or its values are of several types.
    """
    special = {LABEL, MATCH} - set(columns or ())
    inputs = (
        list(columns) if columns is not None else [n for n in table.columns if n not in special]
    )
    missing = [name for name in inputs if name not in table.columns]
    if missing or not inputs:
        wanted = ", ".join(map(repr, missing)) if missing else "of a model's input"
        has = ", ".join(map(repr, table.columns)) or "none"
        raise ConfigError(f"{table.file} has no column {wanted}; it has {has}.")
    total = len(table.places)
    at = np.unique(np.linspace(0, total - 1, min(total, limit)).astype(np.int64))
    typed = {
        name: _column(table, name)[at]
        for name in [*inputs, *sorted(special & set(table.columns) - {MATCH})]
    }
    counted = f"{origin}, {len(at)} samples" + (f" of {total}" if len(at) < total else "")
    labels = typed.pop(LABEL, None) if LABEL in special else None
    if labels is not None and labels.size != len(labels):
        raise ConfigError(
            f"{table.file}: {LABEL!r} must be one value a row, but has shape {list(labels.shape)}."
        )
    images = {name: _images(table, typed[name], at) for name in inputs if _is_path(name, typed)}
    samples = Samples({**typed, **images}, counted, None if labels is None else labels.ravel())
    if MATCH not in special or MATCH not in table.columns:
        return samples
    return _with_matches(table, samples, at)


def _with_matches(table: Table, samples: Samples, at: NDArray[np.int64]) -> Samples:
    """Each text that is to be found, once, as a sample of its own after the others."""
    if len(samples.columns) != 1 or samples.labels is not None:
        raise ConfigError(
            f"{table.file}: {MATCH!r} stands beside one column of texts alone, "
            f"but the columns are {', '.join(map(repr, table.columns))}."
        )
    ((name, texts),) = samples.columns.items()
    found: dict[str, int] = {}
    matches = np.full(len(samples), -1, np.int64)
    for position, row in enumerate(at.tolist()):
        match = table.columns[MATCH][row]
        if match is None:
            continue
        if not isinstance(match, str) or not match or not isinstance(texts[position], str):
            raise ConfigError(
                f"{table.places[row]}: {MATCH!r} must be a text to be found by a text, "
                f"but got {shown(match)}."
            )
        matches[position] = len(samples) + found.setdefault(match, len(found))
    if not found:
        return samples
    return Samples(
        {name: np.concatenate([texts, np.array(list(found), np.object_)])},
        f"{samples.origin}, and {len(found)} texts to be found",
        matches=np.concatenate([matches, np.full(len(found), -1, np.int64)]),
    )


def _column(table: Table, name: str) -> NDArray[Any]:
    """As one array of a type that graphs know."""
    values = table.columns[name]
    if isinstance(values, np.ndarray):
        return values
    kinds = [_kind(value) for value in values]
    numbers = set(kinds) <= {"number", "null"} and "number" in kinds
    expected = next((kind for kind in kinds if kind != "null"), "null")
    if not numbers:
        for value, kind, place in zip(values, kinds, table.places, strict=True):
            if kind != expected or kind not in ("string", "bool", "list"):
                raise ConfigError(
                    f"{place}: {name!r} must be a string, a number, true or false, or a list of "
                    f"numbers, the same in all rows, but got {shown(value)}"
                    f"{'' if kind == expected else f', where others have a {expected}'}."
                )
    if expected == "string":
        return np.array(values, np.object_)
    if expected == "list":
        return _tensors(table, name, values)
    if expected == "bool":
        return np.array(values, np.bool_)
    return _numbers(table, name, values)


def _numbers(table: Table, name: str, values: Sequence[Any]) -> NDArray[Any]:
    if name == LABEL and None in values:
        row = list(values).index(None)
        raise ConfigError(f"{table.places[row]}: {name!r} is missing, where other rows have one.")
    integers = all(isinstance(value, int) for value in values)
    for value, place in zip(values, table.places, strict=True):
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ConfigError(f"{place}: {name!r} must fit into 64 bits, but got {shown(value)}.")
    if integers:
        return np.array(values, np.int64)
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _tensors(table: Table, name: str, values: Sequence[Any]) -> NDArray[Any]:
    arrays: list[NDArray[Any]] = []
    for value, place in zip(values, table.places, strict=True):
        try:
            array = np.array(value)
        except (ValueError, OverflowError):
            array = np.array(None)
        if array.dtype.kind not in "if":
            raise ConfigError(
                f"{place}: {name!r} must be a list of numbers of 64 bits, in rows of one length, "
                f"but got {shown(value)}."
            )
        if arrays and array.shape != arrays[0].shape:
            raise ConfigError(
                f"{place}: {name!r} has shape {list(array.shape)}, "
                f"where the first has {list(arrays[0].shape)}."
            )
        arrays.append(array)
    return np.stack(arrays)


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return {str: "string", list: "list", type(None): "null"}.get(type(value), "object")


def _is_path(name: str, typed: Mapping[str, NDArray[Any]]) -> bool:
    column = typed[name]
    return name == IMAGE and column.dtype.kind == "O" and isinstance(column[0], str)


def _images(table: Table, paths: NDArray[Any], at: NDArray[np.int64]) -> NDArray[Any]:
    """The files that *paths*, from the folder of the table, name."""
    contents = np.empty(len(paths), np.object_)
    for position, path in enumerate(paths.tolist()):
        try:
            contents[position] = (table.file.parent / path).read_bytes()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ConfigError(
                f"{table.places[at[position]]}: the image {shown(path)} cannot be read "
                f"from {table.file.parent}: {reason}."
            ) from error
    return contents
