"""Time as an event loop is served it: what a wait is judged by on a machine with much to do."""

from __future__ import annotations

import asyncio
import contextlib

BEAT = 0.005
"""Seconds."""


class Served:
    """
    A clock that a busy machine stops, for as long as the running loop is not served.

    It advances by one BEAT each time that the loop wakes a sleeper of BEAT seconds,
    however late. So whoever waits for something that does not come sees it advance as
    other clocks do. A loop that gets no processor, or is kept busy, wakes nobody: what
    needs a few of its turns takes as few beats at most, however long they last.
    """

    def __init__(self) -> None:
        self.beats = 0
        self._heart: asyncio.Task[None] | None = None

    def __call__(self) -> float:
        """Seconds since it began."""
        return self.beats * BEAT

    async def __aenter__(self) -> Served:
        self._heart = asyncio.get_running_loop().create_task(self._beat())
        return self

    async def __aexit__(self, *exception: object) -> None:
        assert self._heart is not None
        self._heart.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._heart

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT)
            self.beats += 1
