"""Requests that differ from each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import xxhash

from tritonkit.client import Tensors
from tritonkit.client.wire.tensors import encode_tensor, tensor_datatype

__all__ = ["different"]

_TIRED = 64
"""Requests in a row that bring nothing new, after which there is nothing new to come."""


def different(requests: Iterable[Tensors], count: int) -> Iterator[Tensors]:
    """
    The first *count* of those that differ from all before them.

    Fewer where there are no more: of zeros there is one request, of a single 0 or 1 two.
    """
    seen: set[bytes] = set()
    vain = 0
    if count < 1:
        return
    for inputs in requests:
        digest = _digest(inputs)
        if digest in seen:
            vain += 1
            if vain == _TIRED:
                return
            continue
        vain = 0
        seen.add(digest)
        yield inputs
        if len(seen) == count:
            return


def _digest(inputs: Tensors) -> bytes:
    digest = xxhash.xxh3_128()
    for name, array in inputs.items():
        data, _ = encode_tensor(array, tensor_datatype(array))
        digest.update(f"{name}\0{array.dtype}{array.shape}\0".encode())
        digest.update(data)
    return digest.digest()
