"""
What makes two rows the same: a key for each, injective and typed.

A key is a 128-bit hash over a canonical encoding of everything that may change
the answer. Each part is preceded by its length, so no two different requests
have the same encoding; what remains is the chance of a hash collision, 2**-64
after four billion rows.

    head = hash(FORMAT, kind, scope, epoch, identity, outputs, parameters, inputs)
    key  = hash(head, bytes of the row in each input, inputs by name)

An input stands in the head by its name, Triton datatype and row shape, and in
the row by the bytes that Triton's protocol has for it: little-endian, row-major,
text preceded by its length. So neither order, strides, byte order, process nor
platform change a key, and tests/client/test_keys.py holds vectors of FORMAT.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import xxhash
from numpy.typing import NDArray

from tritonkit.client.types import InferRequest, Parameter
from tritonkit.client.wire.tensors import encode_tensor, tensor_datatype
from tritonkit.errors import ConfigError, InvalidInput
from tritonkit.extras import require

__all__ = [
    "FORMAT",
    "KEY_BYTES",
    "Digest",
    "keyed_digest",
    "plain_digest",
    "row_keys",
    "whole_keys",
]

FORMAT = b"tritonkit key 1"
"""Changes with the encoding, so that no key of another encoding is ever met."""

KEY_BYTES = 16

Digest: TypeAlias = Callable[[bytes], bytes]
"""A hash of KEY_BYTES bytes."""

_LENGTH = struct.Struct("<Q")
_TEXT_LENGTH = struct.Struct("<I")
_INTEGER = struct.Struct("<q")
_FLOAT = struct.Struct("<d")

plain_digest: Digest = xxhash.xxh3_128_digest
"""XXH3: fast, and no protection from one who looks for collisions."""


def keyed_digest(secret: bytes) -> Digest:
    """
    BLAKE3 under a key: where tenants share a store, none can make or test another's key.

    Args:
        secret: 32 bytes or more, the same in every process that shares the store.

    Raises:
        ConfigError: If the secret is shorter.
        MissingExtra: If the redis extra is not installed.
    """
    if len(secret) < 32:
        raise ConfigError(f"secret must have 32 bytes or more, but got {len(secret)}.")
    blake3 = require("blake3", extra="redis").blake3
    key = blake3(secret).digest(32)

    def digest(data: bytes) -> bytes:
        result: bytes = blake3(data, key=key).digest(KEY_BYTES)
        return result

    return digest


def row_keys(
    request: InferRequest, *, identity: bytes, epoch: bytes = b"", digest: Digest = plain_digest
) -> list[bytes]:
    """
    The key of each row.

    Args:
        request: Every input has its rows along its first axis, the same number
            in each, one or more.
        identity: Of the model that would answer.
        epoch: Of the entries that are still valid.
        digest: What hashes.

    Raises:
        InvalidInput: If an input or a parameter cannot be sent.
    """
    names = sorted(request.inputs)
    signature = []
    columns = []
    for name in names:
        array = request.inputs[name]
        try:
            datatype = tensor_datatype(array)
            columns.append(_rows(array, datatype))
        except InvalidInput as error:
            raise InvalidInput(f"input {name!r} {error}", model=request.model) from error
        signature.append((name, datatype, array.shape[1:]))
    head = _head(b"rows", request, identity, epoch, tuple(signature), digest)
    if len(columns) == 1:
        return [digest(head + row) for row in columns[0]]
    return [digest(b"".join((head, *rows))) for rows in zip(*columns, strict=True)]


def whole_keys(
    request: InferRequest, *, identity: bytes, epoch: bytes = b"", digest: Digest = plain_digest
) -> list[bytes]:
    """
    The one key of a request as a whole, its shape included; see `row_keys`.

    Raises:
        InvalidInput: If an input or a parameter cannot be sent.
    """
    signature = []
    parts: list[Any] = []
    for name in sorted(request.inputs):
        array = request.inputs[name]
        try:
            datatype = tensor_datatype(array)
            parts.append(encode_tensor(array, datatype)[0])
        except InvalidInput as error:
            raise InvalidInput(f"input {name!r} {error}", model=request.model) from error
        signature.append((name, datatype, array.shape))
    head = _head(b"whole", request, identity, epoch, tuple(signature), digest)
    return [digest(b"".join((head, *parts)))]


def _rows(array: NDArray[Any], datatype: str) -> list[bytes]:
    """The bytes of each row. How many follow from the head, or from their own lengths."""
    if datatype == "BYTES":
        if array.size == len(array):
            items = array.ravel().tolist()
            if set(map(type, items)) <= {str, bytes}:
                try:
                    texts = [item.encode() if type(item) is str else item for item in items]
                except UnicodeEncodeError as error:
                    raise InvalidInput(
                        f"holds text that cannot be written as UTF-8: {error}"
                    ) from error
                return [_TEXT_LENGTH.pack(len(text)) + text for text in texts]
        return [
            bytes(encode_tensor(array[row : row + 1], datatype)[0]) for row in range(len(array))
        ]
    data, size = encode_tensor(array, datatype)
    body = bytes(data)
    if len(array) == 1:
        return [body]
    step = size // len(array)
    return [body[start : start + step] for start in range(0, step * len(array), step or 1)] or [
        b""
    ] * len(array)


def _head(
    kind: bytes,
    request: InferRequest,
    identity: bytes,
    epoch: bytes,
    inputs: tuple[tuple[str, str, tuple[int, ...]], ...],
    digest: Digest,
) -> bytes:
    parameters = request.parameters
    return _head_of(
        kind,
        request.scope,
        epoch,
        identity,
        None if request.outputs is None else tuple(sorted(set(request.outputs))),
        _parameters(request.model, parameters) if parameters else b"",
        inputs,
        digest,
    )


@lru_cache(maxsize=1024)
def _head_of(
    kind: bytes,
    scope: str,
    epoch: bytes,
    identity: bytes,
    outputs: tuple[str, ...] | None,
    parameters: bytes,
    inputs: tuple[tuple[str, str, tuple[int, ...]], ...],
    digest: Digest,
) -> bytes:
    parts = [FORMAT, kind, scope.encode(errors="surrogatepass"), epoch, identity]
    # All outputs, and none by name, are two wishes.
    parts.append(b"all" if outputs is None else b"named")
    parts.append(_joined([name.encode() for name in outputs or ()]))
    parts.append(parameters)
    for name, datatype, shape in inputs:
        dims = b"".join(map(_INTEGER.pack, shape))
        parts += [name.encode(), datatype.encode(), dims]
    return digest(_joined(parts))


def _joined(parts: Sequence[bytes]) -> bytes:
    return b"".join(piece for part in parts for piece in (_LENGTH.pack(len(part)), part))


def _parameters(model: str, parameters: Mapping[str, Parameter]) -> bytes:
    parts: list[bytes] = []
    for name, value in sorted(parameters.items()):
        parts += [name.encode(errors="surrogatepass"), _parameter(model, name, value)]
    return _joined(parts)


def _parameter(model: str, name: str, value: Parameter) -> bytes:
    """With its type in front: 1, 1.0, True and "1" are four values."""
    if isinstance(value, bool):
        return b"b1" if value else b"b0"
    if isinstance(value, int):
        return b"i%d" % value
    if isinstance(value, float):
        return b"f" + _FLOAT.pack(value)
    if isinstance(value, str):
        return b"s" + value.encode(errors="surrogatepass")
    raise InvalidInput(
        f"parameter {name!r} must be str, int, float or bool, but got {value!r}", model=model
    )
