"""A request as it came, and an answer as it goes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeAlias

from tritonkit.gateway.http.paths import Place
from tritonkit.gateway.tenants.refused import Refused

__all__ = ["Answer", "Head", "Headers", "Request", "refuse", "refused", "render_head"]

Headers: TypeAlias = Sequence[tuple[str, str]]
"""Names and values, in the order in which they are sent."""


@dataclass(slots=True, eq=False)
class Head:
    """
    A request line with its headers.

    Args:
        method: As it came, such as "POST".
        target: As it came, such as b"/v2/models/m/infer?x=1".
        version: "1.1" or "1.0".
        raw: Names in lower case and values, as they came.
        headers: Values by name; repeated ones are joined by ", ".
        peer: Address of the client.
        place: What the target names.
        context: What whoever admitted the request wants to know of it again.
    """

    method: str
    target: bytes
    version: str
    raw: list[tuple[bytes, bytes]]
    headers: dict[bytes, bytes]
    peer: tuple[str, int] | None
    place: Place
    context: Any = None


@dataclass(slots=True, eq=False)
class Request:
    """
    A whole request.

    Args:
        head: Its head.
        body: Without transfer coding; with its content coding.
        came: When its last byte had come, by `perf_counter_ns`.
    """

    head: Head
    body: bytes = b""
    came: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """
    What is sent back.

    Args:
        status: HTTP status.
        body: All of it.
        headers: Beside those of the connection and the body's length.
        close: Whether the connection ends with it.
    """

    status: int = 200
    body: bytes | bytearray | memoryview = b""
    headers: Headers = field(default=())
    close: bool = False


_JSON = ("Content-Type", "application/json")
_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}


def refuse(
    status: int, reason: str, *, close: bool = False, headers: Iterable[tuple[str, str]] = ()
) -> Answer:
    """An answer that says why there is none, in Triton's form: `{"error": "..."}`."""
    text = json.dumps({"error": reason}, separators=(",", ":"))
    return Answer(status, text.encode(), (_JSON, *headers), close)


def refused(error: Refused) -> Answer:
    """The answer to whoever is turned away."""
    headers = [(name.decode().title(), value.decode()) for name, value in error.headers()]
    return refuse(error.status, str(error), headers=headers)


def render_head(status: int, headers: Headers, length: int | None, date: bytes) -> bytearray:
    """
    A status line with headers, but for the empty line at the end.

    Args:
        status: HTTP status.
        headers: Beside the length.
        length: Of the body; None where it is not known or there is none.
        date: A Date header with its CR LF, or nothing.
    """
    head = bytearray(_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status)
    head += date
    for name, value in headers:
        head += f"{name}: {value}\r\n".encode("latin-1")
    if length is not None:
        head += b"Content-Length: %d\r\n" % length
    return head
