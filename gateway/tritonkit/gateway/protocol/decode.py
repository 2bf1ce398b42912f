"""Requests for an inference, from bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from numpy.typing import NDArray

from tritonkit.client.types import InferRequest
from tritonkit.client.wire.datatypes import BFLOAT16
from tritonkit.client.wire.tensors import decode_tensor
from tritonkit.errors import ProtocolError
from tritonkit.gateway.protocol.asked import Asked, Opaque
from tritonkit.gateway.protocol.depth import check_depth
from tritonkit.gateway.protocol.head import Head, read_head
from tritonkit.gateway.protocol.unreadable import Unreadable
from tritonkit.gateway.protocol.values import read_values

__all__ = ["decode", "read_path"]

_LENGTH = b"inference-header-content-length"
_PATH = re.compile(rb"/v2/models/([^/]+)(?:/versions/([0-9]{1,18}))?/infer")
_NOBODY: Mapping[str, str] = MappingProxyType({})


def decode(
    headers: Iterable[tuple[bytes, bytes]],
    path: bytes,
    body: bytes,
    *,
    scope: str = "",
    tags: Mapping[str, str] = _NOBODY,
    deadline: float | None = None,
) -> Asked | Opaque:
    """
    Read a request for an inference.

    What is not understood with certainty as Triton understands it is opaque: it is to be
    forwarded as it came, and what is wrong with it Triton says in its own words.

    Args:
        headers: Names in small letters, as ASGI has them.
        path: As it came, without the query.
        body: Decompressed; the arrays are views of it.
        scope: Whose request it is.
        tags: What layers decide by.
        deadline: When the answer is too late.

    Raises:
        InvalidInput: If it would take a server down.
    """
    size = 0
    try:
        size = _json_size(headers, body)
        named = read_path(path)
        if named is None:
            raise Unreadable("the path names no model that is asked for by this very name")
        model, version = named
        head = read_head(body[:size], binary=size < len(body))
        inputs = _inputs(head, body, size)
    except Unreadable as error:
        if size:
            check_depth(body[:size])
        return Opaque(str(error), error.wrong, error.sequence)
    request = InferRequest(
        model=model,
        inputs=inputs,
        version=version,
        outputs=head.outputs,
        parameters=head.parameters,
        id=head.id,
        deadline=deadline,
        scope=scope,
        tags=tags,
    )
    return Asked(request, head.form)


def _json_size(headers: Iterable[tuple[bytes, bytes]], body: bytes) -> int:
    """
    Bytes of the JSON part.

    Raises:
        Unreadable: If there is none, or nobody knows where it ends.
        InvalidInput: If it would take a server down.
    """
    size = len(body)
    told = False
    for name, value in headers:
        if name == _LENGTH:
            if told:
                check_depth(body)
                raise Unreadable("the length of the JSON is there twice")
            told = True
            size = int(value) if value.isdigit() and len(value) < 10 else 0
            if not size and value.strip() != b"0":
                check_depth(body)
                raise Unreadable("the length of the JSON is no length")
    if size > len(body):
        raise Unreadable("the JSON is longer than the body", wrong=True)
    if not size:
        raise Unreadable("the body is all of a raw tensor")
    return size


@lru_cache(maxsize=1024)
def read_path(path: bytes) -> tuple[str, str] | None:
    """
    Model and version of the path of an inference; None where it is none of either.

    Triton takes the name as it stands there, quoted or not, so one that has to be
    quoted is only known to it.
    """
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    model = match[1].decode("latin-1")
    if quote(model, safe="") != model:
        return None
    return model, (match[2] or b"").decode()


def _inputs(head: Head, body: bytes, start: int) -> dict[str, NDArray[Any]]:
    view = memoryview(body)
    inputs: dict[str, NDArray[Any]] = {}
    for name, datatype, shape, size, data in head.inputs:
        if size is None:
            inputs[name] = read_values(data, datatype, shape)
            continue
        end = start + size
        if end > len(body):
            raise Unreadable(f"input {name!r} is longer than the body", wrong=True)
        try:
            if datatype == "BF16":
                # Its bits: what is handed to users as float32 would go on as FP32.
                inputs[name] = decode_tensor(view[start:end], "UINT16", shape).view(BFLOAT16)
            else:
                inputs[name] = decode_tensor(view[start:end], datatype, shape)
        except ProtocolError as error:
            raise Unreadable(f"input {name!r}: {error}", wrong=datatype != "BYTES") from error
        start = end
    if start != len(body):
        raise Unreadable("the body has bytes of no input", wrong=True)
    return inputs
