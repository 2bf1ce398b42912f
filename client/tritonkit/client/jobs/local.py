"""Jobs of this process alone."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import NamedTuple

from tritonkit.client.jobs.board import Board
from tritonkit.client.jobs.seen import Seen
from tritonkit.units import format_size, parse_duration, parse_size

__all__ = ["LocalJobs"]


class _Post(NamedTuple):
    data: bytes
    # Of what is still worked on there is no end.
    until: float | None


class LocalJobs(Board):
    """
    Results wait in this process: what a client does that was given no other board.

    What has waited longest makes room where the size is exceeded. The child of a
    fork has what was done by then, and nothing of what its parent is at work on.

    Args:
        ttl: How long a result waits to be fetched. An hour: more than any caller
            is away, without keeping what nobody fetches.
        size: Of all results together.
        clock: Seconds that only grow, for tests.

    Raises:
        ConfigError: If an argument is wrong.
    """

    def __init__(
        self,
        *,
        ttl: str | float | timedelta = "1h",
        size: str | int = "64MB",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ttl = parse_duration(ttl, name="ttl")
        self.size = parse_size(size)
        self._clock = clock
        self._lock, self._pid = threading.Lock(), os.getpid()
        self._posts: dict[str, _Post] = {}
        self._bytes = 0

    def __repr__(self) -> str:
        return f"LocalJobs(ttl={self.ttl:g}, size={format_size(self.size)!r})"

    async def announce(self, id: str, data: bytes) -> None:
        """Write down that somebody begins to work on it."""
        with self._guard():
            self._put(id, _Post(data, None))

    async def beat(self, jobs: Sequence[tuple[str, bytes]]) -> None:
        """Nothing: whoever could ask would be gone as well."""

    async def finish(self, id: str, data: bytes) -> None:
        """Write down how it ended."""
        with self._guard():
            now = self._clock()
            self._put(id, _Post(data, now + self.ttl))
            # In the order in which they ended, so the first are the next to go.
            for other, post in list(self._posts.items()):
                if post.until is None:
                    continue
                if post.until > now and self._bytes <= self.size:
                    break
                self._drop(other)

    async def see(self, id: str) -> Seen:
        """What is known of it."""
        with self._guard():
            post = self._posts.get(id)
            if post is None or (post.until is not None and post.until <= self._clock()):
                return Seen(None, alive=False)
            return Seen(post.data, alive=post.until is None)

    def _guard(self) -> threading.Lock:
        if self._pid != os.getpid():
            # A thread of the parent may have held it.
            self._lock, self._pid = threading.Lock(), os.getpid()
            self._posts = {id: post for id, post in self._posts.items() if post.until is not None}
            self._bytes = sum(len(post.data) for post in self._posts.values())
        return self._lock

    def _put(self, id: str, post: _Post) -> None:
        self._drop(id)
        self._posts[id] = post
        self._bytes += len(post.data)

    def _drop(self, id: str) -> None:
        post = self._posts.pop(id, None)
        if post is not None:
            self._bytes -= len(post.data)
