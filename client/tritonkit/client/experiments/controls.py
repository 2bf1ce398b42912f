"""What an experiment was told, as a process knows it: never older than it may be."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import monotonic

from tritonkit.client.experiments.control import Control
from tritonkit.client.experiments.log import EventLog
from tritonkit.errors import ServerUnavailable

__all__ = ["Controls"]

_log = logging.getLogger("tritonkit.client.experiments")


class Controls:
    """
    The last control of one experiment.

    Asked for anew in the background once it is half as old as it may be, so in steady
    traffic no request waits for it. Where the log does not answer, what was known last
    goes on to hold, and the log is asked again after a while.

    Args:
        log: Of the experiment.
        experiment: Its name.
        age: How old it may be, in seconds.
        budget: Seconds that a request waits for it, where none is known that is young enough.
        clock: Seconds that only grow, for tests.
    """

    def __init__(
        self,
        log: EventLog,
        experiment: str,
        *,
        age: float,
        budget: float,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._log = log
        self._experiment = experiment
        self._age = age
        self._budget = budget
        self._clock = clock
        self._asked = -float("inf")
        self._tasks: dict[asyncio.AbstractEventLoop, asyncio.Task[None]] = {}
        self.control = Control()
        """As it was known last."""

        self.unread = 0
        """How often the log did not say."""

    @property
    def fresh(self) -> bool:
        """Whether it is young enough, and no new question is due."""
        return self._clock() - self._asked < self._age / 2

    async def read(self) -> Control:
        """The control; waits for it only where what is known is too old."""
        age = self._clock() - self._asked
        if age >= self._age / 2:
            task = self._ask()
            if age >= self._age:
                await asyncio.wait((task,), timeout=self._budget)
        return self.control

    async def aclose(self) -> None:
        """Ask no more in this event loop."""
        task = self._tasks.pop(asyncio.get_running_loop(), None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _ask(self) -> asyncio.Task[None]:
        loop = asyncio.get_running_loop()
        task = self._tasks.get(loop)
        if task is None or task.done():
            for other in [other for other in list(self._tasks) if other.is_closed()]:
                self._tasks.pop(other, None)
            task = self._tasks[loop] = loop.create_task(self._read())
        return task

    async def _read(self) -> None:
        asked = self._clock()
        try:
            self.control = await self._log.control(self._experiment)
        except ServerUnavailable as error:
            self.unread += 1
            if self.unread == 1:
                _log.warning("experiment %r goes on unsteered: %s", self._experiment, error)
        # After a failure too: whoever asks next waits no more than once in a while.
        self._asked = asked
