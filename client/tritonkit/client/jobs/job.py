"""A handle on a job, wherever it is worked on."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from time import monotonic

from tritonkit.client import background
from tritonkit.client.jobs.seen import Seen, Visible, id_bytes
from tritonkit.client.jobs.waiting import Status, Waiting, status_of
from tritonkit.client.types import InferResponse
from tritonkit.errors import DeadlineExceeded, JobLost, ProtocolError, ServerUnavailable
from tritonkit.units import parse_duration

__all__ = ["Job", "SyncJob"]

_LOOK = 0.1
"""Seconds that a look at the board may take where no time is left: a timeout of 0 looks once."""


class Job:
    """
    A job, by its id: in the process that submitted it or in any other.

    Args:
        id: As `submit` gave it.
        board: Where it was announced.

    Raises:
        ConfigError: If it is no id of a job.
    """

    def __init__(self, id: str, board: Visible) -> None:
        self.id = id
        self._bytes = id_bytes(id)
        self._board = board

    def __repr__(self) -> str:
        return f"Job({self.id!r}, {self._board!r})"

    async def status(self) -> Status:
        """
        Whether it is "running", "done", "failed" or "lost".

        Lost: nobody has worked on it for some seconds, or there is no such job, or
        its result has waited for too long. A process that was only frozen may
        finish what was lost.

        Raises:
            ServerUnavailable: If the board cannot be read.
        """
        return status_of(self._bytes, await self._board.see(self.id))[0]

    async def result(self, timeout: str | float | timedelta | None = None) -> InferResponse:
        """
        Wait for its answer. It may be fetched any number of times.

        Args:
            timeout: "30s", seconds or a timedelta; 0 looks once, None waits as long
                as somebody works on it.

        Raises:
            DeadlineExceeded: If the time runs out first; the job goes on.
            JobLost: If nobody works on it, nor knows of it.
            ProtocolError: If what was written of it cannot be read.
            ServerUnavailable: If the board cannot be read.
            RequestError: What the job failed with.
        """
        seconds = None if timeout is None else parse_duration(timeout, name="timeout")
        deadline = None if seconds is None else monotonic() + seconds
        waiting = Waiting()
        status: Status = "running"
        while True:
            try:
                seen = await self._see(deadline)
            except ServerUnavailable:
                now = monotonic()
                if waiting.silent(now) or (deadline is not None and now >= deadline):
                    raise
            else:
                status, response = self._read(seen)
                if response is not None:
                    return response
                if waiting.lost(status, monotonic()):
                    raise JobLost(
                        f"job {self.id} is lost: nobody works on it, and no result is kept of it"
                    )
            pause = waiting.pause()
            if deadline is not None:
                pause = min(pause, deadline - monotonic())
                if pause <= 0:
                    lost = status == "lost"
                    raise self._late("nobody is at work on it" if lost else "it goes on")
            await asyncio.sleep(pause)

    async def _see(self, deadline: float | None) -> Seen:
        remaining = None if deadline is None else max(deadline - monotonic(), _LOOK)
        try:
            async with asyncio.timeout(remaining):
                return await self._board.see(self.id)
        except TimeoutError:
            raise self._late("its board is silent") from None

    def _read(self, seen: Seen) -> tuple[Status, InferResponse | None]:
        """How the job is, and its answer if there is one; raises what it failed with."""
        status, record = status_of(self._bytes, seen)
        if record is not None and record.error is not None:
            raise record.error
        if status == "failed":
            raise ProtocolError(f"what was written of job {self.id} cannot be read")
        return status, None if record is None else record.response

    def _late(self, state: str) -> DeadlineExceeded:
        return DeadlineExceeded(f"job {self.id} was not done in time; {state}")


class SyncJob:
    """
    The same for code without an event loop.

    Args:
        id: As `submit` gave it.
        board: Where it was announced.

    Raises:
        ConfigError: If it is no id of a job.
    """

    def __init__(self, id: str, board: Visible) -> None:
        self.id = id
        self._job = Job(id, board)

    def __repr__(self) -> str:
        return f"Sync{self._job!r}"

    def status(self) -> Status:
        """How it is; see `Job.status`."""
        return background.run(self._job.status())

    def result(self, timeout: str | float | timedelta | None = None) -> InferResponse:
        """Wait for its answer; see `Job.result`."""
        return background.run(self._job.result(timeout))
