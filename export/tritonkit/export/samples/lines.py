"""Samples of text files: a text a line, or an object of JSON a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tritonkit.errors import ConfigError
from tritonkit.export.samples.table import Table, shown

__all__ = ["decode", "read_json_lines", "read_lines"]

_MOST = 1_000_000
"""Characters of a line. A longer one is a file of another format, or with other line ends."""


def decode(file: Path, content: bytes) -> str:
    """
    *content* as text, without its byte order mark.

    Raises:
        ConfigError: If it is not UTF-8.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{file}:{line}: samples must be UTF-8, but the byte {content[error.start]:#04x} "
            f"at {error.start} is not."
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise ConfigError(
            f"{file}:{line}: samples must be UTF-8, but a NUL byte looks like UTF-16."
        )
    return text


def read_lines(file: Path, content: bytes) -> Table:
    """
    A text a line, as the column "text"; lines that are blank are left out.

    Raises:
        ConfigError: If it is no text in UTF-8, or a line is too long.
    """
    lines = _lines(file, content)
    return Table(file, {"text": [text for _, text in lines]}, [place for place, _ in lines])


def read_json_lines(file: Path, content: bytes) -> Table:
    """
    An object a line, all with the same keys; "match" may be missing.

    Raises:
        ConfigError: If a line is no such object.
    """
    lines = _lines(file, content)
    rows = [_object(place, line) for place, line in lines]
    names = list(rows[0]) if rows else []
    expected = set(names) - {"match"}
    for row, (place, _) in zip(rows, lines, strict=True):
        if set(row) - {"match"} != expected:
            raise ConfigError(
                f"{place}: the keys must be those of the first line, "
                f"{', '.join(map(repr, sorted(expected)))}, "
                f"but are {', '.join(map(repr, sorted(row))) or 'none'}."
            )
        if "match" in row and "match" not in names:
            names.append("match")
    columns = {name: [row.get(name) for row in rows] for name in names}
    return Table(file, columns, [place for place, _ in lines])


def _lines(file: Path, content: bytes) -> list[tuple[str, str]]:
    """Each line that is not blank, with its place; what else Unicode calls a line stays in."""
    found = []
    for number, line in enumerate(decode(file, content).split("\n"), 1):
        place = f"{file}:{number}"
        if len(line) > _MOST:
            raise ConfigError(
                f"{place}: a line must have at most {_MOST:,} characters, but has {len(line):,}."
            )
        if line.strip():
            found.append((place, line.removesuffix("\r")))
    return found


def _object(place: str, line: str) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise ConfigError(f"{place}: the key {twice!r} is there twice.")
        return dict(pairs)

    try:
        value = json.loads(line, object_pairs_hook=unique)
        # Escapes can make strings that no UTF-8 has.
        json.dumps(value, ensure_ascii=False).encode()
    except ConfigError:
        raise
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{place}: {shown(line)} is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise ConfigError(
            f'{place}: a line must be an object, such as {{"text": "..."}}, but is {shown(line)}.'
        )
    return value
