"""The head of an HTTP/1.1 response, and what it says of the body. Source: RFC 9112."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from tritonkit.errors import ProtocolError

__all__ = ["MAX_HEAD", "Head", "parse_head"]

MAX_HEAD = 64 * 1024
"""Bytes of a status line with its headers; the same limit holds for trailers."""

_CACHED_HEAD = 1024
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")
_DIGITS = frozenset("0123456789")


class Head(NamedTuple):
    """
    A status line and its headers.

    Args:
        status: The status code; 1xx comes before the response itself.
        headers: Values by lower-case name; repeated ones are joined by ", ".
        length: Bytes of the body; None where its end tells.
        chunked: Whether the body comes in chunks.
        keep_alive: Whether the connection lives on after the body.
    """

    status: int
    headers: Mapping[str, str]
    length: int | None
    chunked: bool
    keep_alive: bool


def parse_head(raw: bytes) -> Head:
    """
    Read a head.

    Args:
        raw: Without the empty line at its end.

    Raises:
        ProtocolError: If it is not HTTP/1.1, or its body cannot be read.
    """
    return _cached_head(raw) if len(raw) <= _CACHED_HEAD else _parse_head(raw)


def _parse_head(raw: bytes) -> Head:
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
    return Head(status, MappingProxyType(headers), length, chunked, keep_alive)


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
    return int(value), False
