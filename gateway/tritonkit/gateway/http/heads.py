"""What a request's head says, where RFC 9112 leaves no doubt of it."""

from __future__ import annotations

from collections.abc import Sequence

from tritonkit.gateway.http.message import Head
from tritonkit.gateway.http.paths import place

__all__ = ["Unreadable", "length_of", "read_head", "without_upgrade"]

_ONCE = frozenset((b"host", b"content-length", b"transfer-encoding", b"content-encoding"))
"""Headers of which a second one says something else, to one reader or another."""


class Unreadable(Exception):
    """
    A head that must not be read.

    Args:
        status: Of the answer.
        message: Why.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def read_head(
    method: str,
    target: bytes,
    version: str,
    raw: Sequence[tuple[bytes, bytes]],
    peer: tuple[str, int] | None,
) -> Head:
    """
    A head of what the parser found.

    Raises:
        Unreadable: If it is of another version, or says something twice.
    """
    if version not in ("1.1", "1.0"):
        raise Unreadable(505, f"HTTP/{version} is not spoken here, but HTTP/1.1")
    headers: dict[bytes, bytes] = {}
    for name, value in raw:
        if name in headers:
            if name in _ONCE:
                raise Unreadable(400, f"the header {name.decode()!r} stands there twice")
            headers[name] = b"%s, %s" % (headers[name], value)
        else:
            headers[name] = value
    if version == "1.1" and b"host" not in headers:
        raise Unreadable(400, "a request of HTTP/1.1 needs a Host header")
    return Head(method, target, version, list(raw), headers, peer, place(target))


def length_of(head: Head) -> int | None:
    """
    Bytes of the body; None where chunks tell.

    Raises:
        Unreadable: If nobody can tell, or two could tell otherwise.
    """
    coding = head.headers.get(b"transfer-encoding")
    length = head.headers.get(b"content-length")
    if coding is not None:
        if length is not None or head.version == "1.0":
            raise Unreadable(400, "the body's length is told in two ways, or in one too new")
        if coding.strip().lower() != b"chunked":
            raise Unreadable(501, "the only transfer coding is chunked")
        return None
    if length is None:
        return 0
    if not length.isdigit() or len(length) > 18:
        raise Unreadable(400, "the Content-Length is no number")
    return int(length)


def without_upgrade(
    method: bytes, target: bytes, version: str, raw: Sequence[tuple[bytes, bytes]]
) -> bytes:
    """A head as it came, but for the offer to speak another protocol."""
    lines = [b"%s %s HTTP/%s" % (method, target, version.encode())]
    for name, value in raw:
        if name == b"connection":
            tokens = [token.strip() for token in value.split(b",")]
            value = b", ".join(t for t in tokens if t.lower() in (b"close", b"keep-alive"))
        if value and name not in (b"upgrade", b"http2-settings"):
            lines.append(b"%s: %s" % (name, value))
    return b"\r\n".join(lines) + b"\r\n\r\n"
