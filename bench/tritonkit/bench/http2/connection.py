"""One HTTP/2 connection that carries unary gRPC calls, many at a time."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from time import monotonic
from typing import cast

from tritonkit.bench.http2.frames import (
    ACK,
    DEFAULT_WINDOW,
    END_HEADERS,
    END_STREAM,
    MAX_WINDOW,
    PREFACE,
    Frame,
    FrameReader,
    Kind,
    Setting,
    frame,
    frame_head,
    read_settings,
    settings,
)
from tritonkit.bench.http2.headers import TABLE_SIZE, HeaderBlocks, read_block
from tritonkit.bench.http2.stream import Done, Stream
from tritonkit.client.wire.address import Address
from tritonkit.errors import (
    DeadlineExceeded,
    NotConnected,
    ProtocolError,
    RequestError,
    ServerUnavailable,
)

__all__ = ["Http2Connection"]

_FRAME_SIZE = 2**20
"""Bytes that the server may put into a frame: a large answer is few of them."""

_RENEWAL = 2**29
"""Bytes after which the server is allowed as many again."""

_MAX_FIELDS = 2**16
"""Bytes of the header fields of one answer."""

_CANCEL = 8
"""HTTP/2's error code of a call that nobody waits for."""


class Http2Connection(asyncio.Protocol):
    """
    Made by `open`. Every call has the same path and the same header fields.

    A call's end is told by a callback: that costs no task and no turn of the event
    loop. Answers come in any order. A deadline that passes resets its call alone.

    Args:
        address: The server.
        blocks: The fields of each request.
    """

    def __init__(self, address: Address, blocks: HeaderBlocks) -> None:
        self.address = address
        self._blocks = blocks
        self._block = blocks.first
        self._next_block = blocks.later
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._reader = FrameReader(_FRAME_SIZE)
        self._streams: dict[int, Stream] = {}
        self._waiting: deque[tuple[bytes, Stream]] = deque()
        self._next_id = 1
        self._leaving = False
        # What the server allows.
        self._window = DEFAULT_WINDOW
        self._stream_window = DEFAULT_WINDOW
        self._frame_size = 2**14
        self._max_streams = MAX_WINDOW
        # What is written while what has come is taken in: it goes out at once.
        self._held: list[bytes] | None = None
        # What it has sent since it was allowed more.
        self._received = 0
        # A block of header fields that goes on in the next frame.
        self._partial: tuple[int, int, bytes] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    @classmethod
    async def open(
        cls,
        address: Address,
        blocks: HeaderBlocks,
        deadline: float,
        tls: ssl.SSLContext | None = None,
    ) -> Http2Connection:
        """
        Connect, and wait until the server says that it speaks HTTP/2.

        Args:
            address: Scheme grpc or grpcs.
            blocks: The fields of each request.
            deadline: In seconds of `time.monotonic`.
            tls: How to check a grpcs server; offers "h2" by ALPN.

        Raises:
            NotConnected: If nobody answers there, or TLS cannot be agreed on.
            ProtocolError: If something else than HTTP/2 answers.
            DeadlineExceeded: If the deadline passes first.
        """
        connection: Http2Connection | None = None
        try:
            async with asyncio.timeout(deadline - monotonic()) as limit:
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: cls(address, blocks),
                    address.host,
                    address.port,
                    ssl=tls if address.secure else None,
                )
                await connection._ready
        except TimeoutError as error:
            if connection is not None:
                connection.close()
            # The system's own timeout of a connect is one as well.
            if limit.expired():
                raise DeadlineExceeded(f"not connected to {address} within the deadline") from error
            raise NotConnected(f"cannot connect to {address}: {error}") from error
        except OSError as error:
            raise NotConnected(f"cannot connect to {address}: {error}") from error
        except asyncio.CancelledError:
            if connection is not None:
                connection.close()
            raise
        return connection

    @property
    def reusable(self) -> bool:
        """Whether another call may be tried."""
        return self._transport is not None and not self._leaving

    def call(self, message: bytes, model: str, deadline: float, done: Done) -> Stream:
        """
        Send a message; the end is told later, never from within.

        Args:
            message: As gRPC frames it.
            model: The model that is asked, for errors.
            deadline: In seconds of `time.monotonic`, in the future.
            done: Told of the end.

        Returns:
            The call, for `cancel`.

        Raises:
            ServerUnavailable: If the connection cannot be used any more.
        """
        if self._transport is None or self._leaving:
            raise ServerUnavailable(f"the connection to {self.address} is closed", model=model)
        stream = Stream(done, model, deadline, self._stream_window)
        if self._timer is None or deadline < self._timer_at:
            self._arm(deadline)
        if len(self._streams) < self._max_streams:
            self._begin(message, stream)
        else:
            self._waiting.append((message, stream))
        return stream

    def cancel(self, stream: Stream) -> None:
        """Give a call up; nothing is told of it any more."""
        for number, one in self._streams.items():
            if one is stream:
                self._reset(number)
                break
        else:
            self._waiting = deque(entry for entry in self._waiting if entry[1] is not stream)
        self._settle()

    def close(self) -> None:
        """Close now; what is in flight fails."""
        self._end(ServerUnavailable(f"the connection to {self.address} was closed"))

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is connected; event loops switch off Nagle's algorithm on it."""
        # uvloop's transports are of no class of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        wanted = {
            # Answers are then read without a table.
            Setting.HEADER_TABLE_SIZE: 0,
            Setting.ENABLE_PUSH: 0,
            Setting.INITIAL_WINDOW_SIZE: MAX_WINDOW,
            Setting.MAX_FRAME_SIZE: _FRAME_SIZE,
        }
        room = (MAX_WINDOW - DEFAULT_WINDOW).to_bytes(4, "big")
        self._transport.write(PREFACE + settings(wanted) + frame(Kind.WINDOW_UPDATE, 0, 0, room))

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        # Each write wakes the server, which on a busy machine takes the processor.
        held: list[bytes] = []
        self._held = held
        try:
            for one in self._reader.feed(data):
                self._take(one)
                if self._transport is None:
                    return
        except ProtocolError as error:
            self._end(ProtocolError(f"{self.address}: {error}"))
        finally:
            self._held = None
            if held:
                self._write(b"".join(held))

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        reason = f": {exc}" if exc is not None else ""
        self._end(
            ServerUnavailable(f"{self.address} closed the connection before it answered{reason}")
        )

    # What the server sends.

    def _take(self, one: Frame) -> None:
        kind = one.kind
        if not self._ready.done():
            if kind != Kind.SETTINGS or one.flags & ACK:
                raise ProtocolError("what answers there does not speak HTTP/2")
            self._ready.set_result(None)
        if self._partial is not None and kind != Kind.CONTINUATION:
            raise ProtocolError("HTTP/2 header fields break off")
        if kind == Kind.HEADERS:
            self._headers(one.stream, one.flags, one.payload, one.flags)
        elif kind == Kind.DATA:
            self._data(one)
        elif kind == Kind.WINDOW_UPDATE:
            self._widen(one.stream, int.from_bytes(one.payload, "big") & MAX_WINDOW)
        elif kind == Kind.PING:
            if not one.flags & ACK:
                self._write(frame(Kind.PING, ACK, 0, one.payload))
        elif kind == Kind.SETTINGS:
            if not one.flags & ACK:
                self._apply(read_settings(one.payload))
        elif kind == Kind.RST_STREAM:
            stream = self._streams.pop(one.stream, None)
            if stream is not None:
                code = int.from_bytes(one.payload, "big")
                self._finish(stream, stream.reset(code, self.address))
        elif kind == Kind.GOAWAY:
            self._go_away(int.from_bytes(one.payload[:4], "big") & MAX_WINDOW)
        elif kind == Kind.CONTINUATION:
            self._continuation(one)
        elif kind == Kind.PUSH_PROMISE:
            raise ProtocolError("the server pushes, which it was told not to")

    def _headers(self, number: int, flags: int, block: bytes, ends: int) -> None:
        if not flags & END_HEADERS:
            self._partial = number, ends, block
            return
        fields = read_block(block)
        stream = self._streams.get(number)
        if stream is None:
            return
        if not ends & END_STREAM:
            # Those of an informational answer are followed by others.
            stream.fields = fields
            return
        self._complete(number, stream, stream.outcome(fields, self.address))

    def _continuation(self, one: Frame) -> None:
        if self._partial is None or self._partial[0] != one.stream:
            raise ProtocolError("HTTP/2 header fields go on that did not begin")
        number, ends, block = self._partial
        if len(block) + len(one.payload) > _MAX_FIELDS:
            raise ProtocolError(f"HTTP/2 header fields of more than {_MAX_FIELDS} bytes")
        self._partial = None
        self._headers(number, one.flags, block + one.payload, ends)

    def _data(self, one: Frame) -> None:
        self._received += one.size
        if self._received >= _RENEWAL:
            room = self._received.to_bytes(4, "big")
            self._received = 0
            self._write(frame(Kind.WINDOW_UPDATE, 0, 0, room))
        stream = self._streams.get(one.stream)
        if stream is None:
            return
        stream.take(one.payload)
        if one.flags & END_STREAM:
            # No trailers, so no status.
            self._complete(one.stream, stream, stream.outcome({}, self.address))

    def _complete(self, number: int, stream: Stream, outcome: bytes | RequestError) -> None:
        if stream.rest is not None:
            # The server has answered before it took all of the request.
            self._reset(number)
        else:
            del self._streams[number]
        self._finish(stream, outcome)

    def _apply(self, values: dict[int, int]) -> None:
        self._max_streams = values.get(Setting.MAX_CONCURRENT_STREAMS, self._max_streams)
        self._frame_size = values.get(Setting.MAX_FRAME_SIZE, self._frame_size)
        if values.get(Setting.HEADER_TABLE_SIZE, TABLE_SIZE) < TABLE_SIZE:
            # The next block must say that the table is smaller, whatever it holds.
            self._block, self._next_block = self._blocks.shrunk, self._blocks.plain
        window = values.get(Setting.INITIAL_WINDOW_SIZE, self._stream_window)
        change, self._stream_window = window - self._stream_window, window
        for stream in self._streams.values():
            stream.window += change
        self._write(frame(Kind.SETTINGS, ACK, 0))
        self._pump_all()
        # More calls may be allowed at a time.
        self._settle()

    def _widen(self, number: int, room: int) -> None:
        if not number:
            self._window += room
            self._pump_all()
        elif number in self._streams:
            stream = self._streams[number]
            stream.window += room
            self._pump(number, stream)

    def _go_away(self, last: int) -> None:
        """Finish what the server has taken; the rest was not looked at."""
        self._leaving = True
        error = f"{self.address} is closing the connection"
        untaken = [self._streams.pop(one) for one in [*self._streams] if one > last]
        untaken += [stream for _, stream in self._waiting]
        self._waiting.clear()
        for stream in untaken:
            stream.refused = True
            self._finish(stream, ServerUnavailable(error, model=stream.model))
        self._settle()

    # What is sent.

    def _begin(self, message: bytes, stream: Stream) -> None:
        number = self._next_id
        self._next_id += 2
        # Numbers are not used twice.
        self._leaving = self._leaving or self._next_id > MAX_WINDOW
        self._streams[number] = stream
        stream.began = True
        block, self._block = self._block, self._next_block
        size = len(message)
        head = frame_head(Kind.HEADERS, END_HEADERS, number, len(block)) + block
        if size <= self._window and size <= stream.window and size <= self._frame_size:
            self._window -= size
            self._write(head + frame_head(Kind.DATA, END_STREAM, number, size) + message)
            return
        self._write(head)
        stream.rest = memoryview(message)
        self._pump(number, stream)

    def _pump_all(self) -> None:
        for number, stream in list(self._streams.items()):
            if stream.rest is not None:
                self._pump(number, stream)

    def _pump(self, number: int, stream: Stream) -> None:
        """Send as much of a request as the windows take."""
        while (rest := stream.rest) is not None:
            size = min(len(rest), self._window, stream.window, self._frame_size)
            if size <= 0:
                return
            last = size == len(rest)
            self._write(frame(Kind.DATA, END_STREAM if last else 0, number, rest[:size]))
            stream.rest = None if last else rest[size:]
            self._window -= size
            stream.window -= size

    def _reset(self, number: int) -> None:
        del self._streams[number]
        self._write(frame(Kind.RST_STREAM, 0, number, _CANCEL.to_bytes(4, "big")))

    def _write(self, data: bytes) -> None:
        if self._held is not None:
            self._held.append(data)
        elif self._transport is not None:
            self._transport.write(data)

    # How calls end.

    def _finish(self, stream: Stream, outcome: bytes | RequestError) -> None:
        stream.done(outcome)
        self._settle()

    def _settle(self) -> None:
        """Begin what waits for its turn; close what is left by both sides."""
        while self._waiting and self._transport is not None and not self._leaving:
            if len(self._streams) >= self._max_streams:
                break
            message, stream = self._waiting.popleft()
            self._begin(message, stream)
        if self._leaving and not self._streams:
            self.close()

    def _arm(self, deadline: float) -> None:
        # One timer serves all calls: deadlines mostly grow, so it fires early,
        # looks at those of the moment and goes on.
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = self._loop.call_later(max(0.0, deadline - monotonic()), self._expire)

    def _expire(self) -> None:
        self._timer = None
        # An event loop's timer may fire a clock tick early.
        now = monotonic() + 0.001
        error = f"{self.address} did not answer within the deadline"
        late = [number for number, stream in self._streams.items() if stream.deadline <= now]
        for number in late:
            stream = self._streams.get(number)
            if stream is None:
                continue
            self._reset(number)
            self._finish(stream, DeadlineExceeded(error, model=stream.model))
        for entry in [entry for entry in self._waiting if entry[1].deadline <= now]:
            self._waiting.remove(entry)
            entry[1].done(DeadlineExceeded(error, model=entry[1].model))
        left: Sequence[Stream] = [*self._streams.values(), *(one for _, one in self._waiting)]
        if left:
            # Not that of a call that began meanwhile, which ends later.
            self._arm(min(stream.deadline for stream in left))

    def _end(self, error: RequestError) -> None:
        transport, self._transport = self._transport, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if transport is not None:
            transport.abort()
        if not self._ready.done():
            self._ready.set_exception(
                error
                if isinstance(error, ProtocolError)
                else NotConnected(f"cannot connect to {self.address}: {error}")
            )
        streams = [*self._streams.values(), *(stream for _, stream in self._waiting)]
        self._streams.clear()
        self._waiting.clear()
        for stream in streams:
            stream.done(type(error)(str(error), model=stream.model))
