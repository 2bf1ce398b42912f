"""What takes long to read or to write is done beside the event loop, which others need."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from tritonkit.client.types import InferResponse
from tritonkit.gateway.protocol.asked import Asked

__all__ = ["aside", "long_to_read", "long_to_write"]

P = ParamSpec("P")
T = TypeVar("T")

_BYTES = 64 * 1024
"""Of JSON, or of texts, that take some milliseconds to read."""

_ELEMENTS = 4096
"""Numbers in JSON, or texts, that take some milliseconds to write."""

# More of them would leave the event loop the less of the interpreter.
_threads = ThreadPoolExecutor(2, "tritonkit-aside")


async def aside(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What *call* returns or raises, in a thread."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_threads, lambda: call(*args, **kwargs))


def long_to_read(headers: Mapping[bytes, bytes], body: bytes) -> bool:
    """Whether a request has long JSON, or may have many texts."""
    if len(body) < _BYTES:
        return False
    told = headers.get(b"inference-header-content-length", b"")
    size = int(told) if told.isdigit() and len(told) < 10 else len(body)
    if size == 0 or size >= _BYTES:
        return True
    text = body[:size]
    return b"BYTES" in text or b"\\" in text


def long_to_write(response: InferResponse, asked: Asked) -> bool:
    """Whether an answer has many numbers in JSON, or many texts."""
    form = asked.form
    return any(
        array.size > _ELEMENTS and (array.dtype.hasobject or not form.binary.get(name, form.others))
        for name, array in response.outputs.items()
    )
