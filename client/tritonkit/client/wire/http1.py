"""
HTTP/1.1 responses, incrementally, and without a socket.

A parser hands out the memory that the next bytes belong into, so that a large
body is received where it stays. Source: RFC 9112.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from tritonkit.errors import ProtocolError

__all__ = ["MAX_BODY", "MAX_HEAD", "Reply", "ResponseParser"]

MAX_HEAD = 64 * 1024
"""Bytes of a status line with its headers; the same limit holds for trailers."""

MAX_BODY = 2**36
"""Bytes of a body; more is taken for a mistake."""

_SCRATCH = MAX_HEAD
_CACHED_HEAD = 1024
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")
_DIGITS = frozenset("0123456789")
_HEX = frozenset(b"0123456789abcdefABCDEF")


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


class _Head(NamedTuple):
    status: int
    headers: Mapping[str, str]
    length: int | None
    chunked: bool
    keep_alive: bool


class ResponseParser:
    """
    Reads one response after the other.

    Write bytes into `buffer()`, then tell their number to `filled`, which
    returns the response when it is whole. Bytes beyond it are an error: nobody
    asked for a second response. A parser that has raised is of no more use.
    """

    def __init__(self) -> None:
        self._scratch = memoryview(bytearray(_SCRATCH))
        self._start()
        self.keep_alive = True

    def _start(self) -> None:
        self.started = False
        """Whether a byte of the next response has come."""
        self._pending = b""
        self._head: _Head | None = None
        self._body: memoryview | None = None
        self._got = 0
        self._parts: list[bytes] = []
        self._chunks: _Chunks | None = None

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
            data = self._pending + data
        end = data.find(b"\r\n\r\n")
        if end < 0:
            if len(data) > MAX_HEAD:
                raise ProtocolError(f"the head of an HTTP response exceeds {MAX_HEAD} bytes")
            if not data.startswith(b"HTTP/1."[: len(data)]):
                raise ProtocolError(f"not an HTTP/1.1 response: it begins with {data[:40]!r}")
            self._pending = data
            return None
        if end > MAX_HEAD:
            raise ProtocolError(f"the head of an HTTP response exceeds {MAX_HEAD} bytes")
        raw = data[:end]
        head = _cached_head(raw) if end <= _CACHED_HEAD else _parse_head(raw)
        if head.status < 200:
            if head.status == 101:
                raise ProtocolError("the server switched protocols, which nobody asked for")
            self._pending = b""
            rest = data[end + 4 :]
            return self._feed_head(rest) if rest else None
        body_start = end + 4
        if head.length is not None and len(data) - body_start == head.length:
            # The usual case: the whole response came at once.
            self._head = head
            return self._finish(memoryview(data)[body_start:])
        self._head = head
        self._pending = b""
        if head.chunked:
            self._chunks = _Chunks()
        return self._feed_body(head, data[body_start:])

    def _feed_body(self, head: _Head, data: bytes) -> Reply | None:
        if self._chunks is not None:
            if self._chunks.feed(data):
                return self._finish(memoryview(b"".join(self._chunks.parts)))
            return None
        if head.length is None:
            self._got += len(data)
            if self._got > MAX_BODY:
                raise ProtocolError(f"the body of an HTTP response exceeds {MAX_BODY} bytes")
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


class _Chunks:
    """The chunked transfer coding; trailers are read and dropped."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self._line = bytearray()
        self._left = 0
        self._total = 0
        self._trailer = 0
        self._state = "size"

    def feed(self, data: bytes) -> bool:
        """Take in *data*; True when the body is whole."""
        position = 0
        while position < len(data):
            if self._state == "data":
                piece = data[position : position + self._left]
                self.parts.append(piece)
                position += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._state = "end"
                continue
            end = data.find(b"\n", position)
            self._line += data[position : end if end >= 0 else len(data)]
            if len(self._line) + self._trailer > MAX_HEAD:
                raise ProtocolError(f"a line between chunks exceeds {MAX_HEAD} bytes")
            if end < 0:
                return False
            position = end + 1
            if not self._line.endswith(b"\r"):
                raise ProtocolError("a line between chunks does not end with CR LF")
            line = bytes(self._line[:-1])
            self._line.clear()
            if self._take_line(line):
                if position < len(data):
                    raise ProtocolError("the server sent more than one response to one request")
                return True
        return False

    def _take_line(self, line: bytes) -> bool:
        if self._state == "end":
            if line:
                raise ProtocolError("a chunk is longer than its size says")
            self._state = "size"
        elif self._state == "size":
            size = line.partition(b";")[0].rstrip(b" \t")
            if not size or len(size) > 16 or not _HEX.issuperset(size):
                raise ProtocolError(f"not the size of a chunk: {line[:40]!r}")
            self._left = int(size, 16)
            self._total += self._left
            if self._total > MAX_BODY:
                raise ProtocolError(f"the body of an HTTP response exceeds {MAX_BODY} bytes")
            self._state = "data" if self._left else "trailer"
        else:
            self._trailer += len(line) + 2
            return not line
        return False


def _parse_head(raw: bytes) -> _Head:
    status_line, *lines = raw.decode("latin-1").split("\r\n")
    version, _, rest = status_line.partition(" ")
    code, _, _ = rest.partition(" ")
    if version not in ("HTTP/1.1", "HTTP/1.0") or len(code) != 3 or not _DIGITS.issuperset(code):
        raise ProtocolError(f"not an HTTP/1.1 response: it begins with {status_line[:40]!r}")
    status = int(code)
    if status < 100:
        raise ProtocolError(f"{status} is not an HTTP status")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or not name or not _TOKEN.issuperset(name) or "\n" in value or "\0" in value:
            raise ProtocolError(f"not an HTTP header: {line[:80]!r}")
        value = value.strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    coding = headers.get("content-encoding", "identity")
    if coding.lower() != "identity":
        raise ProtocolError(f"the body came as {coding!r}, which was not asked for")
    tokens = {token.strip().lower() for token in headers.get("connection", "").split(",")}
    keep_alive = "close" not in tokens and (version == "HTTP/1.1" or "keep-alive" in tokens)
    length, chunked = _framing(status, headers)
    if length is None and not chunked:
        keep_alive = False
    return _Head(status, MappingProxyType(headers), length, chunked, keep_alive)


# A server that answers the same question again sends the same head.
_cached_head = lru_cache(maxsize=256)(_parse_head)


def _framing(status: int, headers: Mapping[str, str]) -> tuple[int | None, bool]:
    """RFC 9112, 6.3: the length of the body, and whether it is chunked."""
    if status < 200 or status in (204, 304):
        return 0, False
    coding = headers.get("transfer-encoding")
    if coding is not None:
        if coding.lower() != "chunked" or "content-length" in headers:
            raise ProtocolError(f"cannot read a body with transfer-encoding {coding!r}")
        return None, True
    if "content-length" not in headers:
        return None, False
    # A repeated header with one value is one value.
    values = {value.strip() for value in headers["content-length"].split(",")}
    value = values.pop()
    if values or not value or len(value) > 18 or not _DIGITS.issuperset(value):
        raise ProtocolError(f"not a content-length: {headers['content-length']!r}")
    length = int(value)
    if length > MAX_BODY:
        raise ProtocolError(f"a body of {length} bytes exceeds the limit of {MAX_BODY}")
    return length, False
