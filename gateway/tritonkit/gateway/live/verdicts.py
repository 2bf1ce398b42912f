"""What experiments have shown so far, looked at now and then."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import monotonic

from tritonkit.client.experiments.analysis import report_of
from tritonkit.client.experiments.log import EventLog
from tritonkit.client.experiments.question import Question
from tritonkit.errors import ConfigError, RequestError

__all__ = ["Verdicts"]

_log = logging.getLogger(__name__)

EVERY = 30.0
"""Seconds between two looks, at least."""

_SHARE = 20
"""A look at many events takes seconds: there are so many times as long between two."""


class Verdicts:
    """
    Looks in a thread with an event loop of its own, and never twice at once.

    Args:
        log: Of the experiments; None where nothing is kept.
        clock: Seconds that only grow.
    """

    def __init__(self, log: EventLog | None, *, clock: Callable[[], float] = monotonic) -> None:
        self._log, self._clock = log, clock
        self._next = float("-inf")
        self._looking: asyncio.Task[None] | None = None
        self.found: dict[str, str] = {}
        """By experiment, in one line."""

    def look(self) -> None:
        """Begin a look, if it is time for one; `found` tells what came of it, later."""
        if self._log is None or self._clock() < self._next:
            return
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look(self._log))

    async def aclose(self) -> None:
        """Wait for the one that is under way; nothing ends a thread."""
        if self._looking is not None:
            await asyncio.wait({self._looking})

    async def _look(self, log: EventLog) -> None:
        began = self._clock()
        try:
            self.found = await asyncio.to_thread(lambda: asyncio.run(_verdicts(log)))
        except Exception as error:  # whatever a log holds, the page shows the rest
            _log.warning("the experiments were not looked at: %s", error)
        finally:
            now = self._clock()
            self._next = now + max(EVERY, _SHARE * (now - began))


async def _verdicts(log: EventLog) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in await log.experiments():
        try:
            found[name] = (await report_of(log, name, Question())).verdict
        except (ConfigError, RequestError) as error:
            found[name] = f"cannot be told: {error}"
    return found
