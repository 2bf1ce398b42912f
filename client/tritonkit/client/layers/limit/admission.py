"""Who gets in, who waits, who is turned away: bookkeeping without a clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Generic, TypeVar, get_args

from tritonkit.client.types import Priority

__all__ = ["PRIORITIES", "Admission"]

T = TypeVar("T")

PRIORITIES: tuple[Priority, ...] = get_args(Priority)
"""The most important first."""

_RANKS = {priority: rank for rank, priority in enumerate(PRIORITIES)}


class Admission(Generic[T]):
    """
    Places in front of a server, by priority.

    Requests of a priority and of those below it hold at most the priority's share
    of the places together; so what is above always finds the rest. Free
    places go to the highest priority that waits and may have one, and within
    a priority to who came first. Where too many wait, the newest of the lowest
    priority is turned away.

    As long as anybody waits who may have a place, there is none: call `admit` when
    the limit grows, and after `leave`.

    Args:
        queue: How many may wait, of all priorities together.
        shares: Of the limit, by priority: 0 lets none in, anything above at least
            one. 1 for those left out.
    """

    def __init__(self, *, queue: int, shares: Mapping[Priority, float]) -> None:
        self.queue = queue
        self._shares = tuple(shares.get(priority, 1.0) for priority in PRIORITIES)
        self._held = [0] * len(PRIORITIES)
        self._waiting: tuple[deque[T], ...] = tuple(deque() for _ in PRIORITIES)
        self.in_flight = 0
        """Places that are held."""
        self.waiting = 0
        """How many wait for one."""

    def enter(self, priority: Priority, limit: int) -> bool:
        """Take a place, if there is one for this priority and nobody waits for it."""
        rank = _RANKS[priority]
        if self.waiting and any(self._waiting[: rank + 1]):
            return False
        if not self._free(rank, limit):
            return False
        self._hold(rank)
        return True

    def wait(
        self,
        item: T,
        priority: Priority,
        limit: int,
        *,
        now: float,
        deadline: float | None = None,
        latency: float | None = None,
    ) -> T | None:
        """
        Let *item* wait for the place that it did not get.

        Args:
            item: What `admit` gives back.
            priority: Whose place it needs.
            limit: Requests that may be in flight now.
            now: In seconds of the deadlines' clock.
            deadline: When its answer is too late.
            latency: Seconds that an answer takes at least; None where nobody knows.

        Returns:
            Who is turned away for it: *item* itself, another who waited, or
            nobody.
        """
        rank = _RANKS[priority]
        if not self._shares[rank]:
            return item
        ahead = sum(map(len, self._waiting[: rank + 1]))
        if _hopeless(ahead, limit, now, deadline, latency):
            return item
        victim: T | None = None
        if self.waiting >= self.queue:
            below = next((line for line in reversed(self._waiting[rank + 1 :]) if line), None)
            if below is None:
                return item
            victim = below.pop()
            self.waiting -= 1
        self._waiting[rank].append(item)
        self.waiting += 1
        return victim

    def withdraw(self, item: T, priority: Priority) -> None:
        """Forget *item*, if it waits."""
        line = self._waiting[_RANKS[priority]]
        if item in line:
            line.remove(item)
            self.waiting -= 1

    def leave(self, priority: Priority) -> None:
        """Give a place back."""
        self._held[_RANKS[priority]] -= 1
        self.in_flight -= 1

    def admit(self, limit: int) -> list[T]:
        """Those who waited and have a place from now on."""
        admitted: list[T] = []
        for rank, line in enumerate(self._waiting):
            while line and self._free(rank, limit):
                admitted.append(line.popleft())
                self.waiting -= 1
                self._hold(rank)
        return admitted

    def _hold(self, rank: int) -> None:
        self._held[rank] += 1
        self.in_flight += 1

    def _free(self, rank: int, limit: int) -> bool:
        """Whether one more of this rank keeps every share down to it."""
        held = self.in_flight
        for above in range(rank + 1):
            if held >= _places(self._shares[above], limit):
                return False
            held -= self._held[above]
        return True


def _places(share: float, limit: int) -> int:
    # 0.07 * 100 is a little more than 7, 0.29 * 100 a little less than 29.
    return max(1, int(share * limit + 1e-9)) if share else 0


def _hopeless(
    ahead: int, limit: int, now: float, deadline: float | None, latency: float | None
) -> bool:
    """Whether the deadline passes even if every answer takes as little as it ever does."""
    if deadline is None:
        return False
    if latency is None:
        return deadline <= now
    # A full limit goes at a time: so many rounds, and its own.
    return deadline < now + latency * (ahead // max(1, limit) + 1)
