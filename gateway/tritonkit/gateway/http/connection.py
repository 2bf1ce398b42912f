"""One client's connection: requests in, answers out, in their order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import cast

from tritonkit.gateway.http.message import Answer, Head, Headers, refuse
from tritonkit.gateway.http.outgoing import Outgoing
from tritonkit.gateway.http.reading import Reading, State
from tritonkit.gateway.http.shop import Shop

__all__ = ["Connection"]

_LINGER = 2.0
"""Seconds in which a client may read a refusal before it has sent all that it wants to."""

_TOLD = 64
"""Connections above the most that are told so; others are closed without a word."""

_TURN = 16
"""Requests that are answered at once, before others have their turn."""

_NEVER = float("inf")


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
        "_answering",
        "_begun",
        "_left",
        "_loop",
        "_out",
        "_paused",
        "_reading",
        "_running",
        "_shop",
        "_task",
        "_transport",
        "due",
        "gone",
        "patient",
    )

    def __init__(self, shop: Shop, loop: asyncio.AbstractEventLoop) -> None:
        self._shop, self._loop = shop, loop
        self._reading = Reading(shop, loop.time(), self._encourage)
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._answering: Head | None = None
        self._running = False
        self._begun = False
        self._paused = False
        self._out: Outgoing | None = None
        self._left: asyncio.Future[None] | None = None
        self.patient = False
        """Whether what is being answered goes on though the client is away."""
        self.gone = False
        """Whether the client is away."""
        self.due = _NEVER
        """When it has waited long enough, in seconds of the loop."""

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        # uvloop's transports are of no class of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._out = Outgoing(self._shop, self._transport)
        peer = transport.get_extra_info("peername")
        self._reading.peer = peer[:2] if isinstance(peer, tuple) else None
        shop = self._shop
        now = self._loop.time()
        self._reading.since = now
        self.due = now + shop.bounds.header_timeout
        shop.connections.add(self)
        most = shop.bounds.max_connections
        if len(shop.connections) > most + _TOLD:
            self.abort()
        elif len(shop.connections) > most:
            self._reading.refuse(refuse(503, f"the gateway has {most} connections, its most"))
            self._next(now)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is away, or was sent away."""
        self.gone = True
        self._transport = None
        self._shop.connections.discard(self)
        self._reading.close()
        if self._out is not None:
            self._out.resume()
            self._out = None
        self._leave()
        if self._task is not None and not self.patient:
            self._task.cancel()

    def pause_writing(self) -> None:
        """The client does not read as fast as it is told."""
        now = self._loop.time()
        if self._out is not None:
            self._out.pause(now)
        self._arm(now)

    def resume_writing(self) -> None:
        """It has read."""
        if self._out is not None:
            self._out.resume()
        self._go_on()

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        now = self._loop.time()
        self._reading.feed(data, now)
        self._next(now)

    def _encourage(self) -> None:
        """Say that the body may come, where no other answer is to come before."""
        if not self._running and not self._reading.queue and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    # Answers.

    def _next(self, now: float) -> None:
        """Answer what waits, one after the other."""
        reading = self._reading
        turn = 0
        while reading.waits and not self._running and not self._stalled:
            if not reading.queue:
                reading.parse(now)
                continue
            if turn == _TURN:
                self._loop.call_soon(self._go_on)
                break
            turn += 1
            item = reading.queue.popleft()
            if isinstance(item, tuple):
                self._send(item[0], item[1])
                continue
            self._answering = item.head
            self._running, self._begun = True, False
            try:
                outcome = self._shop.app.answer(item, self)
            except Exception as error:
                # A fault of ours is logged and told with 500; the worker serves on.
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
        self._read(now)
        self._arm(now)

    def _go_on(self) -> None:
        self._next(self._loop.time())

    async def _later(self, head: Head, outcome: Awaitable[Answer | None]) -> None:
        try:
            answer = await outcome
        except asyncio.CancelledError:
            self.abort()
            raise
        except Exception as error:
            # Likewise.
            self._shop.broke(error, head)
            answer = None if self._begun else _BROKEN
            if self._begun:
                # What has been sent looks whole with nothing else.
                self.abort()
        self._task = None
        self._running = False
        if answer is not None:
            self._send(head, answer)
        self._go_on()

    def _send(self, head: Head | None, answer: Answer) -> None:
        if self._out is None:
            return
        close = self._closes(answer.close)
        self._out.answer(head, answer, close=close)
        if close:
            self._end()

    def _closes(self, close: bool) -> bool:
        return close or (not self._reading.queue and (self._reading.last or self._shop.draining))

    @property
    def _stalled(self) -> bool:
        """Whether the client reads too slowly to be told more, or is away."""
        return self._out is None or self._out.stalled

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
        head, out = self._answering, self._out
        if out is None or head is None:
            return False
        self._begun = True
        if out.is_open(head, status, length):
            # Nothing can follow.
            self._reading.close()
        return out.begin(head, status, headers, length, close=self._closes(False))

    async def write(self, data: bytes) -> None:
        """Send bytes, and wait while the client does not read."""
        if self._out is not None:
            await self._out.write(data)

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

    @property
    def sends(self) -> bool:
        """Whether something would be lost if it were closed at once."""
        return self._transport is not None and self._transport.get_write_buffer_size() > 0

    def drain(self) -> None:
        """Take no more requests; answer those that came, then close."""
        self._leave()
        if not self._running and not self._reading.queue and self._reading.untouched:
            self._end()

    def expire(self, now: float) -> None:
        """It is due."""
        self.due = _NEVER
        if self._stalled or self._reading.state is State.ENDING:
            if self._out is None or not self._out.goes_on(now):
                self.abort()
            else:
                self._reading.since = now
                self._arm(now)
        elif self._reading.untouched:
            self._end()
        elif self._reading.answered:
            self.abort()
        else:
            what = "headers" if self._reading.state is State.HEAD else "body"
            self._reading.refuse(refuse(408, f"the {what} of the request came too slowly"))
            self._next(now)

    def abort(self) -> None:
        """Close at once."""
        self._reading.close()
        if self._transport is not None:
            self._transport.abort()

    def _end(self) -> None:
        transport, out = self._transport, self._out
        if transport is None or out is None:
            return
        idle = self._reading.untouched
        self._reading.close()
        self._reading.since = now = self._loop.time()
        out.watch(now)
        if idle or not transport.can_write_eof():
            # It stays open while there is something to send.
            transport.close()
        else:
            # A socket that is closed with unread bytes is reset, and the answer lost with it.
            transport.write_eof()
        self._arm(now)
        self._read(now)

    def _read(self, now: float) -> None:
        """Read, unless requests wait already."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        pause = self._reading.waits
        if pause != self._paused:
            self._paused = pause
            if pause:
                transport.pause_reading()
            else:
                # Nobody could send meanwhile.
                self._reading.since = now
                transport.resume_reading()

    def _leave(self) -> None:
        if self._left is not None and not self._left.done():
            self._left.set_result(None)

    def _arm(self, now: float) -> None:
        bounds = self._shop.bounds
        if self._out is not None and self._out.stalled:
            self.due = self._out.due
        elif self._running or self._reading.waits:
            self.due = _NEVER
        elif self._reading.state is State.ENDING:
            self.due = self._reading.since + _LINGER
        elif self._reading.state is State.BODY:
            self.due = bounds.body_due(self._reading.since, self._reading.got)
        elif self._reading.state is State.HEAD:
            self.due = self._reading.since + bounds.header_timeout
        else:
            self.due = now + bounds.keep_alive


_BROKEN = refuse(500, "the gateway failed; its log says why", close=True)
