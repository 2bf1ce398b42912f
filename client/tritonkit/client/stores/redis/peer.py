"""One node of Redis: whether to ask it, and what time it is there."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from time import monotonic
from typing import Any, Literal, TypeAlias

from tritonkit.client.stores.redis.breaker import Attempt, Breaker
from tritonkit.client.stores.redis.clock import ServerClock

__all__ = ["GRACE_TURNS", "Kind", "Peer"]

Kind: TypeAlias = Literal["request", "write", "command"]
"""
Who asks: a request, which the breaker may refuse and learns from; a write behind
a request's back, from which it learns of failures only; or a person, who wants
to know and is never refused.
"""

GRACE_TURNS = 4
"""
Turns of the event loop from the end of the budget until it counts.

A loop that was kept busy learns at once that time is up and that bytes have
come; what has come is taken first.
"""

_log = logging.getLogger("tritonkit.client.redis")


class Peer:
    """
    A node with its breaker and its clock. It belongs to one event loop.

    Args:
        title: What to call it in the log.
        count: Takes a counter's name and how much to add.
    """

    def __init__(self, title: str, count: Callable[[str, int], None]) -> None:
        self.clock = ServerClock()
        self._breaker = Breaker()
        self._in_time = -math.inf
        self._title = title
        self._count = count

    @property
    def closed(self) -> bool:
        """Whether it answered lately, or was not asked."""
        return self._breaker.state == "closed"

    def begin(self, kind: Kind, seconds: float) -> Attempt | None:
        """
        A permit to ask, or None.

        After *seconds* it counts as a failure, whether or not somebody still waits;
        unless another was answered in time since this one began.
        """
        if kind == "command" or (kind == "write" and not self.closed):
            return None
        attempt = self._breaker.begin()
        if attempt is not None:
            loop = asyncio.get_running_loop()
            began = monotonic()
            loop.call_later(max(0.0, seconds), self._late, attempt, GRACE_TURNS, seconds, began)
        return attempt

    def answered(self, attempt: Attempt | None, kind: Kind) -> None:
        """It answered."""
        if attempt is None:
            return
        if not attempt.over:
            self._in_time = monotonic()
        if kind == "write":
            # A write may take long: that it succeeded says nothing for a request.
            self._breaker.forget(attempt)
        else:
            self._breaker.succeed(attempt)

    def failed(self, attempt: Attempt | None, error: Exception) -> None:
        """It cannot be reached, or talks nonsense; what listens there next may be another."""
        self.clock.doubt()
        if attempt is None or not attempt.over:
            self._count("errors", 1)
        if attempt is not None and self._breaker.fail(attempt):
            self._warn(f"{type(error).__name__}: {error}")

    def forget(self, attempt: Attempt | None) -> None:
        """Whoever asked has left altogether."""
        if attempt is not None:
            self._breaker.forget(attempt)

    def learn(self, reply: Any, *, asked: float, answered: float) -> None:
        """
        Take note of a reply to TIME.

        Raises:
            Exception: The reply, if it is an error.
            ValueError: If it is no time.
        """
        if isinstance(reply, Exception):
            raise reply
        seconds, microseconds = reply
        if not isinstance(seconds, int) or not isinstance(microseconds, int):
            raise ValueError(f"no time: {reply!r}")
        self.clock.learn(seconds + microseconds / 1e6, asked=asked, answered=answered)

    def _late(self, attempt: Attempt, turns: int, seconds: float, began: float) -> None:
        if attempt.over:
            return
        if turns:
            loop = asyncio.get_running_loop()
            loop.call_soon(self._late, attempt, turns - 1, seconds, began)
            return
        if self._in_time >= began:
            # It answers: a crowd in this process takes longer than one request may.
            self._breaker.forget(attempt)
            return
        self.clock.doubt()
        if self._breaker.fail(attempt):
            self._warn(f"nothing within {1000 * seconds:.0f} ms")

    def _warn(self, reason: str) -> None:
        _log.warning(
            "%s does not answer (%s): what it keeps is missed until it does", self._title, reason
        )
