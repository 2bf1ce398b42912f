"""Array files that are damaged."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from tokenize import TokenError
from zipfile import BadZipFile

try:
    from lzma import LZMAError
except ImportError:
    # A Python that was built without it never raises it; mypy sees one that has it.
    LZMAError = BadZipFile  # type: ignore[misc, assignment]

__all__ = ["damage_is_a_value_error"]

# Beside ValueError: numpy parses a header as Python, and an .npz is an archive.
_DAMAGE = (
    BadZipFile,
    EOFError,
    KeyError,
    LZMAError,
    MemoryError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    TokenError,
    TypeError,
    struct.error,
    zlib.error,
)


@contextmanager
def damage_is_a_value_error() -> Iterator[None]:
    """Whatever numpy and zipfile raise for a damaged file becomes a ValueError."""
    try:
        yield
    except _DAMAGE as error:
        raise ValueError(f"it is damaged: {error or type(error).__name__}") from error
