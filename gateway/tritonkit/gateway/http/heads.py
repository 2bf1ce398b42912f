"""What a request's head says, where RFC 9112 leaves no doubt of it."""

from __future__ import annotations

from collections.abc import Sequence

from tritonkit.gateway.http.message import Head
from tritonkit.gateway.http.paths import place

__all__ = ["Unreadable", "length_of", "read_head", "without_upgrade"]

_JSON_LENGTH = b"inference-header-content-length"
_ONCE = frozenset(
    (b"host", b"content-length", b"transfer-encoding", b"content-encoding", _JSON_LENGTH)
)
"""Headers of which a second one says something else, to one reader or another."""

_DIGITS = 18
"""Of a length; with more it is none."""


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
        Unreadable: If it is of another version, says something twice, or ends the JSON of
            a body where Triton's reader and ours would not agree.
    """
    if version not in ("1.1", "1.0"):
        raise Unreadable(505, f"HTTP/{version} is not spoken here, but HTTP/1.1")
    headers: dict[bytes, bytes] = {}
    repeated: dict[bytes, list[bytes]] = {}
    for name, value in raw:
        if name not in headers:
            headers[name] = value
        elif name in _ONCE:
            raise Unreadable(400, f"the header {name.decode()!r} stands there twice")
        else:
            repeated.setdefault(name, [headers[name]]).append(value)
    for name, values in repeated.items():
        headers[name] = b", ".join(values)
    told = headers.get(_JSON_LENGTH)
    if told is not None and not _is_length(told):
        # Triton takes "+5" and "5 more" for 5.
        raise Unreadable(400, "the Inference-Header-Content-Length is no number")
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
    if not _is_length(length):
        raise Unreadable(400, "the Content-Length is no number")
    return int(length)


def _is_length(value: bytes) -> bool:
    return value.isdigit() and len(value) <= _DIGITS


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
