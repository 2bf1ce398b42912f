"""Looks at the guards of an experiment beside the path, and stops it where an arm harms."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import replace

from tritonkit.client.experiments.events import wall_clock
from tritonkit.client.experiments.guard import Guard, Harm
from tritonkit.client.experiments.guarded import Guarded
from tritonkit.client.experiments.log import EventLog
from tritonkit.errors import ServerUnavailable

__all__ = ["Guarding", "stop_if_harmful"]

LEASE = 3.0
"""Intervals after which another process takes the place of one that looks no more."""

_log = logging.getLogger("tritonkit.client.experiments")


async def stop_if_harmful(
    log: EventLog, experiment: str, guarded: Guarded, after: str
) -> tuple[str, Harm | None]:
    """
    Read what is new of an experiment that runs; stop it where an arm harms.

    Returns:
        Where to go on, and the harm.

    Raises:
        ServerUnavailable: If the log cannot be read or written.
    """
    control = await log.control(experiment)
    if control.state != "running":
        return after, None
    while True:
        page = await log.read(experiment, after=after)
        if not page.events:
            break
        guarded.add(page.events)
        after = page.cursor
    harm = guarded.harm()
    if harm is not None:
        stopped = replace(control, state="stopped", arm="", reason=harm.reason, at=wall_clock())
        if not await log.steer(experiment, stopped, replacing=control):
            # Somebody said something meanwhile; the next look sees what.
            return after, None
    return after, harm


class Guarding:
    """
    One task of a process, which begins with the first request that is recorded.

    Of all processes that share the log one at a time looks; the others wait for it to
    end. While the log does not answer nothing is stopped.

    Args:
        log: Of the experiment.
        experiment: Its name.
        guards: What to look at.
        interval: Seconds between two looks.
        plan: The version that runs now, and its arms, the control first.
        on_harm: Told of what is found, in the event loop of the task.
        owner: Names this process among those that share the log; drawn when it begins.
    """

    def __init__(
        self,
        log: EventLog,
        experiment: str,
        guards: Sequence[Guard],
        *,
        interval: float,
        plan: Callable[[], tuple[str, Sequence[str]]],
        on_harm: Callable[[Harm], None] | None,
        owner: str = "",
    ) -> None:
        self._log, self._experiment, self._guards = log, experiment, guards
        self._interval, self._plan, self._on_harm = interval, plan, on_harm
        self._task: asyncio.Task[None] | None = None
        self._pid = 0
        self._owner = owner
        self._guarded: Guarded | None = None
        self._after = ""
        self._silent = False

    def begin(self) -> None:
        """Look from now on, if nobody in this process does."""
        task = self._task
        if (
            task is not None
            and self._pid == os.getpid()
            and not task.done()
            and not task.get_loop().is_closed()
        ):
            return
        self._pid, self._owner, self._guarded = os.getpid(), os.urandom(8).hex(), None
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def aclose(self) -> None:
        """Look no more, if the task is of this event loop."""
        task = self._task
        if task is not None and task.get_loop() is asyncio.get_running_loop():
            self._task = None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def look(self) -> Harm | None:
        """
        Look once, if it is this process's turn.

        Raises:
            ServerUnavailable: If the log cannot be read or written.
        """
        name = f"guard:{self._experiment}"
        if not await self._log.lease(name, self._owner, LEASE * self._interval):
            self._guarded = None
            return None
        version, arms = self._plan()
        if self._guarded is None or self._guarded.version != version:
            self._guarded, self._after = Guarded(self._guards, version, arms), ""
        self._after, harm = await stop_if_harmful(
            self._log, self._experiment, self._guarded, self._after
        )
        return harm

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            try:
                harm = await self.look()
            except ServerUnavailable as error:
                if not self._silent:
                    _log.warning("experiment %r is not guarded: %s", self._experiment, error)
                self._silent = True
                continue
            self._silent = False
            if harm is not None:
                _log.warning("experiment %r is stopped: %s", self._experiment, harm.reason)
                if self._on_harm is not None:
                    self._on_harm(harm)
