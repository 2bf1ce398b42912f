"""What a request's trace headers become: part of what the layers send for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from tritonkit.client.contexts import restore
from tritonkit.client.layers.telemetry.telemetry import Telemetry
from tritonkit.client.spans import Tracing, tracing

__all__ = ["passing"]

_PASSED = (b"traceparent", b"tracestate", b"x-request-id")
_MOST = 512
"""Bytes of a value that goes on; tracestate has 512 by its standard."""


class _Headers(Tracing):
    """The caller's headers, where no Telemetry makes spans of its own."""

    def __init__(self, headers: Sequence[tuple[str, str]]) -> None:
        self._headers = headers

    def span(self, name: str, **attributes: str | int) -> AbstractContextManager[object]:
        return nullcontext()

    def headers(self) -> Sequence[tuple[str, str]]:
        return self._headers


def passing(headers: Mapping[bytes, bytes], telemetry: Telemetry) -> AbstractContextManager[object]:
    """
    A context in which transports send on what the caller says of its trace and its request.

    Where the telemetry makes spans they continue the caller's trace, and a server is told of
    them. Where calls are joined, what goes on is the first caller's.

    Source: W3C Trace Context.
    """
    found = [
        (name.decode(), headers[name].decode("latin-1"))
        for name in _PASSED
        if name in headers and headers[name].isascii() and len(headers[name]) <= _MOST
    ]
    if not found:
        return nullcontext()
    return telemetry.within(dict(found)) if telemetry.traces else _within(_Headers(found))


@contextmanager
def _within(carried: Tracing) -> Iterator[None]:
    token = tracing.set(carried)
    try:
        yield
    finally:
        restore(tracing, token)
