"""A worker's HTTP server: accepts, watches, drains."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from tritonkit.extras import require
from tritonkit.gateway.http.bounds import Bounds
from tritonkit.gateway.http.connection import Connection
from tritonkit.gateway.http.message import Head
from tritonkit.gateway.http.shop import App

__all__ = ["Server"]

_log = logging.getLogger(__name__)

_REST = 0.2
"""Seconds without accepting where the process has no file descriptor left."""

_SILENT = 10.0
"""Seconds in which that is said once."""


class Server:
    """
    Serves an app on a socket that listens, until it is drained.

    The socket may be shared with other processes. One connection is taken at a time, so
    that the others get theirs: whoever takes all that wait has them all for as long as they live.

    Args:
        listener: Bound and listening.
        app: Who answers.
        bounds: Of connections and requests.
        refused: Told why, in a word, of each request that is turned away before the app is asked.
    """

    def __init__(
        self,
        listener: socket.socket,
        app: App,
        bounds: Bounds,
        refused: Callable[[str], None] = lambda reason: None,
    ) -> None:
        httptools = require("httptools", extra="gateway")
        self.parser: Any = httptools.HttpRequestParser
        self.parser_errors = (httptools.HttpParserError, httptools.HttpParserUpgrade)
        self.bounds = bounds
        self.refused = refused
        self.app = app
        self.connections: set[Connection] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.date = b""
        self.draining = False
        """Whether connections end with the answer that they are at."""
        self.received = self.sent = 0
        """Bytes of bodies so far."""
        self.accepted = 0
        """Connections so far."""
        self._listener = listener
        self._listener.setblocking(False)
        self._accepting = False
        self._quiet = 0.0
        self._welcomes: set[asyncio.Task[Any]] = set()
        self._ticker: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to accept."""
        self._loop = asyncio.get_running_loop()
        self._tick()
        self._listen()

    def stop_accepting(self) -> None:
        """Leave new connections to others."""
        if self._accepting:
            self._accepting = False
            self._loop.remove_reader(self._listener.fileno())

    async def drain(self, grace: float) -> bool:
        """
        Take no more, and wait for what is in flight.

        Args:
            grace: Seconds.

        Returns:
            Whether all was answered within them.
        """
        self.stop_accepting()
        self._listener.close()
        self.draining = True
        for connection in list(self.connections):
            connection.drain()
        end = self._loop.time() + grace
        while self.connections or self._welcomes or self.tasks:
            if self._loop.time() >= end:
                break
            await asyncio.sleep(0.02)
        clean = not self.tasks and not any(each.sends for each in self.connections)
        await self.close()
        return clean

    async def close(self) -> None:
        """End everything at once."""
        self.stop_accepting()
        self._listener.close()
        for connection in list(self.connections):
            connection.abort()
        tasks = [*self.tasks, *self._welcomes]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=1)
        if self._ticker is not None:
            self._ticker.cancel()

    def broke(self, error: BaseException, head: Head) -> None:
        """An answer failed as none should."""
        _log.error("%s %s failed", head.method, head.place.path or head.target, exc_info=error)

    def _listen(self) -> None:
        if not self._accepting and not self.draining and self._listener.fileno() >= 0:
            self._accepting = True
            self._loop.add_reader(self._listener.fileno(), self._accept)

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            # Another process was quicker, or the client has gone.
            return
        except OSError as error:
            if self._loop.time() >= self._quiet:
                self._quiet = self._loop.time() + _SILENT
                _log.error("no connection is taken for %s s: %s", _REST, error)
            self.stop_accepting()
            self._loop.call_later(_REST, self._listen)
            return
        self.accepted += 1
        client.setblocking(False)
        if client.family in (socket.AF_INET, socket.AF_INET6):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = self._loop.create_task(self._welcome(client))
        self._welcomes.add(task)
        task.add_done_callback(self._welcomes.discard)

    async def _welcome(self, client: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(
                lambda: Connection(self, self._loop), sock=client
            )
        except OSError:
            client.close()

    def _tick(self) -> None:
        """Look at what is due: one timer for all connections, not one for each."""
        now = self._loop.time()
        for connection in [each for each in self.connections if each.due <= now]:
            connection.expire(now)
        self.date = f"Date: {formatdate(usegmt=True)}\r\n".encode()
        self._ticker = self._loop.call_later(self.bounds.tick, self._tick)
