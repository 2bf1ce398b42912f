"""Who computes the weights of a bandit, and when."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from time import monotonic

from tritonkit.client.experiments.events import new_answer_id, wall_clock
from tritonkit.client.experiments.log import EventLog
from tritonkit.client.forks import fork_safe_lock
from tritonkit.client.layers.split.assignment import hash64
from tritonkit.client.layers.split.thompson import Thompson
from tritonkit.errors import ServerUnavailable

__all__ = ["Allocator"]

PATIENCE = 3
"""Times `every` after which another process goes on."""

READ = 1_000
"""Events that are read at a time: the event loop is held for a millisecond or two."""

_log = logging.getLogger("tritonkit.client.experiments")


class Allocator:
    """
    Computes weights in a task of its own, and writes them into the experiment's control.

    Of all processes the one that has a lease of the log does; the others ask for it from
    time to time. A control that was written meanwhile, such as a stop, is never undone.

    Args:
        thompson: The bandit.
        log: Of the experiment.
        experiment: Its name.
        version: Of the experiment.
        weights: Of the arms, to begin with.
        clock: Seconds that only grow, for tests.
    """

    def __init__(
        self,
        thompson: Thompson,
        log: EventLog,
        experiment: str,
        version: str,
        weights: Mapping[str, float],
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._thompson = thompson
        self._log = log
        self._experiment = experiment
        self._version = version
        self._weights = dict(weights)
        self._clock = clock
        self._pulls = thompson.pulls(experiment, version, weights)
        self._cursor = ""
        self._owner = ""
        self._due = -float("inf")
        self._changing = fork_safe_lock()
        self._task: asyncio.Task[None] | None = None
        self._pid = os.getpid()
        self.counts: Counter[str] = Counter()
        """allocations: weights that this process wrote. unread: looks at a log that was away."""

    def poke(self) -> None:
        """Compute weights in the background, if it is time. Never waits."""
        now = self._clock()
        if now < self._due:
            return
        with self._changing:
            if now < self._due or self._busy():
                return
            self._due = now + self._thompson.every
            if not self._owner or self._pid != os.getpid():
                self._owner, self._pid = new_answer_id(), os.getpid()
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def aclose(self) -> None:
        """Compute no more in this event loop."""
        task = self._task
        if task is not None and task.get_loop() is asyncio.get_running_loop():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _busy(self) -> bool:
        task = self._task
        # That of a parent, or of a loop that is gone, will never be done.
        if task is None or task.done() or self._pid != os.getpid():
            return False
        return not task.get_loop().is_closed()

    async def _run(self) -> None:
        try:
            await self._allocate()
        except ServerUnavailable as error:
            self.counts["unread"] += 1
            if self.counts["unread"] == 1:
                _log.warning("bandit %r keeps its weights: %s", self._experiment, error)

    async def _allocate(self) -> None:
        every = self._thompson.every
        if not await self._log.lease(f"bandit:{self._experiment}", self._owner, PATIENCE * every):
            return
        control = await self._log.control(self._experiment)
        if control.state != "running" or not await self._read_on():
            return
        seed = hash64("thompson", self._version, self._cursor)
        weights = await asyncio.to_thread(self._thompson.weights, self._pulls, self._weights, seed)
        new = replace(
            control,
            weights=weights,
            reason=f"bandit: Thompson sampling by {self._thompson.outcome}"[:1000],
            at=wall_clock(),
        )
        if await self._log.steer(self._experiment, new, replacing=control):
            self.counts["allocations"] += 1

    async def _read_on(self) -> bool:
        """Read what is new; whether that is all of it: a long log is read in several goes."""
        began, end = wall_clock(), self._clock() + self._thompson.every
        while True:
            page = await self._log.read(self._experiment, after=self._cursor, limit=READ)
            self._pulls.add(page.events)
            self._cursor = page.cursor
            if not page.events or self._pulls.time >= began:
                return True
            if self._clock() >= end:
                return False
