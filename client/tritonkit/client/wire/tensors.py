"""One tensor as bytes, and back: Triton's binary tensor extension."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.wire.datatypes import DATATYPES, datatype_of, from_bfloat16
from tritonkit.errors import InvalidInput, ProtocolError

__all__ = ["Buffer", "decode_tensor", "encode_tensor", "tensor_datatype"]

Buffer: TypeAlias = bytes | memoryview
"""Bytes that can be joined without a copy."""

_LENGTH = struct.Struct("<I")
# Bytes of an element on the wire; of a text, at least.
_SIZES = {name: dtype.itemsize for name, dtype in DATATYPES.items()} | {"BF16": 2, "BYTES": 4}
# Most texts are short: their length prefixes are ready.
_SHORT = tuple(_LENGTH.pack(n) for n in range(1024))


def encode_tensor(array: NDArray[Any], datatype: str) -> tuple[Buffer, int]:
    """
    Bytes of *array* in row-major order, little-endian; BYTES with 4-byte lengths.

    Args:
        array: Its own type must be *datatype*; nothing is converted here.
        datatype: From `datatype_of(array.dtype)`.

    Returns:
        A buffer, which may be the array's own memory, and its size in bytes.

    Raises:
        InvalidInput: If a BYTES element is neither text nor bytes; the message
            lacks its subject.
    """
    if datatype == "BYTES":
        data = _encode_bytes(array)
        return data, len(data)
    if not array.flags.c_contiguous:
        array = np.ascontiguousarray(array)
    if datatype == "BF16":
        array = array.view("<u2")
    elif array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("<"))
    return array.data, array.nbytes


def decode_tensor(data: memoryview, datatype: str, shape: Sequence[int]) -> NDArray[Any]:
    """
    Read an array from the bytes of one tensor.

    Args:
        data: Exactly the tensor's bytes.
        datatype: Triton's name.
        shape: Every dimension 0 or more.

    Returns:
        A view of *data* where the type allows it: read-only if *data* is.
        BYTES gives an array of objects that are bytes, BF16 gives float32.

    Raises:
        ProtocolError: If the type is unknown or the sizes do not agree.
    """
    count = math.prod(shape)
    dtype = DATATYPES.get(datatype)
    if dtype is None:
        raise ProtocolError(f"the answer has a tensor of unknown datatype {datatype!r}")
    size = count * _SIZES[datatype]
    if size > len(data) or (size < len(data) and datatype != "BYTES"):
        raise ProtocolError(
            f"a {datatype} tensor of shape {list(shape)} takes {size} bytes"
            f"{' or more' if datatype == 'BYTES' else ''}, but the answer has {len(data)}"
        )
    try:
        if datatype == "BYTES":
            return _decode_bytes(data, count).reshape(shape)
        if datatype == "BF16":
            return from_bfloat16(np.ndarray(shape, "<u2", data))
        return np.ndarray(shape, dtype, data)
    except (ValueError, OverflowError) as error:
        # Sizes agree where a dimension is 0, whatever the others are.
        raise ProtocolError(f"no array can have the shape {list(shape)}: {error}") from error


def _encode_bytes(array: NDArray[Any]) -> bytes:
    items: list[Any] = array.ravel().tolist()
    kinds = set(map(type, items))
    if kinds == {str}:
        try:
            items = list(map(str.encode, items))
        except UnicodeEncodeError as error:
            raise InvalidInput(f"holds text that cannot be written as UTF-8: {error}") from error
    elif not kinds <= {bytes}:
        items = list(map(_to_bytes, items))
    parts = [b""] * (2 * len(items))
    lengths = list(map(len, items))
    if max(lengths, default=0) < len(_SHORT):
        parts[0::2] = map(_SHORT.__getitem__, lengths)
    else:
        parts[0::2] = map(_LENGTH.pack, lengths)
    parts[1::2] = items
    return b"".join(parts)


def _to_bytes(item: Any) -> bytes:
    if isinstance(item, str):
        try:
            return item.encode()
        except UnicodeEncodeError as error:
            raise InvalidInput(f"holds text that cannot be written as UTF-8: {error}") from error
    if isinstance(item, (bytes, bytearray, memoryview)):
        return bytes(item)
    raise InvalidInput(f"must hold str or bytes only (BYTES), but got {item!r}")


def _decode_bytes(data: memoryview, count: int) -> NDArray[Any]:
    body = bytes(data)
    array = np.empty(count, dtype=np.object_)
    items: list[bytes] = []
    add, read, offset = items.append, _LENGTH.unpack_from, 0
    try:
        for _ in range(count):
            start = offset + 4
            offset = start + read(body, offset)[0]
            add(body[start:offset])
    except struct.error:
        offset = -1
    if offset != len(body):
        raise ProtocolError(
            f"{count} BYTES elements end elsewhere than their {len(body)} bytes; "
            "the tensor is truncated or its lengths are wrong"
        )
    array[:] = items
    return array


def tensor_datatype(array: NDArray[Any]) -> str:
    """
    Triton's name of the array's type.

    Raises:
        InvalidInput: If Triton has no such type; the message lacks its subject.
    """
    datatype = datatype_of(array.dtype)
    if datatype is None:
        raise InvalidInput(
            f"is of type {array.dtype}, which Triton does not know; it knows {', '.join(DATATYPES)}"
        )
    return datatype
