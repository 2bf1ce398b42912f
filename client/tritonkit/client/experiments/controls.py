"""What an experiment was told, as a process knows it: never older than it may be."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

from tritonkit.client.experiments.control import Control
from tritonkit.client.experiments.log import EventLog
from tritonkit.errors import ServerUnavailable

__all__ = ["Controls"]

_log = logging.getLogger("tritonkit.client.experiments")


class _Question(NamedTuple):
    task: asyncio.Task[None]
    asked: float


class Controls:
    """
    The last control of one experiment.

    Asked for anew in the background once it is half as old as it may be, so in steady
    traffic no request waits for it. Where the log does not answer, what was known last
    goes on to hold, and the log is asked again after a while. All who wait for one
    answer wait until the same moment: a silent log delays no more requests than that.

    Args:
        log: Of the experiment.
        experiment: Its name.
        age: How old it may be, in seconds.
        budget: Seconds from the question on that requests wait for it, where none is known
            that is young enough.
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
        self._questions: dict[asyncio.AbstractEventLoop, _Question] = {}
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
            task, asked = self._ask()
            left = self._budget - (self._clock() - asked)
            if age >= self._age and left > 0:
                await asyncio.wait((task,), timeout=left)
        return self.control

    async def aclose(self) -> None:
        """Ask no more in this event loop."""
        question = self._questions.pop(asyncio.get_running_loop(), None)
        if question is not None:
            question.task.cancel()
            await asyncio.gather(question.task, return_exceptions=True)

    def _ask(self) -> _Question:
        loop = asyncio.get_running_loop()
        question = self._questions.get(loop)
        if question is None or question.task.done():
            for other in [other for other in list(self._questions) if other.is_closed()]:
                self._questions.pop(other, None)
            question = _Question(loop.create_task(self._read()), self._clock())
            self._questions[loop] = question
        return question

    async def _read(self) -> None:
        asked = self._clock()
        try:
            self.control = await self._log.control(self._experiment)
        except ServerUnavailable as error:
            self.unread += 1
            if self.unread == 1:
                _log.warning("experiment %r goes on unsteered: %s", self._experiment, error)
            # From now on: it may have taken longer than an answer may be old, and nobody is
            # to wait for one outage more than once in a while.
            asked = self._clock()
        self._asked = asked
