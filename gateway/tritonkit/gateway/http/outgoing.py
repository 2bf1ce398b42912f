"""What goes to one client, in bytes, and whether it is taken."""

from __future__ import annotations

import asyncio

from tritonkit.gateway.http.message import Answer, Head, Headers, render_head
from tritonkit.gateway.http.outflow import Outflow, unsent
from tritonkit.gateway.http.shop import Shop

__all__ = ["Outgoing"]

_NAME = 200
"""Bytes of an X-Request-ID that is said again."""

_AT_ONCE = 65536
"""Bytes of a body that are copied behind their head."""

_NO_BODY = (204, 304)


class Outgoing:
    """
    The way out of a connection.

    Args:
        shop: Of the worker.
        transport: Of the connection.
    """

    __slots__ = ("_outflow", "_shop", "_transport", "_writable", "stalled")

    def __init__(self, shop: Shop, transport: asyncio.Transport) -> None:
        self._shop, self._transport = shop, transport
        self._outflow = Outflow(shop.bounds.write_timeout, shop.bounds.min_rate)
        self._writable: asyncio.Future[None] | None = None
        self.stalled = False
        """Whether the client reads more slowly than it is told."""

    def answer(self, head: Head | None, answer: Answer, *, close: bool) -> None:
        """Send a whole answer; *close* says that it is the last one."""
        only = head is not None and head.method == "HEAD"
        body = answer.body
        text = render_head(
            answer.status,
            answer.headers,
            None if answer.status in _NO_BODY else len(body),
            self._shop.date,
        )
        text += _ending(head, close)
        if only or not body:
            self._transport.write(text)
            body = b""
        elif len(body) < _AT_ONCE:
            text += body
            self._transport.write(text)
        else:
            self._transport.writelines((text, body))
        self._shop.sent += len(body)

    def begin(
        self, head: Head, status: int, headers: Headers, length: int | None, *, close: bool
    ) -> bool:
        """Send a head whose body follows in pieces; whether these go in chunks."""
        chunked = length is None and status not in _NO_BODY and head.version == "1.1"
        text = render_head(status, headers, length, self._shop.date)
        if chunked:
            text += b"Transfer-Encoding: chunked\r\n"
        text += _ending(head, close)
        self._transport.write(text)
        return chunked

    @staticmethod
    def is_open(head: Head, status: int, length: int | None) -> bool:
        """Whether the connection's end is the body's, as it is to a client of HTTP/1.0."""
        return length is None and status not in _NO_BODY and head.version != "1.1"

    async def write(self, data: bytes) -> None:
        """Send bytes, and wait while the client does not read."""
        self._transport.write(data)
        self._shop.sent += len(data)
        while self.stalled:
            self._writable = asyncio.get_running_loop().create_future()
            await self._writable

    def pause(self, now: float) -> None:
        """The transport has enough."""
        self.stalled = True
        self.watch(now)

    def resume(self) -> None:
        """It has room again, or there is nobody to tell any more."""
        self.stalled = False
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def watch(self, now: float) -> None:
        """From now on the client must take what is on its way."""
        self._outflow.begin(now, unsent(self._transport))

    @property
    def due(self) -> float:
        """When it must have taken enough of that."""
        return self._outflow.due

    def goes_on(self, now: float) -> bool:
        """Whether something is on its way, and is taken."""
        left = unsent(self._transport)
        return left > 0 and not self._outflow.is_slow(now, left)


def _ending(head: Head | None, close: bool) -> bytes:
    """The last headers, and the end of them."""
    named = b"\r\n"
    if head is not None:
        # So that whoever asked finds the answer in its log.
        called = head.headers.get(b"x-request-id")
        if called is not None and len(called) <= _NAME and called.isascii():
            named = b"X-Request-ID: %s\r\n\r\n" % called
        if not close and head.version == "1.0":
            return b"Connection: keep-alive\r\n" + named
    return b"Connection: close\r\n" + named if close else named
