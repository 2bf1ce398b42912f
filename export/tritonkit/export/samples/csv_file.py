"""Samples of CSV files."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError
from tritonkit.export.samples.lines import decode
from tritonkit.export.samples.table import Table, shown

__all__ = ["read_csv"]

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?inf", re.IGNORECASE)
_ABSENT = re.compile(r"|nan", re.IGNORECASE)


def read_csv(file: Path, content: bytes) -> Table:
    """
    A table with a header; commas, double quotes.

    A column is int64 where all its values are whole numbers, float64 where all are
    numbers or empty (NaN), else strings.

    Raises:
        ConfigError: If it is no CSV in UTF-8, or a row has more or fewer fields than the
            header.
    """
    reader = csv.reader(io.StringIO(decode(file, content), newline=""), strict=True)
    header: list[str] | None = None
    rows, places = [], []
    start = 1
    try:
        for row in reader:
            place = f"{file}:{start}"
            start = reader.line_num + 1
            if not row:
                continue
            if header is None:
                header = _header(place, row)
                continue
            if len(row) != len(header):
                raise ConfigError(
                    f"{place}: a row must have {len(header)} fields, as the header, "
                    f"but has {len(row)}: {shown(','.join(row))}."
                )
            rows.append(row)
            places.append(place)
    except csv.Error as error:
        raise ConfigError(f"{file}:{start}: the row is not CSV: {error}.") from error
    columns = {
        name: _column(name, [row[index] for row in rows], places)
        for index, name in enumerate(header or ())
    }
    return Table(file, columns, places)


def _header(place: str, row: list[str]) -> list[str]:
    names = [name.strip() for name in row]
    for name in names:
        if not name:
            raise ConfigError(f"{place}: each column must have a name, but got {shown(row)}.")
        if names.count(name) > 1:
            raise ConfigError(f"{place}: the column {name!r} is there twice.")
    return names


def _column(name: str, values: list[str], places: Sequence[str]) -> NDArray[Any] | list[Any]:
    if name == "match":
        return [value or None for value in values]
    if name == "label" and "" in values:
        raise ConfigError(
            f"{places[values.index('')]}: 'label' is empty; either all rows have one or none."
        )
    stripped = [value.strip() for value in values]
    if all(map(_INTEGER.fullmatch, stripped)):
        return np.array([int(value) for value in stripped], np.int64)
    if all(_NUMBER.fullmatch(value) or _ABSENT.fullmatch(value) for value in stripped):
        return np.array([float(value or "nan") for value in stripped], np.float64)
    return values
