"""Calls that go on when their caller has been answered."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from tritonkit.client.types import InferResponse

__all__ = ["Background"]

Call = asyncio.Task[InferResponse]


class Background:
    """
    A limited number of calls, in each event loop, none of which outlives `aclose`.

    Args:
        most: Calls at a time.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._closed = False
        self._calls: dict[asyncio.AbstractEventLoop, set[Call]] = {}

    @property
    def full(self) -> bool:
        """Whether there is no place for another call in this event loop."""
        calls = self._calls.get(asyncio.get_running_loop(), ())
        return self._closed or len(calls) >= self.most

    def start(self, work: Coroutine[Any, Any, InferResponse]) -> Call:
        """Begin a call, where it is not full; who asks for its result may, nobody must."""
        loop = asyncio.get_running_loop()
        calls = self._calls.get(loop)
        if calls is None:
            # What a closed loop, or the parent of a fork, began ends there.
            for other in [other for other in self._calls if other.is_closed()]:
                del self._calls[other]
            calls = self._calls[loop] = set()
        call = asyncio.ensure_future(work)
        calls.add(call)
        call.add_done_callback(calls.discard)
        call.add_done_callback(retrieve)
        return call

    async def aclose(self) -> None:
        """Cancel every call, and wait for those of this event loop to end."""
        self._closed = True
        here = asyncio.get_running_loop()
        for loop, calls in self._calls.items():
            for call in tuple(calls):
                if loop is here:
                    call.cancel()
                elif not loop.is_closed():
                    loop.call_soon_threadsafe(call.cancel)
        await asyncio.gather(*self._calls.get(here, ()), return_exceptions=True)


def retrieve(call: asyncio.Future[Any]) -> None:
    """What nobody waits for is nobody's error."""
    if not call.cancelled():
        call.exception()
