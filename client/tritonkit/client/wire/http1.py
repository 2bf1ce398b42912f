"""
HTTP/1.1 responses, incrementally, and without a socket.

A parser hands out the memory that the next bytes belong into, so that a large
body is received where it stays. Source: RFC 9112.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from tritonkit.client.wire.chunks import Chunks
from tritonkit.client.wire.head import MAX_HEAD, Head, parse_head
from tritonkit.errors import ProtocolError

__all__ = ["MAX_BODY", "Reply", "ResponseParser"]

MAX_BODY = 2**36
"""Bytes of a body; more is taken for a mistake."""

_SCRATCH = 64 * 1024
_START = b"HTTP/1."
_END = b"\r\n\r\n"


class Reply(NamedTuple):
    """
    One HTTP response.

    Args:
        status: The status code, never 1xx.
        headers: Values by lower-case name; repeated ones are joined by ", ".
        body: The whole body, without transfer coding; read-only.
    """

    status: int
    headers: Mapping[str, str]
    body: memoryview


class ResponseParser:
    """
    Reads one response after the other.

    Write bytes into `buffer()`, then tell their number to `filled`, which
    returns the response when it is whole. Bytes beyond it are an error: nobody
    asked for a second response. A parser that has raised is of no more use.

    Args:
        max_body: Bytes of a body; more is an error.
    """

    def __init__(self, max_body: int = MAX_BODY) -> None:
        self._max_body = max_body
        self._scratch = memoryview(bytearray(_SCRATCH))
        self._start()
        self.keep_alive = True

    def _start(self) -> None:
        self.started = False
        """Whether a byte of the next response has come."""
        self._pending = bytearray()
        self._head: Head | None = None
        self._body: memoryview | None = None
        self._got = 0
        self._parts: list[bytes] = []
        self._chunks: Chunks | None = None

    def buffer(self) -> memoryview:
        """The memory that the next bytes belong into; never empty."""
        if self._body is not None:
            return self._body[self._got :]
        return self._scratch

    def filled(self, count: int) -> Reply | None:
        """
        Take in the first *count* bytes of `buffer()`.

        Raises:
            ProtocolError: If they are not HTTP/1.1, or more than one response.
        """
        self.started = True
        if self._body is not None:
            self._got += count
            return self._finish(self._body) if self._got == len(self._body) else None
        data = bytes(self._scratch[:count])
        if self._head is None:
            return self._feed_head(data)
        return self._feed_body(self._head, data)

    def eof(self) -> Reply | None:
        """
        Take in the end of the stream: it ends a body of unknown length.

        Raises:
            ProtocolError: If a response has begun and is not whole.
        """
        self.keep_alive = False
        if not self.started:
            return None
        head = self._head
        if head is None or head.length is not None or head.chunked:
            raise ProtocolError("the connection was closed in the middle of an HTTP response")
        return self._finish(memoryview(b"".join(self._parts)))

    def _feed_head(self, data: bytes) -> Reply | None:
        if self._pending:
            # Only what is new is looked through, however slowly it comes.
            searched = max(0, len(self._pending) - 3)
            self._pending += data
            if self._pending.find(_END, searched) < 0:
                self._check_pending()
                return None
            data = bytes(self._pending)
            self._pending.clear()
        while (end := data.find(_END)) >= 0:
            if end > MAX_HEAD:
                break
            head = parse_head(data[:end])
            if head.status >= 200:
                return self._begin_body(head, data, end + len(_END))
            if head.status == 101:
                raise ProtocolError("the server switched protocols, which nobody asked for")
            data = data[end + len(_END) :]
        self._pending += data
        self._check_pending()
        return None

    def _check_pending(self) -> None:
        start = bytes(self._pending[: len(_START)])
        if not _START.startswith(start):
            raise ProtocolError(f"not an HTTP/1.1 response: it begins with {start!r}")
        if len(self._pending) > MAX_HEAD:
            raise ProtocolError(f"the head of an HTTP response exceeds {MAX_HEAD} bytes")

    def _begin_body(self, head: Head, data: bytes, start: int) -> Reply | None:
        if head.length is not None:
            if len(data) - start == head.length:
                # The usual case: the whole response came at once.
                self.started = False
                self.keep_alive = head.keep_alive
                return Reply(head.status, head.headers, memoryview(data)[start:])
            if head.length > self._max_body:
                raise ProtocolError(
                    f"a body of {head.length} bytes exceeds the limit of {self._max_body}"
                )
        self._head = head
        if head.chunked:
            self._chunks = Chunks(self._max_body)
        return self._feed_body(head, data[start:])

    def _feed_body(self, head: Head, data: bytes) -> Reply | None:
        if self._chunks is not None:
            if self._chunks.feed(data):
                return self._finish(memoryview(b"".join(self._chunks.parts)))
            return None
        if head.length is None:
            self._got += len(data)
            if self._got > self._max_body:
                raise ProtocolError(f"the body of an HTTP response exceeds {self._max_body} bytes")
            self._parts.append(data)
            return None
        if len(data) > head.length:
            raise ProtocolError("the server sent more than one response to one request")
        # Not zeroed, so that room for a large body costs nothing until it comes.
        self._body = np.empty(head.length, dtype=np.uint8).data
        self._body[: len(data)] = data
        self._got = len(data)
        return None

    def _finish(self, body: memoryview) -> Reply:
        head = self._head
        assert head is not None
        self.keep_alive = head.keep_alive
        self._start()
        return Reply(head.status, head.headers, body.toreadonly())
