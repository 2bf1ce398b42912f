"""What goes on in the background while endpoints are suspect or out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any

__all__ = ["Watch"]


class Watch:
    """
    Looks at the state every now and then, for as long as there is something to watch.

    It belongs to an event loop and stops with the last thing to watch, or by `stop`.

    Args:
        look: Called at each turn with the watch; starts work by `spawn`; whether to go on.
        period: Seconds between two turns.
    """

    def __init__(self, look: Callable[[Watch], bool], period: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._look, self._period = look, period
        self._timer: asyncio.TimerHandle | None = None
        self._works: dict[Hashable, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Watch from now on; again does nothing."""
        if self._timer is None:
            self._timer = self._loop.call_later(self._period, self._turn)

    def spawn(
        self, key: Hashable, work: Callable[[], Coroutine[Any, Any, None]]
    ) -> asyncio.Task[None]:
        """Begin a work in the background, unless the one of this key is not done yet."""
        task = self._works.get(key)
        if task is None:
            task = self._works[key] = self._loop.create_task(work())
            task.add_done_callback(lambda _: self._works.pop(key, None))
        return task

    async def stop(self) -> None:
        """End the watch and what it began."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        works = list(self._works.values())
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)

    def _turn(self) -> None:
        self._timer = None
        if self._look(self) or self._works:
            self.start()
