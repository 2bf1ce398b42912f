"""Measurements as a JSON document, written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tritonkit.bench.conditions import Conditions
from tritonkit.bench.measurement import Measurement
from tritonkit.bench.report.decoding import decode, decode_conditions
from tritonkit.bench.report.encoding import encode, encode_conditions
from tritonkit.bench.report.fields import Fields
from tritonkit.errors import ConfigError

__all__ = [
    "FORMAT",
    "Report",
    "check_writable",
    "decode",
    "document",
    "encode",
    "parse",
    "read",
    "write",
    "write_text",
]

FORMAT = "tritonkit-bench/2"
"""Goes up when a field changes its meaning or goes away; schema.json says what it holds."""

_FAMILY = "tritonkit-bench/"


@dataclass(frozen=True, slots=True)
class Report:
    """
    What one document holds.

    Args:
        conditions: Of all measurements.
        measurements: In the order in which they were taken.
    """

    conditions: Conditions
    measurements: tuple[Measurement, ...]


def document(conditions: Conditions, measurements: Sequence[Measurement]) -> dict[str, Any]:
    """Everything that was measured, in JSON's types; what is not a number is null."""
    return {
        "format": FORMAT,
        "conditions": encode_conditions(conditions),
        "measurements": [encode(measurement) for measurement in measurements],
    }


def read(path: Path) -> Report:
    """
    Read what `write` wrote of a `document`.

    Raises:
        ConfigError: If the file cannot be read, is cut off, is something else, or is of
            another version of the format.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no JSON: {error}") from error
    return parse(text, str(path))


def parse(text: str, name: str) -> Report:
    """
    Read the text of a document.

    Args:
        text: JSON.
        name: Of its file, for errors.

    Raises:
        ConfigError: As `read`.
    """
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}"
        cut = (
            " It ends too early: was it copied in part?" if not text.rstrip().endswith("}") else ""
        )
        raise ConfigError(f"{name} is no JSON: {error.msg} at {at}.{cut}") from error
    except RecursionError as error:
        raise ConfigError(
            f"{name} is no report of tritonkit bench: it is nested too deep."
        ) from error
    except ValueError as error:
        raise ConfigError(f"{name} is no JSON: {error}") from error
    _check_format(content, name)
    if "\\ud" in text.lower() and not _whole(content):
        raise ConfigError(f"{name} holds half a character (a lone surrogate), which no text has.")
    fields = Fields(content, "")
    try:
        return Report(
            decode_conditions(fields.object("conditions")),
            tuple(decode(one) for one in fields.objects("measurements")),
        )
    except ConfigError as error:
        raise ConfigError(f"{name} does not hold what {FORMAT} holds: {error}") from error


def _whole(content: Any) -> bool:
    """Whether all its texts can be written."""
    try:
        json.dumps(content, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def check_writable(path: Path) -> None:
    """
    Find out before a long run what would keep its result from being written.

    Raises:
        ConfigError: If *path* is a folder, its folder is not there, or a file
            cannot be made in it.
    """
    with _refusing(path):
        if path.is_dir():
            raise ConfigError(f"the output {path} is a folder; name a file.")
        if not path.absolute().parent.is_dir():
            raise ConfigError(f"the folder of the output {path} does not exist.")
        aside = _aside(path)
        aside.touch()
        aside.unlink()


def write(path: Path, content: dict[str, Any]) -> None:
    """
    Write *content*, in place of what stood there before.

    Raises:
        ConfigError: If the file cannot be written; what stood there stays.
    """
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """
    Write *text*, in place of what stood there before.

    Raises:
        ConfigError: If the file cannot be written; what stood there stays.
    """
    aside = _aside(path)
    with _refusing(path):
        try:
            aside.write_text(text, encoding="utf-8")
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)


def _aside(path: Path) -> Path:
    """Where the file is made, so that it is never half there."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(f"the output {path} cannot be written: {error}") from error


def _check_format(content: Any, name: str) -> None:
    found = content.get("format") if isinstance(content, dict) else None
    if not (isinstance(found, str) and found.startswith(_FAMILY)):
        raise ConfigError(
            f"{name} is no report of tritonkit bench: it does not say that its format is {FORMAT}."
        )
    if found == FORMAT:
        return
    number = found.removeprefix(_FAMILY)
    if number == "1":
        raise ConfigError(
            f"{name} has the format {found}, which did not hold the load, the service times and "
            "the course of a run; take the measurement again with this version of tritonkit."
        )
    raise ConfigError(
        f"{name} has the format {found}, but this version of tritonkit reads {FORMAT}; "
        "read it with the version that wrote it, or a newer one."
    )
