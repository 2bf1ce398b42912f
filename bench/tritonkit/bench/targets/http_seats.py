"""
Many HTTP exchanges at once, on sockets without transports of the event loop.

A request costs one call that sends and one that receives; the event loop hears of
all answers that have come at once, by an epoll of the seats' own. Of a small request
that is half of the processor time that a transport and a task take.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import socket
from collections.abc import Mapping
from time import perf_counter_ns
from typing import Any, NamedTuple

from tritonkit.bench.targets.seat import Ended, Seat
from tritonkit.client.wire.address import Address
from tritonkit.client.wire.codec import decode_infer
from tritonkit.client.wire.head import parse_head
from tritonkit.client.wire.http1 import Reply, ResponseParser
from tritonkit.errors import (
    DeadlineExceeded,
    NotConnected,
    ProtocolError,
    RequestError,
    ServerUnavailable,
)

__all__ = ["HttpSeat", "HttpSeats", "Place", "reachable"]

Place = tuple[socket.AddressFamily, Any]
"""A socket's family and address."""

_AT_ONCE = 64
"""Answers that are taken before the event loop gets its turn."""

_RECEIVED = 64 * 1024
"""Bytes that are received at once, unless they belong to a longer body."""


class _Known(NamedTuple):
    """
    The head of the last good answer: most of a load's answers have the same.

    What begins with the same bytes, to its end, means the same and need not be parsed.
    """

    head: bytes
    headers: Mapping[str, str]
    total: int
    """Bytes of the head and the body."""

    @classmethod
    def of(cls, answer: bytes) -> _Known:
        end = answer.find(b"\r\n\r\n")
        head = parse_head(answer[:end]) if end >= 0 else None
        end += 4
        if head is None or head.status != 200 or head.length != len(answer) - end:
            return _UNKNOWN
        return cls(answer[:end], head.headers, len(answer))


_UNKNOWN = _Known(b"", {}, -1)


class HttpSeats:
    """
    Makes seats, and hears of what happens on their sockets.

    Args:
        address: The server, for errors.
        place: Where it listens.
        model: Name of the model, for errors.
        ended: Told of each end.
        timeout: Seconds after which a request fails.
    """

    def __init__(
        self, address: Address, place: Place, model: str, ended: Ended, timeout: float
    ) -> None:
        self.address = address
        self.place = place
        self.model = model
        self.ended = ended
        self.loop = asyncio.get_running_loop()
        self._timeout_ns = round(timeout * 1e9)
        self.memory = memoryview(bytearray(_RECEIVED))
        """What small answers are received in, one at a time."""
        self.known = _UNKNOWN
        self._epoll = select.epoll()
        self._connected: dict[int, HttpSeat] = {}
        self._seats: set[HttpSeat] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self) -> HttpSeat:
        """A new seat."""
        if not self._seats:
            self.loop.add_reader(self._epoll.fileno(), self._happened)
            self._timer = self.loop.call_later(self._timeout_ns / 1e9, self._expire)
        seat = HttpSeat(self)
        self._seats.add(seat)
        return seat

    def watch(self, seat: HttpSeat, descriptor: int, events: int) -> None:
        """Hear of a socket, or of other events on it."""
        if descriptor in self._connected:
            self._epoll.modify(descriptor, events)
        else:
            self._connected[descriptor] = seat
            self._epoll.register(descriptor, events)

    def unwatch(self, descriptor: int) -> None:
        """Before a socket is closed."""
        del self._connected[descriptor]
        self._epoll.unregister(descriptor)

    def leave(self, seat: HttpSeat) -> None:
        """A seat was closed; with the last one, all is."""
        self._seats.discard(seat)
        if not self._seats and not self._epoll.closed:
            if self._timer is not None:
                self._timer.cancel()
            self.loop.remove_reader(self._epoll.fileno())
            self._epoll.close()

    def _happened(self) -> None:
        connected = self._connected
        for descriptor, events in self._epoll.poll(0, _AT_ONCE):
            # One answer's seat may close others, whose events are void.
            seat = connected.get(descriptor)
            if seat is not None:
                seat.happened(events)

    def _expire(self) -> None:
        # A request that starts from now on fails after the next look, so that
        # looking once for each timeout is enough to be exact.
        now = perf_counter_ns()
        first = now
        for seat in tuple(self._seats):
            if seat.waits:
                if now - seat.sent_ns >= self._timeout_ns:
                    seat.fail(
                        DeadlineExceeded(f"{self.address} did not answer within the deadline")
                    )
                else:
                    first = min(first, seat.sent_ns)
        if self._seats:
            # An event loop's clock ticks in milliseconds.
            left = first + self._timeout_ns - now
            self._timer = self.loop.call_later(max(left / 1e9, 0.001), self._expire)


