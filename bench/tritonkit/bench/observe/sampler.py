"""Something that is read again and again beside the load."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

__all__ = ["Sampler"]


class Sampler:
    """
    Calls a function once, then again and again, and a last time at the end.

    It has a thread of its own, since a driver or a file may be slow to answer and
    the event loop has a load to send. One call at a time.

    Args:
        sample: Called from that thread; must not raise.
        interval: Seconds from the end of a call to the next.
    """

    def __init__(self, sample: Callable[[], None], interval: float) -> None:
        self._sample = sample
        self._interval = interval
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    async def start(self) -> None:
        """Return when the first call has returned; one that runs ends before."""
        await self.stop()
        loop = asyncio.get_running_loop()
        begun = asyncio.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(
            target=self._run,
            args=(self._ended, lambda: loop.call_soon_threadsafe(begun.set)),
            name="observer",
            daemon=True,
        )
        self._thread.start()
        await begun.wait()

    async def stop(self) -> None:
        """Return when the last call has returned; again does nothing."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._ended.set()
            await asyncio.to_thread(thread.join)

    def _run(self, ended: threading.Event, begun: Callable[[], object]) -> None:
        self._sample()
        begun()
        while not ended.wait(self._interval):
            self._sample()
        self._sample()
