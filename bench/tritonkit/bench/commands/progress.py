"""One line on a terminal that says how far a run is."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TextIO

__all__ = ["Progress"]

_INTERVAL = 0.5

_COLUMNS = 80
"""Of a terminal that does not tell."""


class Progress:
    """
    Rewrites one line; silent where the stream is not a terminal.

    A live display of rich renders for milliseconds in the thread that measures.
    This one writes a line twice a second.

    Args:
        stream: Where to write, as a rule the standard error stream.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = stream.isatty()

    @asynccontextmanager
    async def showing(self, line: Callable[[], str]) -> AsyncIterator[None]:
        """Show what *line* returns, again and again; erase it at the end."""
        if not self._shown:
            yield
            return
        task = asyncio.create_task(self._repeat(line))
        try:
            yield
        finally:
            task.cancel()
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    @property
    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or _COLUMNS
        except (OSError, ValueError):
            return _COLUMNS

    async def _repeat(self, line: Callable[[], str]) -> None:
        while True:
            # A line that goes over into the next could not be erased.
            self._stream.write(f"\r\x1b[K{line()[: self._columns - 1]}")
            self._stream.flush()
            await asyncio.sleep(_INTERVAL)
