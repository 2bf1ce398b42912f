"""One of something for each event loop, through forks and loops that end."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import Generic, TypeVar

from tritonkit.client.forks import fork_safe_lock

__all__ = ["Lines"]

T = TypeVar("T")


class Lines(Generic[T]):
    """
    What holds connections, one for each event loop.

    It is closed with its loop at the latest. The child of a fork makes its own
    and leaves the parent's alone, which shares its sockets.

    Args:
        open: Makes one, in its loop.
        close: Closes it, in its loop.
    """

    def __init__(self, open: Callable[[], T], close: Callable[[T], Awaitable[None]]) -> None:
        self._open = open
        self._close = close
        self._lock = fork_safe_lock()
        self._pid = os.getpid()
        self._lines: dict[asyncio.AbstractEventLoop, tuple[T, AsyncGenerator[None, None]]] = {}
        self._forked_off: list[object] = []

    def get(self) -> T:
        """That of the running loop."""
        loop = asyncio.get_running_loop()
        if self._pid != os.getpid():
            # These must be neither used nor closed here.
            self._forked_off.append(self._lines)
            self._lines, self._pid = {}, os.getpid()
        line = self._lines.get(loop)
        if line is not None:
            return line[0]
        with self._lock:
            for other in [other for other in self._lines if other.is_closed()]:
                del self._lines[other]
            made = self._open()
            end = _end(made, self._close)
            with suppress(StopIteration):
                # From its start on, the loop closes it when it ends itself.
                end.__anext__().send(None)
            self._lines[loop] = made, end
        return made

    async def aclose(self, first: Callable[[T], Awaitable[object]] | None = None) -> None:
        """
        Close that of the running loop, if there is one; used again, it is made again.

        Args:
            first: What to wait for before, where there is the time.
        """
        if self._pid != os.getpid():
            return
        with self._lock:
            line = self._lines.pop(asyncio.get_running_loop(), None)
        if line is not None:
            if first is not None:
                await first(line[0])
            await line[1].aclose()


async def _end(made: T, close: Callable[[T], Awaitable[None]]) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        await close(made)
