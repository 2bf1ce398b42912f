"""Inputs as people give them on the command line."""

from __future__ import annotations

import re
from pathlib import Path

from tritonkit.bench.inputs.dims import Dim, Spread
from tritonkit.errors import ConfigError

__all__ = ["parse_integers", "parse_shape", "parse_texts", "text_lines"]

_SPREAD = re.compile(r"([0-9]+)\.\.([0-9]+)", re.ASCII)
_RANGE = re.compile(r"(-?[0-9]+)\.\.(-?[0-9]+)", re.ASCII)


def parse_shape(text: str) -> tuple[str, tuple[Dim, ...]]:
    """
    Read "NAME:1,2,3" or "NAME:8..128,768"; a name may hold colons.

    Raises:
        ConfigError: If it is not a name and whole numbers or spreads of them.
    """
    name, _, dims = text.rpartition(":")
    try:
        shape = tuple(_dim(dim) for dim in dims.split(",")) if dims else ()
    except ValueError as error:
        if isinstance(error, ConfigError):
            raise
        shape = (-1,)
    if not name or any(isinstance(dim, int) and dim < 0 for dim in shape):
        raise ConfigError(
            f"a shape is NAME:DIMS such as image:3,224,224 or ids:8..128, but got {text!r}."
        )
    return name, shape


def parse_integers(text: str) -> tuple[str, tuple[int, int]]:
    """
    Read "NAME:0..30522": from the first, up to but without the second.

    Raises:
        ConfigError: If it is not a name and a range that holds a number.
    """
    name, _, limits = text.rpartition(":")
    match = _RANGE.fullmatch(limits)
    if not name or match is None:
        raise ConfigError(f"a range of integers is NAME:0..30522, but got {text!r}.")
    low, high = int(match[1]), int(match[2])
    if low >= high:
        raise ConfigError(
            f"a range of integers ends before its second number and holds one at least, "
            f"but got {text!r}."
        )
    return name, (low, high)


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
        lines = text_lines(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"texts cannot be read from {path}: {error}") from error
    texts = tuple(line for line in lines if line.strip())
    if not texts:
        raise ConfigError(f"{path} holds no text.")
    return texts


def text_lines(path: Path) -> list[str]:
    """
    The lines of a text file, as an editor shows them.

    Raises:
        OSError: If it cannot be read.
        UnicodeDecodeError: If it is not UTF-8.
    """
    # str.splitlines also ends a line at U+2028 and its like, which texts may hold.
    lines = path.read_bytes().decode().split("\n")
    if not lines[-1]:
        del lines[-1]
    return [line.removesuffix("\r") for line in lines]


def _dim(text: str) -> Dim:
    match = _SPREAD.fullmatch(text)
    return Spread(int(match[1]), int(match[2])) if match else int(text)
