"""A place for one request at a time, which tells the end by a callback."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from time import monotonic, perf_counter_ns
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tritonkit.bench.targets.target import Channel, Target

__all__ = ["ChannelSeat", "Ended", "Seat"]


class Seat(ABC):
    """
    What a load generator starts a request on.

    A callback costs no task and no turn of the event loop, where awaiting costs both.
    """

    sent_ns = 0
    """When the last request began to be sent, connecting with it, of `perf_counter_ns`."""

    at_ns = 0
    """When it was meant to be, from the start of the load; the load's to use, like `index`."""

    index = 0
    """Which item it sends."""

    @abstractmethod
    def start(self, payload: Any) -> None:
        """
        Send what `Target.prepare` made; the end is told later, never from within.

        The seat is free: its last request has ended.
        """

    @abstractmethod
    async def aclose(self) -> None:
        """Close now; nothing is told any more."""


Ended = Callable[[Seat, Any], None]
"""
Told of each request's end: its seat, and the answer or the exception it ended with.

May start the seat's next request.
"""


class ChannelSeat(Seat):
    """
    A seat over a channel: a task that lives as long as one request follows the other.

    Args:
        target: Makes the channel, with the first request.
        ended: Told of each end.
        timeout: Seconds after which a request fails.
    """

    def __init__(self, target: Target, ended: Ended, timeout: float) -> None:
        self._target = target
        self._ended = ended
        self._timeout = timeout
        self._channel: Channel | None = None
        self._next: list[Any] = []
        self._task: asyncio.Task[None] | None = None

    def start(self, payload: Any) -> None:
        """Send, at once where the task runs, else in the next turn of the event loop."""
        self._next.append(payload)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def aclose(self) -> None:
        """Cancel what is in flight."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
        if self._channel is not None:
            self._channel.close()

    async def _run(self) -> None:
        try:
            while self._next:
                answer = await self._send(self._next.pop())
                self._ended(self, answer)
        finally:
            self._task = None

    async def _send(self, payload: Any) -> Any:
        deadline = monotonic() + self._timeout
        self.sent_ns = perf_counter_ns()
        try:
            if self._channel is None:
                self._channel = await self._target.channel()
            return await self._channel.send(payload, deadline)
        except Exception as error:
            # What is no RequestError is a fault of the target, and ends the load.
            return error
