"""An ASGI app, such as Starlette's, behind a connection of ours. Source: the ASGI spec 3.0."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias
from urllib.parse import unquote

from tritonkit.gateway.http.connection import Connection
from tritonkit.gateway.http.message import Answer, Request

__all__ = ["AsgiApp", "run_asgi"]

_Message: TypeAlias = MutableMapping[str, Any]
AsgiApp: TypeAlias = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]],
    Awaitable[None],
]
"""What Starlette is."""

_OURS = (b"content-length", b"transfer-encoding", b"connection", b"date")


class _Sending:
    """One answer, from the messages of an app."""

    def __init__(self, request: Request, connection: Connection) -> None:
        self._request, self._connection = request, connection
        self._start: _Message | None = None
        self._chunked: bool | None = None
        self._given = False
        self.whole: Answer | None = None
        """The answer, where it came as one piece."""
        self.done = False

    async def receive(self) -> _Message:
        """The body, then nothing until the client goes."""
        if not self._given:
            self._given = True
            return {"type": "http.request", "body": self._request.body, "more_body": False}
        await self._connection.left()
        return {"type": "http.disconnect"}

    async def send(self, message: _Message) -> None:
        """A head, or a piece."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        start = self._start
        if start is None or self.done:
            raise RuntimeError(f"an app sent {message['type']!r} out of turn")
        body, more = message.get("body", b""), message.get("more_body", False)
        if self._chunked is None:
            headers = [
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in start["headers"]
                if name.lower() not in _OURS
            ]
            if not more:
                self.done = True
                self.whole = Answer(start["status"], body, headers)
                return
            lengths = [v for n, v in start["headers"] if n.lower() == b"content-length"]
            length = int(lengths[0]) if lengths else None
            self._chunked = self._connection.start(start["status"], headers, length)
        await self._piece(body, more)

    async def _piece(self, body: bytes, more: bool) -> None:
        data = body
        if self._chunked:
            data = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
            data += b"" if more else b"0\r\n\r\n"
        if self._request.head.method == "HEAD":
            data = b""
        if data:
            await self._connection.write(data)
        self.done = not more

    async def end(self) -> Answer | None:
        """What is left to send when the app has ended."""
        if self.whole is not None:
            return self.whole
        if self._chunked is None:
            raise RuntimeError("an app ended without an answer")
        if not self.done:
            if not self._chunked:
                self._connection.abort()
                return None
            # A stream that was told to end.
            await self._piece(b"", False)
        self._connection.finish()
        return None


async def run_asgi(app: AsgiApp, request: Request, connection: Connection) -> Answer | None:
    """
    Ask an app.

    It goes on when the client is away, and learns of it by `http.disconnect`, as it does
    where the gateway drains: a stream without an end then ends.

    Returns:
        The answer; None where it was sent already.
    """
    head = request.head
    path, _, query = head.target.partition(b"?")
    sending = _Sending(request, connection)
    connection.patient = True
    try:
        await app(
            {
                "type": "http",
                "asgi": {"version": "3.0", "spec_version": "2.3"},
                "http_version": head.version,
                "method": head.method,
                "scheme": "http",
                "path": unquote(path.decode("latin-1")),
                "raw_path": path,
                "query_string": query,
                "root_path": "",
                "headers": head.raw,
                "client": head.peer,
                "server": None,
                "state": {"head": head, "connection": connection},
            },
            sending.receive,
            sending.send,
        )
        return await sending.end()
    finally:
        connection.patient = False
