"""The jobs that a client works on."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from time import monotonic

from tritonkit.client.jobs import record
from tritonkit.client.jobs.board import Board
from tritonkit.client.jobs.pace import Pace
from tritonkit.client.jobs.seen import BEAT, id_bytes, new_id
from tritonkit.client.types import InferResponse
from tritonkit.errors import (
    DeadlineExceeded,
    JobLost,
    LimitExceeded,
    RequestError,
    ServerUnavailable,
)

__all__ = ["Submissions"]

_PAUSE = 0.1
_LONGEST_PAUSE = 2.0

_WRITING = 1.0
"""Seconds for what closing gives up to be written down, however short the wait for it was."""

Work = Callable[[], Awaitable[InferResponse]]

_log = logging.getLogger("tritonkit.client.jobs")


class Submissions:
    """
    Works on jobs in the background of one event loop, and writes down how they end.

    Args:
        board: Where they are announced.
        pace: How many at a time, and how long `aclose` waits for them.
    """

    def __init__(self, board: Board, pace: Pace | None = None) -> None:
        pace = pace or Pace()
        self._board = board
        self._most = pace.in_flight + pace.pending
        self._in_flight = pace.in_flight
        self._drain = pace.drain
        self._forked_off: list[object] = []
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._turns = asyncio.Semaphore(self._in_flight)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._owners: dict[str, str] = {}
        self._beating: asyncio.Task[None] | None = None
        self._announcing = 0

    def _be_here(self) -> None:
        """Leave the jobs of a parent process to it."""
        if self._pid != os.getpid():
            # What is of its loop must not even be freed here.
            self._forked_off += [self._tasks, self._beating, self._turns]
            self._begin()

    async def submit(
        self, work: Work, *, model: str, deadline: float | None, owner: str = ""
    ) -> str:
        """
        Announce a job and begin to work on it.

        Args:
            work: Called once, when it is its turn.
            model: Shapes errors only.
            deadline: Of `time.monotonic`, for the wait for its turn and for *work*.
            owner: Whose it is, written down with it.

        Returns:
            Its id.

        Raises:
            LimitExceeded: If too many wait already.
            ServerUnavailable: If it could not be announced; nothing is begun.
            JobLost: If the client was closed meanwhile.
        """
        self._be_here()
        if len(self._tasks) + self._announcing >= self._most:
            raise LimitExceeded(f"{self._most} jobs are waiting or under way already", model=model)
        id = new_id()
        self._announcing += 1
        try:
            await self._board.announce(id, record.running(id_bytes(id), owner))
        finally:
            self._announcing -= 1
        if self._closed:
            gone = JobLost(f"job {id} was given up: its client was closed", model=model)
            await self._board.finish(id, record.failed(id_bytes(id), gone, owner))
            raise gone
        loop = asyncio.get_running_loop()
        task = self._tasks[id] = loop.create_task(self._perform(id, work, model, deadline, owner))
        self._owners[id] = owner
        task.add_done_callback(lambda task: self._ended(id, task))
        if self._beating is None or self._beating.done():
            self._beating = loop.create_task(self._beat())
        return id

    async def aclose(self) -> None:
        """Wait for jobs for a moment; those that are left fail."""
        self._be_here()
        self._closed = True
        tasks = list(self._tasks.values())
        if tasks:
            await asyncio.wait(tasks, timeout=self._drain)
        left = [task for task in tasks if not task.done()]
        for task in left:
            task.cancel()
        if left:
            # To write down that they failed takes a moment as well.
            await asyncio.wait(left, timeout=max(self._drain, _WRITING))
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)

    async def _perform(
        self, id: str, work: Work, model: str, deadline: float | None, owner: str
    ) -> None:
        try:
            data = await self._outcome(id, work, model, deadline, owner)
        except asyncio.CancelledError:
            gone = JobLost(f"job {id} was given up: its client was closed", model=model)
            await self._write(id, record.failed(id_bytes(id), gone, owner), deadline=monotonic())
            raise
        await self._write(id, data, deadline=None)

    async def _outcome(
        self, id: str, work: Work, model: str, deadline: float | None, owner: str
    ) -> bytes:
        remaining = None if deadline is None else deadline - monotonic()
        try:
            # No longer than its deadline, and a moment in which work says so itself.
            async with asyncio.timeout(None if remaining is None else remaining + _PAUSE):
                async with self._turns:
                    response = await work()
            return record.answered(id_bytes(id), response, owner)
        except RequestError as error:
            return record.failed(id_bytes(id), error, owner)
        except TimeoutError:
            late = DeadlineExceeded(f"job {id} was not done in time", model=model)
            return record.failed(id_bytes(id), late, owner)
        except Exception as error:  # a task's end: whoever waits for the job is told
            _log.exception("job %s failed", id)
            return record.failed(id_bytes(id), error, owner)

    async def _write(self, id: str, data: bytes, *, deadline: float | None) -> None:
        """Until it is written: a board that is away now is there again later."""
        pause = _PAUSE
        while True:
            try:
                await self._board.finish(id, data)
            except ServerUnavailable as error:
                if deadline is not None and monotonic() >= deadline:
                    _log.warning("how job %s ended was not written: %s", id, error)
                    return
            else:
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT)
            if not self._tasks:
                return
            try:
                await self._board.beat(
                    [(id, record.running(id_bytes(id), self._owners[id])) for id in self._tasks]
                )
            except ServerUnavailable as error:
                _log.debug("no sign of life of %d jobs: %s", len(self._tasks), error)

    def _ended(self, id: str, task: asyncio.Task[None]) -> None:
        self._tasks.pop(id, None)
        self._owners.pop(id, None)
        if not task.cancelled() and task.exception() is not None:
            _log.error("job %s ended unwritten", id, exc_info=task.exception())
