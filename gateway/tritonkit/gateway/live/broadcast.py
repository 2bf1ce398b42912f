"""One document for all who listen, once a second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

__all__ = ["Broadcast", "Full"]

RETRY_MS = 2000
"""After which a browser connects again."""

_ALIVE = 15.0
"""Seconds after which a listener to whom nothing is told hears that it is still there."""


class Full(Exception):
    """As many listen as may."""


class Broadcast:
    """
    Whoever listens gets the latest document; who is slow skips those in between.

    A document is encoded once, whoever listens, and only where somebody does.

    Args:
        most: Listeners at a time.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._latest = b""
        self._number = 0
        self._news = asyncio.Event()
        self._closed = False
        self.listeners = 0

    def publish(self, make: Callable[[], bytes]) -> None:
        """
        Tell all who listen.

        Args:
            make: Encodes the document.
        """
        if not self.listeners or self._closed:
            return
        self._latest = b"event: state\ndata: %s\n\n" % make()
        self._number += 1
        self._wake()

    def close(self) -> None:
        """End every stream; nobody listens any more."""
        self._closed = True
        self._wake()

    def listen(self, first: bytes) -> AsyncIterator[bytes]:
        """
        The stream of one listener, as server-sent events have it.

        Args:
            first: The document that it begins with.

        Raises:
            Full: If as many listen as may, or the gateway drains.
        """
        if self._closed or self.listeners >= self._most:
            raise Full
        # Counted when it is let in: many may come before the first of them is served.
        self.listeners += 1
        return _Listener(self._stream(first), self._left)

    def _left(self) -> None:
        self.listeners -= 1

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _stream(self, first: bytes) -> AsyncIterator[bytes]:
        seen = self._number
        yield b"retry: %d\n\nevent: state\ndata: %s\n\n" % (RETRY_MS, first)
        while not self._closed:
            news = self._news
            if seen == self._number:
                try:
                    async with asyncio.timeout(_ALIVE):
                        await news.wait()
                except TimeoutError:
                    yield b": still here\n\n"
                continue
            seen = self._number
            yield self._latest


class _Listener(AsyncIterator[bytes]):
    """A stream that tells when it is over, also where it never began."""

    def __init__(self, stream: AsyncIterator[bytes], left: Callable[[], None]) -> None:
        self._stream, self._tell = stream, left
        self._over = False

    async def __anext__(self) -> bytes:
        try:
            return await self._stream.__anext__()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if not self._over:
            self._over = True
            self._tell()

    def __del__(self) -> None:
        self.close()
