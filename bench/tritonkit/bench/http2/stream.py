"""One call on a connection: its answer as it comes, and what it says in the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import unquote

from tritonkit.client.transports.statuses import grpc_refusal
from tritonkit.client.wire.address import Address
from tritonkit.client.wire.errors import refusal
from tritonkit.errors import ProtocolError, RequestError

__all__ = ["PREFIX", "Done", "Stream", "message"]

PREFIX = 5
"""Bytes before a gRPC message: whether it is compressed, and its length."""

REFUSED = 7
"""HTTP/2's error code of a call that the server did nothing with."""

Done = Callable[["bytes | RequestError"], None]
"""Told once of a call's end: the message of the answer, or what it failed with."""

_CODES: Mapping[int, int] = {
    REFUSED: 14,  # REFUSED_STREAM: UNAVAILABLE
    8: 1,  # CANCEL: CANCELLED
    11: 8,  # ENHANCE_YOUR_CALM: RESOURCE_EXHAUSTED
    12: 7,  # INADEQUATE_SECURITY: PERMISSION_DENIED
}
"""
By HTTP/2's error code, gRPC's status; INTERNAL for all others.

Source: grpc/doc/PROTOCOL-HTTP2.md.
"""


_PROXIES = ("401", "403", "429", "502", "503", "504")
"""HTTP statuses with which something in front of the server answers."""


def message(data: bytes) -> bytes:
    """What a call sends: *data* as gRPC frames it, not compressed."""
    return b"\0" + len(data).to_bytes(4, "big") + data


class Stream:
    """
    A call that is in flight.

    Args:
        done: Told of its end.
        model: The model that was asked, for errors.
        deadline: In seconds of `time.monotonic`.
        window: Bytes that the server takes of it.
    """

    __slots__ = (
        "began",
        "body",
        "deadline",
        "done",
        "fields",
        "model",
        "parts",
        "refused",
        "rest",
        "window",
    )

    def __init__(self, done: Done, model: str, deadline: float, window: int) -> None:
        self.done = done
        self.model = model
        self.deadline = deadline
        self.window = window
        self.rest: memoryview | None = None
        """What was not sent yet, for want of room in a window."""
        self.began = False
        """Whether anything of it was sent."""
        self.refused = False
        """Whether the server said that it did nothing with it, so that it may be sent again."""
        self.body = b""
        self.parts: list[bytes] | None = None
        self.fields: Mapping[str, str] | None = None

    def take(self, data: bytes) -> None:
        """A piece of the answer has come."""
        if not self.body:
            self.body = data
        elif self.parts is None:
            self.parts = [self.body, data]
        else:
            self.parts.append(data)

    def outcome(self, trailers: Mapping[str, str], address: Address) -> bytes | RequestError:
        """
        What the whole answer says: its message, or the error that it means.

        Args:
            trailers: The last fields; the only ones where the server refused at once.
            address: Of the server, for errors.
        """
        status = trailers.get("grpc-status")
        if status == "0":
            return self._message()
        if status is not None and status.isdecimal():
            text = unquote(trailers.get("grpc-message", "")) or f"status {status}"
            return grpc_refusal(int(status), text, address, model=self.model)
        http = (self.fields or trailers).get(":status", "")
        text = f"{address} answered without a gRPC status (HTTP status {http or 'missing'})"
        if http in _PROXIES:
            return refusal(int(http), text, model=self.model)
        return ProtocolError(text, model=self.model)

    def reset(self, code: int, address: Address) -> RequestError:
        """The error that a reset by the server means."""
        self.refused = code == REFUSED
        text = f"{address} reset the call (HTTP/2 error {code})"
        return grpc_refusal(_CODES.get(code, 13), text, address, model=self.model)

    def _message(self) -> bytes | RequestError:
        body = self.body if self.parts is None else b"".join(self.parts)
        if len(body) < PREFIX or int.from_bytes(body[1:PREFIX], "big") != len(body) - PREFIX:
            return ProtocolError(
                f"the answer's {len(body)} bytes are not one gRPC message", model=self.model
            )
        if body[0]:
            return ProtocolError("the answer is compressed, unasked", model=self.model)
        return body[PREFIX:]
