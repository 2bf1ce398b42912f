"""
One entry as bytes, for stores outside of this process, and back.

    offset  bytes
    0       4   b"TKE1": what it is, and the version of the format
    4       8   xxh3_64 of everything that follows
    12      1   flags: 1 where the body is compressed by zstd
    13      8   when it was created, in microseconds of the store's clock
    21      8   lifetime in microseconds; -1 for no end
    29      16  the key it was put under
    45      4   size of the body before compression
    49          the body

    body    2   number of outputs, then of each its
            2   length of the name, the name in UTF-8
            1   datatype, an index into DATATYPES of this module
            1   number of dimensions, 8 bytes for each
            4   size of the tensor; then, after the last output,
                the tensors as in Triton's protocol, one after the other,
                and what remains is the parameters as JSON

Integers are little-endian. There is nothing in it that could run code. What
does not read to the last byte is not an entry: `decode` gives None for it.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any

import xxhash
from numpy.typing import NDArray

from tritonkit.client.stores.store import Entry
from tritonkit.client.types import Parameter, Tensors
from tritonkit.client.wire import datatypes
from tritonkit.client.wire.tensors import decode_tensor, encode_tensor
from tritonkit.errors import MissingExtra, ProtocolError
from tritonkit.extras import require

__all__ = ["FOREVER", "MAX_BYTES", "Stored", "decode", "encode", "encode_body"]

FOREVER = -1
"""The lifetime of what has no end."""

MAX_BYTES = 64 * 2**20
"""Of a body; an answer of more is not kept outside of the process, and none is read."""

DATATYPES = (
    "BOOL",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "FP16",
    "FP32",
    "FP64",
    "BYTES",
)
"""Their order is part of the format. BF16 is handed out as float32, so it is kept as FP32."""

_MAGIC = b"TKE1"
_HEAD = struct.Struct("<4sQBqq16sI")
_CHECKED = 12
_ZSTD = 1
# Below, the frame of zstd and its call cost more than they spare.
_WORTH_COMPRESSING = 512
_COUNT = struct.Struct("<H")
_KIND = struct.Struct("<BB")
_DIMENSION = struct.Struct("<Q")
_SIZE = struct.Struct("<I")
_MICROSECONDS = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """
    What `decode` read: an entry with its times as the store's clock has them.

    Args:
        outputs: Arrays by output name, read-only.
        parameters: Response parameters.
        created: In microseconds of the store's clock.
        lifetime: In microseconds, or FOREVER.
    """

    outputs: Tensors
    parameters: dict[str, Parameter]
    created: int
    lifetime: int


def encode_body(entry: Entry) -> bytes | None:
    """
    What an entry holds, without its times.

    Returns:
        None for what would not come back the same, such as an array of a type
        that Triton's protocol hands out otherwise, and for more than MAX_BYTES.
    """
    table = [_COUNT.pack(len(entry.outputs))]
    tensors: list[Any] = []
    try:
        for name, array in entry.outputs.items():
            datatype = _datatype(array)
            if datatype is None:
                return None
            data, size = encode_tensor(array, datatype)
            label = name.encode()
            table += (
                _COUNT.pack(len(label)),
                label,
                _KIND.pack(DATATYPES.index(datatype), array.ndim),
                *map(_DIMENSION.pack, array.shape),
                _SIZE.pack(size),
            )
            tensors.append(data)
        parameters = json.dumps(dict(entry.parameters)).encode() if entry.parameters else b""
    except (UnicodeEncodeError, struct.error, TypeError, ValueError):
        return None
    body = b"".join((*table, *tensors, parameters))
    return body if len(body) <= MAX_BYTES else None


def encode(
    key: bytes, body: bytes, *, created: int, lifetime: int, compress: bool = False
) -> bytes | None:
    """
    The bytes of an entry.

    Args:
        key: The 16 bytes it is put under.
        body: From `encode_body`.
        created: In microseconds of the store's clock.
        lifetime: In microseconds, or FOREVER.
        compress: By zstd, where that makes it smaller.

    Returns:
        None where a time is beyond 292,000 years.

    Raises:
        MissingExtra: If it is to be compressed and zstandard is not installed.
    """
    if created not in _MICROSECONDS or lifetime not in _MICROSECONDS:
        return None
    size, flags = len(body), 0
    if compress and size >= _WORTH_COMPRESSING:
        # Level 1: half of the default's time for nearly all of its gain.
        small = require("zstandard", extra="redis").ZstdCompressor(level=1).compress(body)
        if len(small) < size:
            body, flags = small, _ZSTD
    data = bytearray(_HEAD.pack(_MAGIC, 0, flags, created, lifetime, key, size))
    data += body
    struct.pack_into("<Q", data, 4, xxhash.xxh3_64_intdigest(memoryview(data)[_CHECKED:]))
    return bytes(data)


def decode(key: bytes, data: bytes) -> Stored | None:
    """Read what was put under *key*; None where *data* is not exactly that."""
    if len(data) < _HEAD.size or data[:4] != _MAGIC:
        return None
    _, checksum, flags, created, lifetime, stored_key, size = _HEAD.unpack_from(data)
    if xxhash.xxh3_64_intdigest(memoryview(data)[_CHECKED:]) != checksum:
        return None
    if stored_key != key or flags not in (0, _ZSTD) or size > MAX_BYTES or lifetime < FOREVER:
        return None
    body = memoryview(data)[_HEAD.size :]
    if flags:
        unpacked = _decompress(body, size)
        if unpacked is None:
            return None
        body = memoryview(unpacked)
    if len(body) != size:
        return None
    try:
        outputs, parameters = _decode_body(body)
    except (ProtocolError, ValueError, RecursionError, struct.error, IndexError):
        # Right by its checksum and wrong all the same: somebody else's work.
        return None
    return Stored(outputs, parameters, created, lifetime)


def _datatype(array: NDArray[Any]) -> str | None:
    """Of an array that `decode` would hand out with the same elements, of the same type."""
    datatype = datatypes.datatype_of(array.dtype)
    little = array.dtype.newbyteorder("<")
    if datatype not in DATATYPES or datatypes.DATATYPES[datatype] != little:
        return None
    if datatype == "BYTES" and not set(map(type, array.ravel().tolist())) <= {bytes}:
        return None
    return datatype


def _decode_body(body: memoryview) -> tuple[Tensors, dict[str, Parameter]]:
    """Raises ProtocolError, ValueError, RecursionError, IndexError or struct.error."""
    (count,) = _COUNT.unpack_from(body)
    offset = _COUNT.size
    table = []
    for _ in range(count):
        (length,) = _COUNT.unpack_from(body, offset)
        offset += _COUNT.size
        name = str(_slice(body, offset, length), "utf-8")
        offset += length
        kind, ndim = _KIND.unpack_from(body, offset)
        offset += _KIND.size
        shape = struct.unpack_from(f"<{ndim}Q", body, offset)
        offset += _DIMENSION.size * ndim
        (size,) = _SIZE.unpack_from(body, offset)
        offset += _SIZE.size
        table.append((name, DATATYPES[kind], shape, size))
    outputs: dict[str, NDArray[Any]] = {}
    for name, datatype, shape, size in table:
        # Bytes of its own: none keeps the others in memory, and none can be written.
        own = bytes(_slice(body, offset, size))
        offset += size
        array = decode_tensor(memoryview(own), datatype, shape)
        array.flags.writeable = False
        outputs[name] = array
    if len(outputs) != count:
        raise ValueError("two outputs of one name")
    return outputs, _decode_parameters(bytes(body[offset:]))


def _decode_parameters(data: bytes) -> dict[str, Parameter]:
    if not data:
        return {}
    parameters = json.loads(data)
    if not isinstance(parameters, dict):
        raise ValueError("parameters that are not an object")
    for value in parameters.values():
        if not isinstance(value, (str, int, float, bool)):
            raise ValueError("a parameter of another type")
    return parameters


def _slice(body: memoryview, offset: int, length: int) -> memoryview:
    if length > len(body) - offset:
        raise ValueError("it ends before its parts do")
    return body[offset : offset + length]


def _decompress(data: memoryview, size: int) -> bytes | None:
    try:
        zstandard = require("zstandard", extra="redis")
    except MissingExtra:
        # Written by a process that has it.
        return None
    try:
        # zstd allocates what the frame itself claims, so that must be what was checked.
        if zstandard.get_frame_parameters(data).content_size != size:
            return None
        unpacked: bytes = zstandard.ZstdDecompressor().decompress(
            data, max_output_size=size, allow_extra_data=False
        )
    except zstandard.ZstdError:
        return None
    return unpacked
