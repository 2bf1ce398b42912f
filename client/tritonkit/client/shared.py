"""Work that several callers wait for and that belongs to none of them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from time import monotonic
from typing import Any, Generic, TypeVar

__all__ = ["Shared"]

T = TypeVar("T")


class Shared(Generic[T]):
    """
    A task that goes on while one caller waits for it, and is cancelled with the last.

    A caller that is cancelled, or whose deadline passes, takes nobody with it.

    Args:
        work: What to run, in the running event loop.
    """

    def __init__(self, work: Coroutine[Any, Any, T]) -> None:
        self.task: asyncio.Task[T] = asyncio.get_running_loop().create_task(work)
        self.waiters = 0
        # What nobody waited for to the end is nobody's error.
        self.task.add_done_callback(_retrieve)

    @property
    def open(self) -> bool:
        """Whether a caller may still join: there is no result yet, and somebody waits."""
        return not self.task.done() and not self.task.cancelling()

    def join(self) -> None:
        """Count as one who waits, until `leave`."""
        self.waiters += 1

    def leave(self) -> None:
        """Wait no longer; the last to leave takes the work along."""
        self.waiters -= 1
        if not self.waiters:
            self.task.cancel()

    async def wait(self, deadline: float | None = None) -> bool:
        """
        Wait for the work to end; then `result` has what came of it.

        Args:
            deadline: In seconds of `time.monotonic`; None waits as long as it takes.

        Returns:
            False if the deadline passed first; the work goes on for those who
            still wait.
        """
        self.join()
        try:
            return await self.ended(deadline)
        finally:
            self.leave()

    async def ended(self, deadline: float | None = None) -> bool:
        """
        The same for one who has joined, and leaves by himself.

        What `asyncio.wait` does for many, at a fraction of its cost.
        """
        loop = asyncio.get_running_loop()
        waker = loop.create_future()

        def wake(_: object = None) -> None:
            if not waker.done():
                waker.set_result(None)

        self.task.add_done_callback(wake)
        timer = None
        if deadline is not None:
            timer = loop.call_later(max(0.0, deadline - monotonic()), wake)
        try:
            await waker
        finally:
            self.task.remove_done_callback(wake)
            if timer is not None:
                timer.cancel()
        return self.task.done()

    def result(self) -> T:
        """What the work returned; raises what it raised."""
        return self.task.result()


def _retrieve(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()
