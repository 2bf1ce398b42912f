"""Starts the workers, starts those anew that die, and ends them all."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from time import monotonic

from tritonkit.gateway.workers.plan import Plan
from tritonkit.gateway.workers.signals import Ending

__all__ = ["backoff", "supervise"]

_log = logging.getLogger(__name__)

_FIRST, _MOST = 0.1, 10.0
_HURRY = 3.0
"""Seconds from the second signal after which a worker that goes on is killed."""
_STEADY = 30.0
"""Seconds after which a worker that dies is not one that cannot start."""


def backoff(deaths: int) -> float:
    """
    Seconds until a worker is started anew.

    Args:
        deaths: In a row, each soon after its start; the first is 1.
    """
    return min(_MOST, _FIRST * 2.0 ** min(deaths - 1, 16))


def supervise(plan: Plan, listener: socket.socket, *, patience: float) -> int:
    """
    Run the plan's workers until a signal says to end.

    SIGTERM, SIGINT and SIGHUP go on to all workers as SIGTERM, the second one too.

    Args:
        plan: For each of them.
        listener: That they share.
        patience: Seconds from the first signal after which a worker that goes on is killed.

    Returns:
        Exit status: 0 where each of them ended well after it was told to.
    """
    return asyncio.run(_Supervisor(plan, listener, patience).run())


class _Supervisor:
    def __init__(self, plan: Plan, listener: socket.socket, patience: float) -> None:
        self._plan, self._listener, self._patience = plan, listener, patience
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._signals = Ending()
        self._told = 0
        self._status = 0
        self._ready = 0

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        self._stopping, self._hurried = asyncio.Event(), asyncio.Event()
        self._signals.tell(loop, self._tell)
        workers = [loop.create_task(self._keep(n)) for n in range(self._plan.workers)]
        killing = loop.create_task(self._kill())
        await asyncio.gather(*workers)
        killing.cancel()
        return self._status

    def _tell(self) -> None:
        self._told += 1
        if self._stopping.is_set():
            self._hurried.set()
        self._stopping.set()
        # Where nobody accepts any more, nobody is to connect.
        self._listener.close()
        for process in self._processes.values():
            _signal(process, signal.SIGTERM)

    async def _kill(self) -> None:
        await self._stopping.wait()
        try:
            await asyncio.wait_for(self._hurried.wait(), self._patience)
            await asyncio.sleep(_HURRY)
        except TimeoutError:
            pass
        for process in self._processes.values():
            _signal(process, signal.SIGKILL)

    async def _keep(self, worker: int) -> None:
        deaths = 0
        while not self._stopping.is_set():
            began = monotonic()
            served, status = await self._run(worker)
            if self._stopping.is_set():
                self._status = self._status or (1 if served and status else 0)
                return
            if not served and status == 2:
                # What it was told is wrong, and will be next time.
                self._status = status
                self._tell()
                return
            deaths = 1 if monotonic() - began >= _STEADY else deaths + 1
            delay = backoff(deaths)
            _log.error("worker %d ended with %d; another one in %.1f s", worker, status, delay)
            try:
                await asyncio.wait_for(self._stopping.wait(), delay)
            except TimeoutError:
                continue

    async def _run(self, worker: int) -> tuple[bool, int]:
        """Whether it took requests, and its exit status."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tritonkit.gateway.workers.worker",
            str(worker),
            str(self._listener.fileno()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=(self._listener.fileno(),),
            # A Ctrl-C of the terminal comes here alone, and goes on once.
            start_new_session=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        self._processes[worker] = process
        served = False
        try:
            # Its standard input stays open: a worker ends where this process does.
            process.stdin.write(self._plan.to_json().encode() + b"\n")
            for _ in range(self._told):
                _signal(process, signal.SIGTERM)
            served = bool(await process.stdout.readline())
            if served:
                _log.info("worker %d serves, process %d", worker, process.pid)
            return served, await process.wait()
        finally:
            del self._processes[worker]
            process.stdin.close()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except ProcessLookupError:
        return
