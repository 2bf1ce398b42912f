"""What waits to be written to Redis."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

from tritonkit.client.stores.encoding import FOREVER, encode, encode_body
from tritonkit.client.stores.redis.clock import ServerClock
from tritonkit.client.stores.redis.link import Link
from tritonkit.client.stores.redis.servers import Command
from tritonkit.client.stores.store import Entry

__all__ = ["Writes"]

# Small enough to be written well within the time that a write has.
_BATCH_ENTRIES = 128
_BATCH_BYTES = 2**20
# Of a place in the queue, beside the body.
_OVERHEAD = 512
# Redis refuses an expiry that its clock cannot hold; this is as good as none.
_CENTURY = 100 * 365 * 86400.0


class _Pending(NamedTuple):
    name: bytes
    key: bytes
    body: bytes
    created: float
    lifetime: float | None

    @property
    def size(self) -> int:
        return len(self.body) + _OVERHEAD


class Writes:
    """
    A bounded queue, and the task that empties it.

    What is over the bound, or cannot be written, is dropped and counted: a
    cache may forget, and a request must not wait.

    Args:
        link: Where to write.
        max_pending: Bytes of entries that wait.
        compress: See `encode`.
        count: Takes a counter's name and how much to add.
    """

    def __init__(
        self, link: Link, max_pending: int, *, compress: bool, count: Callable[[str, int], None]
    ) -> None:
        self._link = link
        self._max_pending = max_pending
        self._compress = compress
        self._count = count
        self._queue: deque[_Pending] = deque()
        self._task: asyncio.Task[None] | None = None
        self.pending = 0

    def add(self, name: bytes, key: bytes, entry: Entry, lifetime: float | None) -> None:
        """Queue an entry for the Redis key *name*; from the link's event loop."""
        # At once, so that nobody can change it while it waits.
        body = encode_body(entry)
        if body is None or self.pending + len(body) + _OVERHEAD > self._max_pending:
            self._count("dropped", 1)
            return
        item = _Pending(name, key, body, entry.created, lifetime)
        self.pending += item.size
        self._queue.append(item)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def flushed(self, timeout: float) -> bool:
        """Wait until nothing is left to write; whether that was within *timeout* seconds."""
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=timeout)
        return self._task is None

    async def aclose(self) -> None:
        """Drop what is left."""
        self._count("dropped", len(self._queue))
        self._queue.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    async def _run(self) -> None:
        try:
            while self._queue:
                batch = self._take()
                try:
                    written = await self._write(batch)
                    self._count("written", written)
                except asyncio.CancelledError:
                    self._count("dropped", len(batch))
                    raise
                finally:
                    self.pending -= sum(item.size for item in batch)
        finally:
            self._task = None
            self.pending = sum(item.size for item in self._queue)

    def _take(self) -> list[_Pending]:
        batch: list[_Pending] = []
        size = 0
        while self._queue and len(batch) < _BATCH_ENTRIES and size < _BATCH_BYTES:
            batch.append(self._queue.popleft())
            size += batch[-1].size
        return batch

    async def _write(self, batch: list[_Pending]) -> int:
        names: list[bytes] = []
        commands: list[Command] = []
        late = 0
        for item in batch:
            clock = await self._link.clock(item.name)
            if clock is None:
                continue
            now = monotonic()
            if item.lifetime is not None and item.created + item.lifetime <= now:
                late += 1
                continue
            command = self._command(item, clock, now)
            if command is not None:
                names.append(item.name)
                commands.append(command)
        replies = await self._link.ask(names, commands, kind="write") if names else []
        written = sum(reply.answered for reply in replies)
        self._count("dropped", len(batch) - late - written)
        return written

    def _command(self, item: _Pending, clock: ServerClock, now: float) -> Command | None:
        lifetime = item.lifetime
        if lifetime is not None and lifetime > _CENTURY:
            lifetime = None
        data = encode(
            item.key,
            item.body,
            created=clock.stamp(item.created, now),
            lifetime=FOREVER if lifetime is None else int(lifetime * 1e6),
            compress=self._compress,
        )
        if data is None:
            return None
        if lifetime is None:
            return ("SET", item.name, data)
        left = item.created + lifetime - now
        return ("SET", item.name, data, "PX", max(1, int(left * 1000)))
