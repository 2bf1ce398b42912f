"""Connections to one server, shared by many callers."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections import deque
from time import monotonic

from tritonkit.client.wire.address import Address
from tritonkit.client.wire.connection import Connection
from tritonkit.client.wire.http1 import Reply
from tritonkit.errors import ConfigError, DeadlineExceeded, NotConnected, ServerUnavailable

__all__ = ["MAX_CONNECTIONS", "Pool"]

MAX_CONNECTIONS = 128
"""Enough to keep a server's queue filled; Triton serves each connection with a thread's turn."""


class Pool:
    """
    At most *max_connections* keep-alive connections, opened as they are needed.

    The connection used last is used next, so that idle ones grow old and are
    closed by the server. When all are busy, callers wait in the order they came.
    A pool belongs to the event loop that uses it first; when that loop is closed,
    or in the child of a fork, it starts anew in the loop of the moment.

    Args:
        address: Scheme http or https.
        tls: How to check an https server; None trusts the system's authorities.
        max_connections: At least 1.
    """

    def __init__(
        self,
        address: Address,
        tls: ssl.SSLContext | None = None,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        if max_connections < 1:
            raise ConfigError(f"max_connections must be at least 1, but got {max_connections=}.")
        if tls is None and address.secure:
            tls = ssl.create_default_context()
        self.address = address
        self.max_connections = max_connections
        self._tls = tls
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = os.getpid()
        self._idle: list[Connection] = []
        self._waiters: deque[asyncio.Future[Connection | None]] = deque()
        self._size = 0
        self._closed = False
        self._forked_off: list[object] = []

    def __repr__(self) -> str:
        return f"Pool({str(self.address)!r}, max_connections={self.max_connections})"

    async def exchange(
        self, request: bytes, deadline: float | None = None, *, replay: bool = True
    ) -> Reply:
        """
        Send a request on a free connection and wait for its response.

        A server may close an idle connection in the moment it is used. Such a
        request is sent once more, on a new connection: only if no byte of an
        answer came, and only on a connection that had been used before.

        Args:
            request: A whole HTTP/1.1 request.
            deadline: In seconds of `time.monotonic`; includes the wait for a
                free connection and for the connect.
            replay: False for a request that must never be sent twice, such as
                a step of a sequence.

        Raises:
            DeadlineExceeded: If the deadline passes first.
            NotConnected: If there is no connection, and nothing was sent.
            ServerUnavailable: If the connection breaks.
            ProtocolError: If the answer is not HTTP/1.1.
            ConfigError: If the pool is closed or belongs to another event loop.
        """
        connection = await self._acquire(deadline)
        fresh = connection.exchanges == 0
        try:
            return await connection.exchange(request, deadline)
        except ServerUnavailable:
            if fresh or not replay or connection.answering or self._closed:
                raise
            try:
                connection = await Connection.open(self.address, deadline, self._tls)
            except NotConnected as error:
                # Not this time, but it was sent before.
                raise ServerUnavailable(str(error)) from error
            return await connection.exchange(request, deadline)
        finally:
            self._release(connection)

    async def aclose(self) -> None:
        """Close idle connections now, and one that is in use when its exchange ends."""
        self._closed = True
        if self._loop is not asyncio.get_running_loop():
            return
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(ConfigError("the pool was closed"))
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
        for connection in idle:
            await connection.wait_closed()

    async def _acquire(self, deadline: float | None) -> Connection:
        if asyncio.get_running_loop() is not self._loop:
            self._move()
        if self._closed:
            raise ConfigError("the client is closed")
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable:
                return connection
            self._size -= 1
        if self._size < self.max_connections:
            self._size += 1
        else:
            handed = await self._wait(deadline)
            # It may have been closed on its way here; its place is ours all the same.
            if handed is not None and handed.reusable:
                return handed
        try:
            return await Connection.open(self.address, deadline, self._tls)
        except BaseException:
            self._free_slot()
            raise

    async def _wait(self, deadline: float | None) -> Connection | None:
        """A connection from its last user, or None for the right to open one."""
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(None if deadline is None else deadline - monotonic()):
                return await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                # Given and given up in the same moment: pass it on.
                handed = waiter.result()
                if handed is None:
                    self._free_slot()
                else:
                    self._release(handed)
            if isinstance(error, TimeoutError):
                raise DeadlineExceeded(
                    f"all {self.max_connections} connections to {self.address} were busy "
                    "until the deadline"
                ) from error
            raise

    def _release(self, connection: Connection) -> None:
        if not connection.reusable or self._closed:
            connection.close()
            self._free_slot()
            return
        waiter = self._next_waiter()
        if waiter is not None:
            waiter.set_result(connection)
        else:
            self._idle.append(connection)

    def _free_slot(self) -> None:
        waiter = self._next_waiter()
        if waiter is not None:
            waiter.set_result(None)
        else:
            self._size -= 1

    def _next_waiter(self) -> asyncio.Future[Connection | None] | None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                return waiter
        return None

    def _move(self) -> None:
        pid = os.getpid()
        if self._loop is not None and self._pid == pid and not self._loop.is_closed():
            raise ConfigError(
                "a client belongs to one event loop; make one AsyncClient per loop, "
                "or use Client, which works from every thread"
            )
        if self._pid != pid:
            # The parent goes on with these sockets and shares its selector with
            # this process: they must be neither used nor closed here.
            self._forked_off += [self._loop, self._idle, self._waiters]
        self._loop, self._pid = asyncio.get_running_loop(), pid
        self._idle, self._waiters, self._size = [], deque(), 0
