"""A log over a connection that blocks: what SQLite and Redis have in common."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar

from tritonkit.client.experiments.backend import Backend
from tritonkit.client.experiments.control import Control
from tritonkit.client.experiments.events import Answer, Exposure, Outcome
from tritonkit.client.experiments.log import PAGE, EventLog, Loss, Page
from tritonkit.client.experiments.writer import Acknowledged, Writer
from tritonkit.errors import ConfigError, ServerUnavailable
from tritonkit.units import format_duration, parse_duration

__all__ = ["BatchingLog"]

T = TypeVar("T")

CLOSING = 5.0
"""Seconds that closing waits for what is not yet written."""

LEAVING = 1.0
"""The same for a log that nobody closed, at the end of the process."""

_forked_off: list[object] = []
"""What belongs to a parent: a child must not even free it."""


class BatchingLog(EventLog):
    """
    Writes in a thread of its own, and reads in another.

    A child of a fork begins with nothing to write: what waits is its parent's.

    Args:
        budget: The most that a request waits for its exposure to be written.
        room: The most exposures that wait to be written, and the most other events.
        max_age: How old an event becomes.

    Raises:
        ConfigError: If an argument is wrong.
    """

    def __init__(
        self,
        *,
        budget: str | float | timedelta,
        room: int,
        max_age: str | float | timedelta | None,
    ) -> None:
        self.budget = parse_duration(budget, name="budget")
        if isinstance(room, bool) or not isinstance(room, int) or room < 1:
            raise ConfigError(f"room must be at least 1, but got {room=}.")
        self.room = room
        self.max_age = None if max_age is None else parse_duration(max_age, name="max_age")
        if self.max_age is not None and self.max_age < 1:
            raise ConfigError(f"max_age must be 1s or more, but got {max_age!r}.")
        self._start()

    @abstractmethod
    def _backend(self) -> Callable[[], Backend]:
        """What makes a connection; it must not hold the log itself."""

    async def expose(self, exposure: Exposure) -> bool:
        """Keep that a unit meets an arm, before it does."""
        writer = self._own().writer
        # Whoever cannot write now will not be able to within the budget.
        waiting = None if writer.failing or not self.budget else Acknowledged()
        if not writer.put(exposure, waiting):
            return True
        if waiting is not None:
            await asyncio.wait((waiting.future,), timeout=self.budget)
            if waiting.future.done():
                return waiting.future.result()
        writer.counts["late"] += 1
        return True

    def add(self, events: Sequence[Answer | Outcome]) -> None:
        """Keep them, before long."""
        writer = self._own().writer
        for event in events:
            writer.put(event)

    async def flush(self) -> None:
        """Wait until all that was given to this log so far is written."""
        writer = self._own().writer
        waiting = Acknowledged()
        writer.barrier(waiting)
        await asyncio.wait((waiting.future,), timeout=CLOSING)
        if not waiting.future.done():
            raise ServerUnavailable(f"{self!r} is not written to: {writer.failing or 'no answer'}")

    async def read(self, experiment: str, *, after: str = "", limit: int = PAGE) -> Page:
        """Some of the events of an experiment, and where to go on."""
        if limit < 1:
            raise ConfigError(f"limit must be at least 1, but got {limit=}.")
        return await self._ask(lambda backend: backend.read(experiment, after, limit))

    async def experiments(self) -> list[str]:
        """Names of the experiments that have events or were told something, in order."""
        return await self._ask(lambda backend: backend.experiments())

    async def losses(self) -> Mapping[Loss, int]:
        """Events that were lost for want of room, by what they were; of all processes."""
        return await self._ask(lambda backend: backend.losses())

    async def control(self, experiment: str) -> Control:
        """What was said last about an experiment."""
        return await self._ask(lambda backend: backend.control(experiment))

    async def steer(
        self, experiment: str, control: Control, *, replacing: Control | None = None
    ) -> bool:
        """Say something about an experiment."""
        return await self._ask(lambda backend: backend.steer(experiment, control, replacing))

    async def describe(self, experiment: str, version: str, weights: Mapping[str, float]) -> None:
        """Say what a version of an experiment is; what was said first stays."""
        await self._ask(lambda backend: backend.describe(experiment, version, weights))

    async def weights(self, experiment: str) -> Mapping[str, Mapping[str, float]]:
        """The weights of the arms by version, the control first."""
        return await self._ask(lambda backend: backend.weights(experiment))

    async def lease(self, name: str, owner: str, seconds: float) -> bool:
        """Whether *owner* has *name* for so many seconds from now on."""
        return await self._ask(lambda backend: backend.lease(name, owner, seconds))

    @property
    def counters(self) -> Mapping[str, int]:
        """What this process knows of its own writing."""
        counts = self._own().writer.counts
        return {name: counts[name] for name in ("written", "late", "lost", "failures")}

    async def aclose(self) -> None:
        """Write what waits, for 5 seconds, and disconnect."""
        if self._pid != os.getpid():
            return
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self.writer.stop(CLOSING)
        with self._reading:
            self._reader.close()

    async def _ask(self, question: Callable[[Backend], T]) -> T:
        own = self._own()

        def ask() -> T:
            with own._reading:
                return question(own._reader)

        # One at a time in any case; the event loop's threads are few, and others need them.
        return await asyncio.get_running_loop().run_in_executor(own._asking, ask)

    def _own(self) -> BatchingLog:
        """This log, with a thread and connections of this process."""
        if self._pid != os.getpid():
            self._finish.detach()
            _forked_off.append((self.writer, self._reader, self._reading, self._asking))
            self._start()
        return self

    def _start(self) -> None:
        self._pid = os.getpid()
        backend = self._backend()
        self.writer = Writer(backend, room=self.room, max_age=self.max_age)
        self._reader, self._reading = backend(), threading.Lock()
        self._asking = ThreadPoolExecutor(1, "tritonkit-experiments-reader")
        self._finish = weakref.finalize(self, self.writer.stop, LEAVING)

    def _options(self) -> str:
        """Those that are written in every repr."""
        age = "None" if self.max_age is None else repr(format_duration(self.max_age))
        return f"max_age={age}"
