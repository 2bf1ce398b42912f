"""Inputs as people give them on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tritonkit.errors import ConfigError

__all__ = ["parse_input", "parse_shape", "parse_texts"]


def parse_shape(text: str) -> tuple[str, tuple[int, ...]]:
    """
    Read "NAME:1,2,3"; a name may hold colons.

    Raises:
        ConfigError: If it is not a name and whole numbers.
    """
    name, _, dims = text.rpartition(":")
    try:
        shape = tuple(int(dim) for dim in dims.split(",")) if dims else ()
    except ValueError:
        shape = (-1,)
    if not name or any(dim < 0 for dim in shape):
        raise ConfigError(f"a shape is NAME:DIMS such as image:3,224,224, but got {text!r}.")
    return name, shape


def parse_input(text: str) -> tuple[str, Any]:
    """
    Read "NAME=JSON" or "NAME=@FILE", where the file is .npy or .json.

    Returns:
        The name, and the array of a .npy or what JSON gives.

    Raises:
        ConfigError: If it is neither, or the file cannot be read.
    """
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ConfigError(f"an input is NAME=VALUES, but got {text!r}.")
    if not value.startswith("@"):
        try:
            return name, json.loads(value)
        except ValueError as error:
            raise ConfigError(
                f"input {name!r} is not JSON: {error}. A text needs quotes."
            ) from error
    path = Path(value[1:])
    try:
        if path.suffix == ".npy":
            with path.open("rb") as file:
                # numpy.load would take an archive or a pickle for it as well.
                return name, np.lib.format.read_array(file, allow_pickle=False)
        return name, json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"input {name!r} cannot be read from {path}: {error}") from error


def parse_texts(text: str) -> tuple[str, ...]:
    """
    Read one text, or "@FILE" with one on each line that is not empty.

    Raises:
        ConfigError: If the file cannot be read or holds no text.
    """
    if not text.startswith("@"):
        return (text,)
    path = Path(text[1:])
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"texts cannot be read from {path}: {error}") from error
    texts = tuple(line for line in lines if line.strip())
    if not texts:
        raise ConfigError(f"{path} holds no text.")
    return texts
