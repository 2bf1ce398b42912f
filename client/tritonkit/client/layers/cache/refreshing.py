"""Stale answers are computed anew while the old one is served."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic

from tritonkit.client.layers.cache.flights import Flight
from tritonkit.errors import TritonkitError

__all__ = ["Refreshing"]

_TIMEOUT = 60.0
"""Seconds for a refresh. Nobody waits for it, but it must end."""

_MOST_FAILED = 10_000


class Refreshing:
    """
    At most one refresh of a key at a time, and a few in all.

    What finds no place is not queued: the next reader of the stale entry brings
    it again. A refresh that failed is not tried again for *pause*; the old entry
    stays and grows no younger.

    Args:
        calls: Refreshing calls under way at most.
        pause: Seconds without another try after a failure.
    """

    def __init__(self, *, calls: int = 4, pause: float = 1.0) -> None:
        self._calls = calls
        self._pause = pause
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._keys: set[bytes] = set()
        self._failed: dict[bytes, float] = {}

    def wanted(self, keys: Sequence[bytes]) -> list[bytes]:
        """Those of *keys*, each once, for which a refresh may begin."""
        self._come_here()
        if len(self._tasks) >= self._calls:
            return []
        now = monotonic()
        return [
            key
            for key in dict.fromkeys(keys)
            if key not in self._keys and self._failed.get(key, 0.0) <= now
        ]

    def start(
        self,
        keys: Sequence[bytes],
        allowed: Callable[[Sequence[bytes]], Awaitable[list[bytes]]],
        lead: Callable[[Sequence[bytes]], Flight],
    ) -> None:
        """
        Refresh *keys*.

        Args:
            keys: Of stale entries, from `wanted` just now.
            allowed: Those of them that no other process refreshes.
            lead: Begins the call for some of them.
        """
        self._keys.update(keys)
        task = asyncio.create_task(self._refresh(keys, allowed, lead))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """End what is under way."""
        if self._loop is asyncio.get_running_loop():
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _refresh(
        self,
        keys: Sequence[bytes],
        allowed: Callable[[Sequence[bytes]], Awaitable[list[bytes]]],
        lead: Callable[[Sequence[bytes]], Flight],
    ) -> None:
        try:
            mine = await allowed(keys)
            if not mine:
                self._rest(keys)
                return
            flight = lead(mine)
            if not await flight.wait(monotonic() + _TIMEOUT):
                self._rest(keys)
                return
            flight.result()
            for key in keys:
                self._failed.pop(key, None)
        except TritonkitError:
            self._rest(keys)
        finally:
            self._keys.difference_update(keys)

    def _come_here(self) -> None:
        if self._loop is not asyncio.get_running_loop():
            self._loop = asyncio.get_running_loop()
            self._tasks, self._keys = set(), set()

    def _rest(self, keys: Sequence[bytes]) -> None:
        if len(self._failed) > _MOST_FAILED:
            self._failed.clear()
        self._failed.update(dict.fromkeys(keys, monotonic() + self._pause))
