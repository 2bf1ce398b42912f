"""One HTTP exchange at a time on a socket without a transport of the event loop."""

from __future__ import annotations

import errno
import os
import select
import socket
from collections.abc import Mapping
from time import perf_counter_ns
from typing import TYPE_CHECKING, NamedTuple

from tritonkit.bench.targets.seat import Seat
from tritonkit.client.wire.codec import decode_infer
from tritonkit.client.wire.head import parse_head
from tritonkit.client.wire.http1 import Reply, ResponseParser
from tritonkit.errors import (
    NotConnected,
    ProtocolError,
    RequestError,
    ServerUnavailable,
)

if TYPE_CHECKING:
    from tritonkit.bench.targets.http_seats import HttpSeats

__all__ = ["UNKNOWN", "HttpSeat", "KnownHead"]


class KnownHead(NamedTuple):
    """
    The head of the last good answer: most of a load's answers have the same.

    What begins with the same bytes, to its end, means the same and need not be parsed.
    """

    head: bytes
    headers: Mapping[str, str]
    total: int
    """Bytes of the head and the body."""

    @classmethod
    def of(cls, answer: bytes) -> KnownHead:
        """Of an answer; UNKNOWN where its head tells no length, or that the connection ends."""
        end = answer.find(b"\r\n\r\n")
        head = parse_head(answer[:end]) if end >= 0 else None
        end += 4
        if head is None or head.status != 200 or head.length != len(answer) - end:
            return UNKNOWN
        if not head.keep_alive:
            return UNKNOWN
        return cls(answer[:end], head.headers, len(answer))


UNKNOWN = KnownHead(b"", {}, -1)


class HttpSeat(Seat):
    """
    A keep-alive connection: opened with the first request, and again after it broke.

    Args:
        seats: Whose it is.
    """

    def __init__(self, seats: HttpSeats) -> None:
        self._seats = seats
        self._socket: socket.socket | None = None
        # Made when first needed, which it hardly is: each has 64 KiB.
        self._parser: ResponseParser | None = None
        self._place = seats.place
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
        assert self._socket is not None
        if events & select.EPOLLOUT and not self._write():
            return
        parser = self._parser
        if parser is not None and parser.started:
            self._more(parser)
            return
        seats = self._seats
        try:
            count = self._socket.recv_into(seats.memory)
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
        parser = self._parser = parser or ResponseParser()
        parser.buffer()[:count] = data
        if self._parse(parser, count):
            seats.known = KnownHead.of(data)

    def _more(self, parser: ResponseParser) -> None:
        """More of an answer that came in parts; received where it stays."""
        assert self._socket is not None
        try:
            count = self._socket.recv_into(parser.buffer())
        except BlockingIOError:
            return
        except OSError as error:
            self.fail(self._broken(error))
            return
        if count:
            self._parse(parser, count)
        else:
            self._without_answer()

    def _parse(self, parser: ResponseParser, count: int) -> bool:
        """Take in what was received; whether it was the rest of a good answer."""
        try:
            reply = parser.filled(count)
        except ProtocolError as error:
            self.fail(error)
            return False
        if reply is None:
            return False
        self._answer(reply, parser.keep_alive)
        return reply.status == 200

    def fail(self, error: RequestError) -> None:
        """The connection is of no more use; what is in flight on it ends with *error*."""
        self._disconnect()
        if self.waits:
            self.waits = False
            self._seats.ended(self, error)

    def _answer(self, reply: Reply, keep_alive: bool) -> None:
        # An answer before the whole request was sent: the rest would be taken for
        # a request of its own.
        if self._unsent or not keep_alive:
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
            reply = self._parser.eof() if self.waits and self._parser is not None else None
        except ProtocolError as error:
            self.fail(ServerUnavailable(f"{error} ({self._seats.address})"))
            return
        if reply is not None:
            self._answer(reply, keep_alive=False)
        else:
            self.fail(self._broken(None))

    def _connect(self) -> None:
        self._place = self._seats.place
        family, place = self._place
        try:
            connection = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            self._fail_soon(self._not_connected(error))
            return
        self._socket = connection
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._parser = None
        self._connecting = True
        code = connection.connect_ex(place)
        if code in (0, errno.EINPROGRESS):
            self._watch(select.EPOLLIN | select.EPOLLOUT)
        else:
            connection.close()
            self._socket = None
            self._seats.refused(self._place)
            self._fail_soon(self._not_connected(OSError(code, os.strerror(code))))

    def _write(self) -> bool:
        """Send what is unsent, now that there is room; whether the connection lives."""
        assert self._socket is not None
        if self._connecting:
            code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self._seats.refused(self._place)
                self.fail(self._not_connected(OSError(code, os.strerror(code))))
                return False
            self._connecting = False
            self._seats.accepted(self._place)
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
