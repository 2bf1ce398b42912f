"""NAME=VALUE as people give it on the command line: JSON, a file, or standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tritonkit.client.commands.damage import damage_is_a_value_error
from tritonkit.errors import ConfigError

__all__ = ["STDIN", "parse_json", "parse_named_value", "read_stdin", "split_named"]

STDIN = "-"
"""Stands for standard input in place of a value."""


def parse_named_value(text: str) -> tuple[str, Any]:
    """
    Read "NAME=JSON", "NAME=@FILE" of .npy or .json, or "NAME=-" for JSON from standard input.

    Returns:
        The name, and the array of a .npy or what JSON gives.

    Raises:
        ConfigError: If it is none of them, or the file cannot be read.
    """
    name, value = split_named(text)
    if value == STDIN:
        return name, parse_json(read_stdin(), name)
    if not value.startswith("@"):
        return name, parse_json(value, name)
    path = Path(value[1:])
    try:
        if path.suffix == ".npy":
            with path.open("rb") as file, damage_is_a_value_error():
                # numpy.load would take an archive or a pickle for it as well.
                return name, np.lib.format.read_array(file, allow_pickle=False)
        return name, json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"input {name!r} cannot be read from {path}: {error}") from error


def split_named(text: str) -> tuple[str, str]:
    """
    Read "NAME=VALUE".

    Raises:
        ConfigError: If a part is missing.
    """
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ConfigError(f"must be NAME=VALUE, but got {text!r}.")
    return name, value


def parse_json(text: str, name: str) -> Any:
    """
    The value of *name*.

    Raises:
        ConfigError: If it is not JSON.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ConfigError(f"the value of {name!r} is nested too deeply.") from error
    except ValueError as error:
        raise ConfigError(
            f"the value of {name!r} is not JSON ({error}); text needs quotes: {name}='\"hello\"'"
        ) from error


def read_stdin() -> str:
    """
    All of standard input.

    Raises:
        ConfigError: If it is not UTF-8.
    """
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"standard input must be UTF-8: {error}") from error
