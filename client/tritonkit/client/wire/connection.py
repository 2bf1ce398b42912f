"""One connection to a server, with at most one exchange in flight."""

from __future__ import annotations

import asyncio
import ssl
from time import monotonic
from typing import cast

from tritonkit.client.wire.address import Address
from tritonkit.client.wire.http1 import Reply, ResponseParser
from tritonkit.errors import (
    DeadlineExceeded,
    NotConnected,
    ProtocolError,
    RequestError,
    ServerUnavailable,
)

__all__ = ["Connection"]

# A longer request is written in pieces, each when the one before has gone, so
# that the transport need not copy what the socket does not take at once.
_PIECE = 256 * 1024


class Connection(asyncio.BufferedProtocol):
    """
    A keep-alive HTTP/1.1 connection.

    Made by `open`. `exchange` sends one request and waits for its response;
    a second one meanwhile is an error of the caller. Whatever ends an exchange
    early, be it a deadline, a cancellation or a broken answer, closes the
    connection, since the rest of the answer could still come.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self.exchanges = 0
        """Requests answered so far."""
        self._loop = asyncio.get_running_loop()
        self._parser = ResponseParser()
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[Reply] | None = None
        self._resumed: asyncio.Future[None] | None = None
        self._closed = self._loop.create_future()
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._closed_why = "is closed or in use"

    @classmethod
    async def open(
        cls, address: Address, deadline: float | None = None, tls: ssl.SSLContext | None = None
    ) -> Connection:
        """
        Connect.

        Args:
            address: Scheme http or https.
            deadline: In seconds of `time.monotonic`.
            tls: How to check an https server; None trusts the system's authorities.

        Raises:
            NotConnected: If nobody answers there, or TLS cannot be agreed on.
            DeadlineExceeded: If the deadline passes first.
        """
        if address.secure and tls is None:
            tls = ssl.create_default_context()
        delay = None if deadline is None else deadline - monotonic()
        try:
            async with asyncio.timeout(delay):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: cls(address),
                    address.host,
                    address.port,
                    ssl=tls if address.secure else None,
                )
        except TimeoutError as error:
            # The system's own timeout of a connect is one as well.
            if deadline is not None and monotonic() >= deadline - 0.001:
                raise DeadlineExceeded(f"not connected to {address} within the deadline") from error
            raise NotConnected(f"cannot connect to {address}: {error}") from error
        except OSError as error:
            # Some errors of TLS have a name and no words.
            reason = str(error) or type(error).__name__
            raise NotConnected(f"cannot connect to {address}: {reason}") from error
        return connection

    @property
    def reusable(self) -> bool:
        """Whether another exchange may be tried."""
        return self._transport is not None and self._waiter is None

    @property
    def answering(self) -> bool:
        """Whether a byte of an unfinished answer has come."""
        return self._parser.started

    async def exchange(self, request: bytes, deadline: float | None = None) -> Reply:
        """
        Send a request and wait for its response.

        Args:
            request: A whole HTTP/1.1 request.
            deadline: In seconds of `time.monotonic`.

        Raises:
            DeadlineExceeded: If the deadline passes first.
            ServerUnavailable: If the connection breaks before a whole answer.
            ProtocolError: If the answer is not HTTP/1.1.
        """
        transport = self._transport
        if transport is None or self._waiter is not None:
            raise ServerUnavailable(f"the connection to {self.address} {self._closed_why}")
        if deadline is not None:
            self._arm(deadline)
        waiter: asyncio.Future[Reply] = self._loop.create_future()
        self._waiter = waiter
        try:
            if len(request) <= _PIECE:
                transport.write(request)
            else:
                await self._write(transport, waiter, request)
            return await waiter
        finally:
            self._deadline = None
            if self._waiter is not None:
                self._waiter = None
                self.close()

    def close(self) -> None:
        """Close now; what is in flight fails."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
        self._fail(ServerUnavailable(f"the connection to {self.address} was closed"))

    async def wait_closed(self) -> None:
        """Wait until the socket is closed."""
        await self._closed

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is connected; event loops switch off Nagle's algorithm on it."""
        # uvloop's transports are of no class of asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        return self._parser.buffer()

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes have come."""
        waiter = self._waiter
        if waiter is None:
            # Nobody asked: a server that says goodbye with a 408, or garbage.
            if not self.exchanges:
                self._closed_why = (
                    "was closed, since the server spoke before it was asked; is this its HTTP port?"
                )
            self.close()
            return
        try:
            reply = self._parser.filled(nbytes)
        except ProtocolError as error:
            self._end(error)
            return
        if reply is not None:
            self._answer(reply)

    def eof_received(self) -> bool:
        """The server sends no more."""
        try:
            reply = self._parser.eof()
        except ProtocolError as error:
            self._end(ServerUnavailable(f"{error} ({self.address})"))
            return False
        if reply is not None:
            self._answer(reply)
        self._end(None)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        self._end(exc)
        if not self._closed.done():
            self._closed.set_result(None)

    def pause_writing(self) -> None:
        """The transport's buffer is full."""
        self._resumed = self._loop.create_future()

    def resume_writing(self) -> None:
        """The transport's buffer has room."""
        if self._resumed is not None and not self._resumed.done():
            self._resumed.set_result(None)
        self._resumed = None

    def _answer(self, reply: Reply) -> None:
        waiter, self._waiter = self._waiter, None
        self.exchanges += 1
        transport = self._transport
        # An answer before the whole request was sent: the rest would be taken
        # for a request of its own.
        if transport is not None and (
            not self._parser.keep_alive or transport.get_write_buffer_size()
        ):
            self._transport = None
            transport.abort()
        if waiter is not None and not waiter.done():
            waiter.set_result(reply)

    def _end(self, cause: Exception | None) -> None:
        if isinstance(cause, RequestError):
            error = cause
        else:
            reason = f": {cause}" if cause is not None else ""
            error = ServerUnavailable(
                f"{self.address} closed the connection before it answered{reason}"
            )
        self._fail(error)
        self.close()

    def _fail(self, error: RequestError) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)
        self.resume_writing()

    async def _write(
        self, transport: asyncio.Transport, waiter: asyncio.Future[Reply], request: bytes
    ) -> None:
        view = memoryview(request)
        for start in range(0, len(view), _PIECE):
            if waiter.done():
                # The server refused what it has seen so far.
                self.close()
                return
            transport.write(view[start : start + _PIECE])
            if self._resumed is not None:
                await asyncio.wait((self._resumed, waiter), return_when=asyncio.FIRST_COMPLETED)

    def _arm(self, deadline: float) -> None:
        # One timer serves many exchanges: deadlines mostly grow, so the armed
        # timer fires early, looks at the deadline of the moment and goes on.
        remaining = deadline - monotonic()
        if remaining <= 0:
            raise DeadlineExceeded("the deadline passed before the request was sent")
        self._deadline = deadline
        if self._timer is None or deadline < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = deadline
            self._timer = self._loop.call_later(remaining, self._expire)

    def _expire(self) -> None:
        self._timer = None
        if self._deadline is None:
            return
        remaining = self._deadline - monotonic()
        # An event loop's timer may fire a clock tick early.
        if remaining > 0.001:
            self._timer_at = self._deadline
            self._timer = self._loop.call_later(remaining, self._expire)
            return
        self._fail(DeadlineExceeded(f"{self.address} did not answer within the deadline"))
        self.close()
