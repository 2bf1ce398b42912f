"""Work that nobody waits for, in each event loop: so much at a time, the rest in a queue."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any

from tritonkit.client.layers.shadow.copies import Copy, Room
from tritonkit.client.types import Service

__all__ = ["Here", "Running"]

Work = Callable[["Here", Copy, Service], Coroutine[Any, Any, None]]


class Here:
    """
    Copies of one event loop.

    Args:
        loop: Where they are sent.
        room: How many there may be.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, room: Room) -> None:
        self.loop, self.room = loop, room
        self.waiting: deque[tuple[Copy, Service]] = deque()
        self.tasks: set[asyncio.Task[None]] = set()


class Running:
    """
    So many pieces of work at a time in each event loop; no task waits for work.

    Args:
        work: What is done with a copy. It gives its place back and raises nothing.
        concurrency: At a time.
        room: Makes the room of an event loop.
    """

    def __init__(self, work: Work, concurrency: int, room: Callable[[], Room]) -> None:
        self._latest: Here | None = None
        self._work, self._concurrency, self._room = work, concurrency, room
        self._loops: dict[asyncio.AbstractEventLoop, Here] = {}
        self._pid = os.getpid()

    @property
    def latest(self) -> Here | None:
        """Of the event loop that asked last, if it is one of this process and open."""
        found = self._latest
        if found is None or found.loop.is_closed() or self._pid != os.getpid():
            return None
        return found

    def here(self) -> Here:
        """Of the running event loop."""
        if self._pid != os.getpid():
            # The parent's loops go on there.
            self._loops, self._pid = {}, os.getpid()
        loop = asyncio.get_running_loop()
        found = self._loops.get(loop)
        if found is None:
            for other in [other for other in self._loops if other.is_closed()]:
                self._loops.pop(other, None)
            found = self._loops[loop] = Here(loop, self._room())
        self._latest = found
        return found

    def start(self, here: Here, copy: Copy, inner: Service) -> None:
        """In its event loop: begin with a copy as soon as it is its turn."""
        here.waiting.append((copy, inner))
        self._next(here)

    async def aclose(self, seconds: float) -> list[tuple[Here, Copy]]:
        """
        Go on for so long with what there is in this event loop, then cancel it.

        Returns:
            Copies with which nothing was begun.
        """
        here = self.here()
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while here.tasks and (left := end - loop.time()) > 0:
            await asyncio.wait(here.tasks, timeout=left)
            # Whoever is done makes room for the next one in a callback.
            await asyncio.sleep(0)
        dropped: list[tuple[Here, Copy]] = []
        for each in tuple(self._loops.values()):
            dropped += [(each, copy) for copy, _ in each.waiting]
            each.waiting.clear()
            for task in tuple(each.tasks):
                if each is here:
                    task.cancel()
                elif not each.loop.is_closed():
                    each.loop.call_soon_threadsafe(task.cancel)
        await asyncio.gather(*here.tasks, return_exceptions=True)
        return dropped

    def _next(self, here: Here) -> None:
        while here.waiting and len(here.tasks) < self._concurrency:
            work = self._work(here, *here.waiting.popleft())
            # Of what layers above say about the caller's request nothing is true of this one.
            task = here.loop.create_task(work, context=Context())
            here.tasks.add(task)
            task.add_done_callback(lambda done: self._done(here, done))

    def _done(self, here: Here, task: asyncio.Task[None]) -> None:
        here.tasks.discard(task)
        if not here.loop.is_closed():
            self._next(here)
