"""Files and folders of inputs, told apart by their names."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tritonkit.bench.inputs.entry import Entries, Entry
from tritonkit.bench.inputs.images import SUFFIXES, Images, Scaling
from tritonkit.bench.inputs.perf_analyzer import read_json
from tritonkit.bench.inputs.raw import read_folder
from tritonkit.client import Signature
from tritonkit.client.commands.row_file import Row, RowFile, open_rows
from tritonkit.errors import ConfigError

__all__ = ["Source", "open_source"]

_FIELDS = ("inputs", "parameters", "outputs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """
    A file or a folder of inputs.

    Args:
        path: Where it is.
        name: The input that it gives, where it does not name any; None for the
            model's only one that fits.
    """

    path: Path
    name: str | None = None

    @classmethod
    def parse(cls, text: str) -> Source:
        """
        Read "PATH" or "NAME=PATH".

        Raises:
            ConfigError: If there is no such file or folder.
        """
        if Path(text).exists():
            return cls(path=Path(text))
        name, equals, path = text.partition("=")
        if equals and name and path:
            if Path(path).exists():
                return cls(path=Path(path), name=name)
            text = path
        raise ConfigError(
            f"input data is random, zero, or a file or folder, but there is no {text!r}."
        )

    @property
    def has_pictures(self) -> bool:
        """Whether it is a picture, or a folder with one."""
        files = self.path.iterdir() if self.path.is_dir() else [self.path]
        return any(file.suffix.lower() in SUFFIXES for file in files)


def open_source(
    source: Source,
    signature: Signature,
    *,
    scaling: Scaling | None = None,
    expected: Path | None = None,
) -> Entries:
    """
    Open a file or a folder.

    Args:
        source: `.npy` and `.npz` have rows along the first axis, the latter in an
            array for each input. `.jsonl` has a row in each line. `.txt` has a text
            in each line. `.json` is perf_analyzer's. A folder holds pictures, or a
            file of bytes for each input.
        signature: Of the model that takes them.
        scaling: Of pictures.
        expected: An `.npz` of what is expected of the answers, in an array for each
            output, with as many rows.

    Raises:
        ConfigError: If it cannot be read, or is none of them.
    """
    entries = _open(source, signature, scaling)
    if expected is None:
        return entries
    if expected.suffix != ".npz":
        raise ConfigError(f"{expected} must be an .npz file with an array for each output.")
    rows = open_rows(expected, signature)
    if len(rows) != len(entries):
        raise ConfigError(
            f"{expected} has {len(rows)} rows, but {source.path} has {len(entries)}: "
            "each row of inputs needs one of outputs."
        )
    return _Expected(entries, rows)


def _open(source: Source, signature: Signature, scaling: Scaling | None) -> Entries:
    path = source.path
    if path.is_dir():
        files = sorted(f for f in path.iterdir() if not f.name.startswith("."))
        if not files:
            raise ConfigError(f"{path} is empty: it must hold pictures, or a file for each input.")
        if all(f.suffix.lower() in SUFFIXES and f.name not in signature.inputs for f in files):
            return Images(files, signature, name=source.name, scaling=scaling)
        if source.name is not None:
            raise ConfigError(
                f"{path} must hold pictures only, since it is to give input {source.name!r}, "
                f"but it holds {next(f.name for f in files if f.suffix.lower() not in SUFFIXES)}."
            )
        return read_folder(path, signature)
    if path.suffix.lower() in SUFFIXES:
        return Images([path], signature, name=source.name, scaling=scaling)
    if path.suffix == ".json":
        return read_json(path)
    if path.suffix not in (".jsonl", ".npy", ".npz", ".txt"):
        raise ConfigError(
            f"{path} must be a .npy, .npz, .jsonl, .txt or .json file, a picture, or a folder."
        )
    return _Lines(open_rows(path, signature, source.name))


class _Lines:
    """The rows of a file; a line of JSON may be a whole request."""

    def __init__(self, rows: RowFile) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Entry]:
        return map(_entry, self._rows)


class _Expected:
    """Entries with the outputs of another file."""

    def __init__(self, entries: Entries, outputs: RowFile) -> None:
        self._entries = entries
        self._outputs = outputs

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        for entry, row in zip(self._entries, self._outputs, strict=True):
            yield replace(entry, expected={**entry.expected, **row.values})


def _entry(row: Row) -> Entry:
    values = row.values
    if not isinstance(values.get("inputs"), Mapping):
        return Entry(place=row.place, inputs=values)
    for field in values:
        if field not in _FIELDS:
            near = difflib.get_close_matches(field, _FIELDS, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise ConfigError(
                f"{row.place}: a request has {', '.join(_FIELDS)}, but no {field!r}{hint}."
            )
    parameters: Any = values.get("parameters", {})
    if not isinstance(parameters, Mapping):
        raise ConfigError(f"{row.place}: parameters must be an object, but got {parameters!r}.")
    outputs: Any = values.get("outputs", ())
    if isinstance(outputs, Mapping):
        return Entry(
            place=row.place, inputs=values["inputs"], parameters=parameters, expected=outputs
        )
    if isinstance(outputs, str) or not all(isinstance(name, str) for name in outputs):
        raise ConfigError(
            f"{row.place}: outputs must be an object of what is expected, or a list of names, "
            f"but got {outputs!r}."
        )
    return Entry(
        place=row.place, inputs=values["inputs"], parameters=parameters, outputs=tuple(outputs)
    )
