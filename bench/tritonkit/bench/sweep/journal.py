"""The points of a sweep that are done, in a file that a sweep goes on from."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tritonkit.bench.conditions import Conditions
from tritonkit.bench.measurement import Measurement, Point
from tritonkit.bench.report.decoding import decode
from tritonkit.bench.report.encoding import encode, encode_conditions
from tritonkit.errors import ConfigError

__all__ = ["Entry", "Journal", "journal_path"]

_FORMAT = "tritonkit-bench-journal/1"
_MAY_DIFFER = ("started", "load", "command", "load_average", "parts")
"""Conditions that two runs of one sweep need not share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """
    What became of one point in one round.

    Args:
        point: The point.
        round: Counted from 0.
        measurement: None where it failed.
        failure: Why it could not be measured; empty where it was.
    """

    point: Point
    round: int = 0
    measurement: Measurement | None = None
    failure: str = ""


class Journal:
    """
    One line of JSON for each point, on the disk before the next one begins.

    The first line holds the conditions. A line that was cut off by a crash is
    dropped. One process writes it at a time.

    Args:
        path: The file; made where it is not there.
        conditions: Of this run.
        resume: Whether points that are in it count as done.
        changed: The model whose settings the points have.

    Raises:
        ConfigError: If it cannot be read or written, another process writes it, it
            has points and *resume* is false, or it is of other conditions.
    """

    def __init__(
        self, path: Path, conditions: Conditions, *, resume: bool = False, changed: str = ""
    ) -> None:
        self._path = path
        self._changed = changed
        self._done: dict[tuple[str, int], Entry] = {}
        self.dropped = 0
        try:
            # Without a buffer, which would hold what a full disk did not take, and write it later.
            self._file: FileIO = path.open("a+b", buffering=0)
        except OSError as error:
            raise self._refused(error) from error
        try:
            self._hold()
            self._begin(conditions, resume)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What is done, in the order in which it was."""
        return tuple(self._done.values())

    def done(self, point: Point, round_: int = 0) -> Entry | None:
        """What was measured; None where it was not, or failed, and is tried again."""
        return self._done.get(_key(point, round_))

    def add(self, entry: Entry) -> None:
        """
        Write what became of a point, onto the disk.

        Raises:
            ConfigError: If it cannot be written; what was there before stays whole.
        """
        self._write(
            {
                "point": entry.point.describe(),
                "round": entry.round,
                "measurement": None if entry.measurement is None else encode(entry.measurement),
                "failure": entry.failure,
            }
        )
        if entry.measurement is not None:
            self._done[_key(entry.point, entry.round)] = entry

    def _hold(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(f"another sweep writes {self._path} right now.") from error

    def _begin(self, conditions: Conditions, resume: bool) -> None:
        self._file.seek(0)
        whole, _, torn = self._file.read().rpartition(b"\n")
        lines = whole.split(b"\n") if whole else []
        if torn:
            self.dropped = 1
            self._cut(len(whole) + (1 if whole else 0))
        told = {**encode_conditions(conditions), "settings of": self._changed}
        header = {"format": _FORMAT, "conditions": told}
        if not lines:
            self._write(header)
            _sync_folder(self._path)
            return
        found = _parsed(lines[0], self._path, 1)
        self._check_header(found, header)
        if len(lines) > 1 and not resume:
            raise ConfigError(
                f"{self._path} has {len(lines) - 1} points of a sweep that did not end: go on "
                "with --resume, or remove the file to begin anew."
            )
        self._check_same(found["conditions"], header["conditions"])
        for number, line in enumerate(lines[1:], start=2):
            entry = _entry(line, self._path, number)
            if entry is not None:
                self._done[_key(entry.point, entry.round)] = entry

    def _check_header(self, found: Any, header: Mapping[str, Any]) -> None:
        if not isinstance(found, dict) or found.get("format") != header["format"]:
            raise ConfigError(
                f"{self._path} is no journal of this version's sweeps; it stays as it is. "
                "Choose another --output."
            )

    def _check_same(self, found: Mapping[str, Any], now: Any) -> None:
        # Through JSON once, as what was read: tuples are lists there.
        mine = json.loads(json.dumps(now))
        differ = [
            f"{name} was {_short(found.get(name))} and is {_short(value)}"
            for name, value in mine.items()
            if name not in _MAY_DIFFER and found.get(name) != value
        ]
        if differ:
            raise ConfigError(
                f"{self._path} is of other conditions, so its points cannot stand beside new "
                f"ones: {'; '.join(differ)}. Choose another --output, or remove the file."
            )

    def _write(self, content: Any) -> None:
        start = self._file.seek(0, os.SEEK_END)
        try:
            line = memoryview(json.dumps(content, allow_nan=False).encode() + b"\n")
            while line:
                line = line[self._file.write(line) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            self._cut(start)
            raise self._refused(error) from error

    def _cut(self, length: int) -> None:
        os.truncate(self._path, length)

    def _refused(self, error: OSError) -> ConfigError:
        return ConfigError(f"the journal {self._path} cannot be written: {error}")


def journal_path(output: Path) -> Path:
    """Beside the report: "sweep.json" has "sweep.json.journal"."""
    return output.with_name(f"{output.name}.journal")


def _key(point: Point, round_: int) -> tuple[str, int]:
    return json.dumps(point.describe(), sort_keys=True), round_


def _parsed(line: bytes, path: Path, number: int) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise ConfigError(
            f"{path}, line {number} is no JSON, though later lines are whole: the file was "
            f"changed by something else ({error})."
        ) from error


def _entry(line: bytes, path: Path, number: int) -> Entry | None:
    """What was measured; None of a point that failed, since it is tried again."""
    content = _parsed(line, path, number)
    try:
        if content["measurement"] is None:
            return None
        measurement = decode(content["measurement"])
        return Entry(point=measurement.point, round=content["round"], measurement=measurement)
    except (KeyError, TypeError, ConfigError) as error:
        raise ConfigError(f"{path}, line {number} is no point of a sweep: {error}") from error


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path.absolute().parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
