"""A tensor's values in JSON, read and written as Triton does."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.wire.datatypes import BFLOAT16, DATATYPES
from tritonkit.gateway.protocol.grisu import write_floats
from tritonkit.gateway.protocol.unreadable import Unreadable

__all__ = ["quoted", "read_values", "write_values"]

_SIGNED = (-(2**63), 2**63)
_UNSIGNED = (0, 2**64)
# A control character has a letter of its own, or its number in capitals.
_ESCAPES = {bytes([n]): b"\\u%04X" % n for n in range(32)} | {
    b'"': b'\\"',
    b"\\": b"\\\\",
    b"\b": b"\\b",
    b"\f": b"\\f",
    b"\n": b"\\n",
    b"\r": b"\\r",
    b"\t": b"\\t",
}
_SPECIAL = re.compile(rb'[\x00-\x1f"\\]')


def read_values(data: Any, datatype: str, shape: Sequence[int]) -> NDArray[Any]:
    """
    The array of an input whose values stand in the JSON.

    Lists may be nested in any way, as long as there are enough values. Integers that
    are too large for a small type wrap, as they do in Triton.

    Raises:
        Unreadable: If Triton refuses them, or reads them in a way of its own.
    """
    count = math.prod(shape)
    if datatype in ("FP16", "BF16") and count:
        raise Unreadable(f"{datatype} has no form in JSON", wrong=True)
    dtype = BFLOAT16 if datatype == "BF16" else DATATYPES[datatype]
    if not count:
        # Nobody looks at the values then.
        try:
            return np.empty(shape, dtype)
        except ValueError as error:
            # Its other dimensions are beyond memory.
            raise Unreadable(f"no array can have the shape {list(shape)}: {error}") from error
    if not isinstance(data, list):
        raise Unreadable("the data is no list", wrong=True)
    kinds = set(map(type, data))
    if list in kinds:
        data = _flat(data)
        kinds = set(map(type, data))
    if len(data) != count:
        raise Unreadable(
            f"{len(data)} values are not of the shape {list(shape)}", wrong=datatype != "BYTES"
        )
    return _array(data, kinds, datatype, dtype).reshape(shape)


def _array(data: list[Any], kinds: set[type], datatype: str, dtype: np.dtype[Any]) -> NDArray[Any]:
    if datatype == "BYTES":
        if kinds != {str}:
            raise Unreadable("BYTES takes texts", wrong=True)
        array = np.empty(len(data), dtype)
        try:
            array[:] = [text.encode() for text in data]
        except UnicodeEncodeError as error:
            raise Unreadable("a text has half of a character", wrong=True) from error
        return array
    if datatype == "BOOL":
        if kinds != {bool}:
            raise Unreadable("BOOL takes true and false", wrong=True)
        return np.array(data, dtype)
    if dtype.kind == "f":
        if not kinds <= {int, float}:
            raise Unreadable(f"{datatype} takes numbers", wrong=True)
        if int in kinds and not _within(data, -(2**63), 2**64):
            raise Unreadable("an integer is too large to be read as it is written")
        with np.errstate(over="ignore"):
            return np.array(data, np.float64).astype(dtype)
    least, limit = _UNSIGNED if dtype.kind == "u" else _SIGNED
    if kinds != {int} or not _within(data, least, limit):
        raise Unreadable(f"{datatype} takes integers from {least} to {limit - 1}", wrong=True)
    return np.array(data, np.uint64 if dtype.kind == "u" else np.int64).astype(dtype)


def _within(data: list[Any], least: int, limit: int) -> bool:
    whole = [value for value in data if type(value) is int]
    return min(whole) >= least and max(whole) < limit


def _flat(data: list[Any]) -> list[Any]:
    flat: list[Any] = []
    for item in data:
        if type(item) is list:
            flat.extend(_flat(item))
        else:
            flat.append(item)
    return flat


def write_values(array: NDArray[Any]) -> bytes:
    """The values of an array in one list, whatever its shape; not of FP16 or BF16."""
    kind = array.dtype.kind
    if kind == "f":
        return write_floats(array.ravel())
    values = array.ravel().tolist()
    if kind == "b":
        return b"[%s]" % b",".join([b"true" if value else b"false" for value in values])
    if kind in "iu":
        return str(values).replace(" ", "").encode()
    return b"[%s]" % b",".join([quoted(value) for value in values])


def quoted(text: bytes | str) -> bytes:
    """A JSON text; bytes that are no UTF-8 are written as they are."""
    if isinstance(text, str):
        text = text.encode(errors="surrogateescape")
    if _SPECIAL.search(text):
        text = _SPECIAL.sub(lambda found: _ESCAPES[found[0]], text)
    return b'"%s"' % text