class HttpSeat(Seat):
    """
    A keep-alive connection: opened with the first request, and again after it broke.

    Args:
        seats: Whose it is.
    """

    def __init__(self, seats: HttpSeats) -> None:
        self._seats = seats
        self._socket: socket.socket | None = None
        self._parser = ResponseParser()
        self._connecting = False
        self._unsent: memoryview | bytes = b""
        self.waits = False
        """Whether a request is in flight."""

    def start(self, payload: bytes) -> None:
        """Send a whole HTTP request."""
        self.waits = True
        self.sent_ns = perf_counter_ns()
        if self._socket is None:
            self._unsent = payload
            self._connect()
            return
        try:
            sent = self._socket.send(payload)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._fail_soon(self._broken(error))
            return
        if sent < len(payload):
            self._unsent = memoryview(payload)[sent:]
            self._watch(select.EPOLLIN | select.EPOLLOUT)

    async def aclose(self) -> None:
        """Close now; nothing is told any more."""
        self.waits = False
        self._disconnect()
        self._seats.leave(self)

    def happened(self, events: int) -> None:
        """Something happened on the socket."""
        if events & select.EPOLLOUT and not self._write():
            return
        if self._parser.started:
            self._more()
            return
        seats = self._seats
        try:
            # None where an earlier event closed it; and one may come while it connects.
            count = self._socket.recv_into(seats.memory)  # type: ignore[union-attr]
        except BlockingIOError:
            return
        except OSError as error:
            self.fail(self._broken(error))
            return
        if not (count and self.waits):
            self._without_answer()
            return
        data = bytes(seats.memory[:count])
        known = seats.known
        if count == known.total and data.startswith(known.head) and not self._unsent:
            self.waits = False
            seats.ended(self, Reply(200, known.headers, memoryview(data)[len(known.head) :]))
            return
        self._parser.buffer()[:count] = data
        if self._parse(count) and self._parser.keep_alive:
            seats.known = _Known.of(data)

    def _more(self) -> None:
        """More of an answer that came in parts; received where it stays."""
        assert self._socket is not None
        try:
            count = self._socket.recv_into(self._parser.buffer())
        except BlockingIOError:
            return
        except OSError as error:
            self.fail(self._broken(error))
            return
        if count:
            self._parse(count)
        else:
            self._without_answer()

    def _parse(self, count: int) -> bool:
        """Take in what was received; whether it was the rest of a good answer."""
        try:
            reply = self._parser.filled(count)
        except ProtocolError as error:
            self.fail(error)
            return False
        if reply is None:
            return False
        self._answer(reply)
        return reply.status == 200

    def fail(self, error: RequestError) -> None:
        """The connection is of no more use; what is in flight on it ends with *error*."""
        self._disconnect()
        if self.waits:
            self.waits = False
            self._seats.ended(self, error)

    def _answer(self, reply: Reply) -> None:
        # An answer before the whole request was sent: the rest would be taken for
        # a request of its own.
        if self._unsent or not self._parser.keep_alive:
            self._disconnect()
        self.waits = False
        answer: Reply | RequestError = reply
        if reply.status != 200:
            try:
                decode_infer(reply, self._seats.model)
            except RequestError as error:
                answer = error
        self._seats.ended(self, answer)

    def _without_answer(self) -> None:
        """The stream has ended, which may end a body as well; or bytes that nobody asked for."""
        try:
            reply = self._parser.eof() if self.waits else None
        except ProtocolError as error:
            self.fail(ServerUnavailable(f"{error} ({self._seats.address})"))
            return
        if reply is not None:
            self._answer(reply)
        else:
            self.fail(self._broken(None))

    def _connect(self) -> None:
        family, place = self._seats.place
        try:
            connection = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            self._fail_soon(self._not_connected(error))
            return
        self._socket = connection
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._parser = ResponseParser()
        self._connecting = True
        code = connection.connect_ex(place)
        if code in (0, errno.EINPROGRESS):
            self._watch(select.EPOLLIN | select.EPOLLOUT)
        else:
            connection.close()
            self._socket = None
            self._fail_soon(self._not_connected(OSError(code, os.strerror(code))))

    def _write(self) -> bool:
        """Send what is unsent, now that there is room; whether the connection lives."""
        assert self._socket is not None
        if self._connecting:
            code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self.fail(self._not_connected(OSError(code, os.strerror(code))))
                return False
            self._connecting = False
        try:
            sent = self._socket.send(self._unsent)
        except BlockingIOError:
            return True
        except OSError as error:
            self.fail(self._broken(error))
            return False
        self._unsent = memoryview(self._unsent)[sent:]
        if not self._unsent:
            self._watch(select.EPOLLIN)
        return True

    def _watch(self, events: int) -> None:
        assert self._socket is not None
        self._seats.watch(self, self._socket.fileno(), events)

    def _disconnect(self) -> None:
        self._connecting = False
        self._unsent = b""
        if self._socket is not None:
            self._seats.unwatch(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _fail_soon(self, error: RequestError) -> None:
        self._seats.loop.call_soon(self.fail, error)

    def _broken(self, error: OSError | None) -> ServerUnavailable:
        reason = f": {error}" if error is not None else ""
        return ServerUnavailable(
            f"{self._seats.address} closed the connection before it answered{reason}"
        )

    def _not_connected(self, error: OSError) -> NotConnected:
        return NotConnected(f"cannot connect to {self._seats.address}: {error}")


async def reachable(address: Address, timeout: float) -> Place:
    """
    Where a server listens: of the places that its name stands for, the first that accepts.

    The first of all where none does: each request will say so.

    Raises:
        NotConnected: If the name stands for nothing.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise NotConnected(f"cannot connect to {address}: {error}") from error
    places = [(family, place) for family, _, _, _, place in found]
    if len(places) == 1:
        return places[0]
    for family, place in places:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            try:
                async with asyncio.timeout(timeout):
                    await loop.sock_connect(probe, place)
            except OSError:
                continue
            return family, place
    return places[0]
