"""
One client's connection: requests in, answers out, in their order.

Bytes are parsed by httptools, which is llhttp, Node's parser, in its strict mode. What it
lets through and RFC 9112 does not is refused here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from tritonkit.gateway.http.heads import Unreadable, length_of, read_head, without_upgrade
from tritonkit.gateway.http.message import Answer, Head, Headers, Request, refuse, render_head

if TYPE_CHECKING:
    from tritonkit.gateway.http.bounds import Bounds

__all__ = ["App", "Connection", "Outcome", "Shop"]

Outcome: TypeAlias = "Answer | Awaitable[Answer | None]"
"""An answer at once, or later; None later where the connection was told piece by piece."""

_LINGER = 2.0
"""Seconds in which a client may read a refusal before it has sent all that it wants to."""

_TOLD = 64
"""Connections above the most that are told so; others are closed without a word."""

_SWALLOWED = 65536
"""Bytes of the body of a refused request that are read, so that the connection may live on."""

_REASONS = {
    400: "malformed",
    405: "malformed",
    408: "slow",
    413: "body",
    431: "header",
    501: "malformed",
    503: "connections",
    505: "malformed",
}
"""In metrics, why somebody was turned away at the connection."""

_NAME = 200
"""Bytes of an X-Request-ID that is said again."""

_BODY, _HEAD, _IDLE, _ENDING = range(4)
_NEVER = float("inf")
_NO_BODY = (204, 304)


class App(Protocol):
    """Who answers requests."""

    def admit(self, head: Head) -> int | Answer:
        """The most bytes that its body may have, or why it is refused before any came."""

    def answer(self, request: Request, connection: Connection) -> Outcome:
        """The answer to a whole request."""


class Shop(Protocol):
    """What all connections of a worker have in common."""

    bounds: Bounds
    app: App
    parser: Callable[[Any], Any]
    parser_errors: tuple[type[Exception], type[Exception]]
    connections: set[Connection]
    tasks: set[asyncio.Task[None]]
    date: bytes
    draining: bool
    received: int
    sent: int
    refused: Callable[[str], None]

    def broke(self, error: BaseException, head: Head) -> None:
        """An answer failed as none should."""


class Connection(asyncio.Protocol):
    """
    A keep-alive connection over HTTP/1.1.

    One request is answered at a time; those that come meanwhile wait, and while any waits
    nothing more is read. A client that closes takes what it asked for along.

    Args:
        shop: Of the worker.
        loop: The running one.
    """

    __slots__ = (
        "_again",
        "_answering",
        "_began",
        "_body",
        "_fed",
        "_got",
        "_head",
        "_headers",
        "_last",
        "_left",
        "_limit",
        "_loop",
        "_number",
        "_parser",
        "_paused",
        "_peer",
        "_queue",
        "_running",
        "_shop",
        "_since",
        "_stalled",
        "_state",
        "_task",
        "_transport",
        "_url",
        "_writable",
        "due",
        "gone",
        "patient",
    )

    def __init__(self, shop: Shop, loop: asyncio.AbstractEventLoop) -> None:
        self._shop, self._loop = shop, loop
        self._parser = shop.parser(self)
        self._transport: asyncio.Transport | None = None
        self._peer: tuple[str, int] | None = None
        self._queue: deque[Request | tuple[Head | None, Answer]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._answering: Head | None = None
        self._running = False
        # No more requests are taken, but for those that came already.
        self._last = False
        self._paused = False
        self._stalled = _NEVER
        self._writable: asyncio.Future[None] | None = None
        self._left: asyncio.Future[None] | None = None
        self._number = 0
        self._again = b""
        self._began = 0.0
        self.patient = False
        """Whether what is being answered goes on though the client is away."""
        self.gone = False
        """Whether the client is away."""
        self.due = _NEVER
        """When it has waited long enough, in seconds of the loop."""
        self._state, self._since = _IDLE, 0.0
        self._begin()

    def _begin(self) -> None:
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._head: Head | None = None
        self._body: list[bytes] = []
        self._fed = self._got = 0
        self._limit = 0

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        # uvloop's transports are of no class of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self._peer = peer[:2] if isinstance(peer, tuple) else None
        shop = self._shop
        now = self._loop.time()
        # The first request must begin at once; later ones have the time of keep-alive.
        self._state, self._since = _HEAD, now
        self.due = now + shop.bounds.header_timeout
        shop.connections.add(self)
        most = shop.bounds.max_connections
        if len(shop.connections) > most + _TOLD:
            self.abort()
        elif len(shop.connections) > most:
            self._refuse(refuse(503, f"the gateway has {most} connections, its most"))
            self._next(now)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is away, or was sent away."""
        self.gone = True
        self._transport = None
        self._shop.connections.discard(self)
        self._queue.clear()
        self._wake()
        self._leave()
        if self._task is not None and not self.patient:
            self._task.cancel()

    def pause_writing(self) -> None:
        """The client does not read as fast as it is told."""
        self._stalled = self._loop.time()
        self._arm(self._stalled)

    def resume_writing(self) -> None:
        """It has read."""
        self._stalled = _NEVER
        self._wake()
        self._next(self._loop.time())

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        if self._state == _ENDING:
            return
        now = self._loop.time()
        if self._state == _IDLE:
            self._state, self._since = _HEAD, now
        self._feed(data, now)
        self._next(now)

    def _feed(self, data: bytes, now: float) -> None:
        broken, upgrade = self._shop.parser_errors
        while data:
            before = (self._number, self._head)
            self._began = now
            try:
                self._parser.feed_data(data)
            except upgrade as error:
                # Nothing is upgraded to, and the parser passes over the body: the head is
                # read again without the offer.
                data = self._again + data[error.args[0] :]
                self._again = b""
                self._parser = self._shop.parser(self)
                continue
            except broken as error:
                if self._state != _ENDING:
                    # What an own check has to say comes as the cause of the parser's error.
                    cause = error.__context__
                    if isinstance(cause, Unreadable):
                        self._refuse(refuse(cause.status, str(cause)))
                    elif cause is not None:
                        raise
                    else:
                        self._refuse(refuse(400, f"not HTTP/1.1: {error}"))
                return
            self._overhead(before, len(data))
            return

    def _overhead(self, before: tuple[int, Head | None], size: int) -> None:
        """Refuse a head without an end, or a body that is mostly framing."""
        if self._state == _ENDING or (self._number, self._head) != before:
            return
        self._fed += size
        bounds = self._shop.bounds
        if self._head is None:
            if self._state == _HEAD and self._fed > bounds.max_header:
                self._refuse(_too_long(bounds.max_header))
        elif self._fed - self._got > bounds.max_header + 8 * self._got:
            self._refuse(refuse(400, "the chunks of the body are mostly framing"))

    # What the parser calls.

    def on_message_begin(self) -> None:
        """A request begins."""
        if self._state != _ENDING:
            self._begin()
            self._number += 1
            self._state, self._since = _HEAD, self._loop.time()

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer, of which nothing is wanted."""
        if self._head is None:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head is whole."""
        if self._state == _ENDING:
            return
        bounds = self._shop.bounds
        parser = self._parser
        if parser.should_upgrade():
            if parser.get_method() == b"CONNECT":
                raise Unreadable(405, "the gateway is no tunnel")
            self._again = without_upgrade(
                parser.get_method(), self._url, parser.get_http_version(), self._headers
            )
            return
        size = len(self._url) + sum(len(n) + len(v) + 4 for n, v in self._headers)
        if size > bounds.max_header:
            self._refuse(_too_long(bounds.max_header))
            return
        head = read_head(
            parser.get_method().decode("ascii"),
            self._url,
            parser.get_http_version(),
            self._headers,
            self._peer,
        )
        length = length_of(head)
        self._head = head
        self._fed = self._got = 0
        admitted = self._shop.app.admit(head)
        if isinstance(admitted, Answer):
            if length is None or length > _SWALLOWED or b"expect" in head.headers:
                self._refuse(admitted, head)
                return
            self._limit = -1
            self._state, self._since = _BODY, self._began
            self._queue.append((head, admitted))
            return
        self._limit = min(admitted, bounds.max_body)
        self._state, self._since = _BODY, self._began
        if length is not None and length > self._limit:
            self._refuse(_too_large(self._limit), head)
        elif length != 0 and head.headers.get(b"expect", b"").lower() == b"100-continue":
            self._encourage()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        if self._state == _ENDING:
            return
        self._got += len(body)
        self._shop.received += len(body)
        if self._limit < 0:
            return
        if self._got > self._limit:
            self._refuse(_too_large(self._limit), self._head)
            return
        self._body.append(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        head = self._head
        if self._state == _ENDING or head is None:
            return
        if not self._parser.should_keep_alive():
            self._last = True
        self._state, self._since = _IDLE, self._began
        if self._limit >= 0:
            body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
            self._queue.append(Request(head, body, perf_counter_ns()))
        self._begin()
        if self._last:
            # What follows is not looked at.
            self._state = _ENDING

    def _encourage(self) -> None:
        """Say that the body may come, where no other answer is to come before."""
        if not self._running and not self._queue and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    # Answers.

    def _refuse(self, answer: Answer, head: Head | None = None) -> None:
        """Answer and take no more of what the client sends."""
        self._shop.refused(_REASONS.get(answer.status, "other"))
        self._state = _ENDING
        self._last = True
        self._body = []
        self._queue.append((head or self._head, answer))

    def _next(self, now: float) -> None:
        """Answer what waits, one after the other."""
        while self._queue and not self._running and not self.gone and self._stalled == _NEVER:
            item = self._queue.popleft()
            if isinstance(item, tuple):
                self._send(item[0], item[1])
                continue
            self._answering = item.head
            self._running = True
            try:
                outcome = self._shop.app.answer(item, self)
            except Exception as error:
                self._shop.broke(error, item.head)
                outcome = _BROKEN
            if isinstance(outcome, Answer):
                self._running = False
                self._send(item.head, outcome)
            else:
                task = self._loop.create_task(self._later(item.head, outcome))
                self._task = task
                self._shop.tasks.add(task)
                task.add_done_callback(self._shop.tasks.discard)
        self._read()
        self._arm(now)

    async def _later(self, head: Head, outcome: Awaitable[Answer | None]) -> None:
        try:
            answer = await outcome
        except asyncio.CancelledError:
            self.abort()
            raise
        except Exception as error:
            self._shop.broke(error, head)
            answer = _BROKEN
        self._task = None
        self._running = False
        if answer is not None:
            self._send(head, answer)
        self._next(self._loop.time())

    def _send(self, head: Head | None, answer: Answer) -> None:
        transport = self._transport
        if transport is None:
            return
        close = self._closes(answer.close)
        only = head is not None and head.method == "HEAD"
        body = answer.body
        text = render_head(
            answer.status,
            answer.headers,
            None if answer.status in _NO_BODY else len(body),
            self._shop.date,
        )
        text += self._connection(close, head)
        if only or not body:
            transport.write(text)
            body = b""
        elif len(body) < 65536:
            text += body
            transport.write(text)
        else:
            transport.writelines((text, body))
        self._shop.sent += len(body)
        if close:
            self._end()

    def _closes(self, close: bool) -> bool:
        return close or (not self._queue and (self._last or self._shop.draining))

    def _connection(self, close: bool, head: Head | None) -> bytes:
        named = b"\r\n"
        if head is not None:
            # So that whoever asked finds the answer in its log.
            called = head.headers.get(b"x-request-id")
            if called is not None and len(called) <= _NAME and called.isascii():
                named = b"X-Request-ID: %s\r\n\r\n" % called
            if not close and head.version == "1.0":
                return b"Connection: keep-alive\r\n" + named
        return b"Connection: close\r\n" + named if close else named

    # An answer that is sent piece by piece.

    def start(self, status: int, headers: Headers, length: int | None) -> bool:
        """
        Send a head.

        Args:
            status: HTTP status.
            headers: Without those of the connection and the length.
            length: Of the body; None where pieces tell.

        Returns:
            Whether pieces are sent in chunks.
        """
        head, transport = self._answering, self._transport
        if transport is None or head is None:
            return False
        chunked = length is None and status not in _NO_BODY and head.version == "1.1"
        if length is None and not chunked and status not in _NO_BODY:
            # The end of the connection tells a client of HTTP/1.0 where the body ends.
            self._last = True
        text = render_head(status, headers, length, self._shop.date)
        if chunked:
            text += b"Transfer-Encoding: chunked\r\n"
        text += self._connection(self._closes(False), head)
        transport.write(text)
        return chunked

    async def write(self, data: bytes) -> None:
        """Send bytes, and wait while the client does not read."""
        if self._transport is None:
            return
        self._transport.write(data)
        self._shop.sent += len(data)
        while self._stalled != _NEVER and not self.gone:
            self._writable = self._loop.create_future()
            await self._writable

    def finish(self) -> None:
        """The answer is sent."""
        if self._closes(False):
            self._end()

    @property
    def ends(self) -> bool:
        """Whether a stream without an end is to end now."""
        return self.gone or self._shop.draining

    async def left(self) -> None:
        """Wait until the client is away, or a stream without an end is to end."""
        if not self.ends:
            if self._left is None:
                self._left = self._loop.create_future()
            await asyncio.shield(self._left)

    # The end.

    def drain(self) -> None:
        """Take no more requests; answer those that came, then close."""
        self._leave()
        if not self._running and not self._queue and self._untouched:
            self._end()

    def expire(self, now: float) -> None:
        """It is due."""
        self.due = _NEVER
        if self._stalled != _NEVER or self._state == _ENDING:
            self.abort()
        elif self._untouched:
            self._end()
        elif self._state == _BODY and self._limit < 0:
            # Refused already.
            self.abort()
        else:
            what = "headers" if self._state == _HEAD else "body"
            self._refuse(refuse(408, f"the {what} of the request came too slowly"))
            self._next(now)

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    @property
    def _untouched(self) -> bool:
        """Whether nothing of a request has come."""
        return self._state == _IDLE or (self._state == _HEAD and not self._number)

    def _end(self) -> None:
        transport = self._transport
        if transport is None:
            return
        idle = self._untouched
        self._queue.clear()
        self._state = _ENDING
        self._last = True
        if idle or not transport.can_write_eof():
            transport.close()
            return
        # A socket that is closed with unread bytes is reset, and the answer lost with it.
        transport.write_eof()
        self._since = self._loop.time()
        self._arm(self._since)
        self._read()

    def _read(self) -> None:
        """Read, unless requests wait already."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        pause = bool(self._queue)
        if pause != self._paused:
            self._paused = pause
            if pause:
                transport.pause_reading()
            else:
                transport.resume_reading()

    def _leave(self) -> None:
        if self._left is not None and not self._left.done():
            self._left.set_result(None)

    def _wake(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def _arm(self, now: float) -> None:
        bounds = self._shop.bounds
        if self._stalled != _NEVER:
            self.due = self._stalled + bounds.write_timeout
        elif self._running or self._queue:
            self.due = _NEVER
        elif self._state == _ENDING:
            self.due = self._since + _LINGER
        elif self._state == _BODY:
            self.due = bounds.body_due(self._since, self._got)
        elif self._state == _HEAD:
            self.due = self._since + bounds.header_timeout
        else:
            self.due = now + bounds.keep_alive


_BROKEN = refuse(500, "the gateway failed; its log says why", close=True)


def _too_long(limit: int) -> Answer:
    return refuse(431, f"the request line and its headers exceed {limit} bytes")


def _too_large(limit: int) -> Answer:
    return refuse(413, f"the body exceeds {limit} bytes")
