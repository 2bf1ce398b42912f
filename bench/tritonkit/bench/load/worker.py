"""
One process of a load, told by its parent what to do over a pipe.

The parent says "start", "limit", "settle", "end" and "stop"; the process answers "ready",
"ended" now and then, "full", "over" and "settled", and at the end "recorded" or "failed".
A pipe that closes means that the parent is gone, and ends the process at once.
"""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Protocol

from tritonkit.bench.inputs.workload import Workload
from tritonkit.bench.load.event_loops import event_loops
from tritonkit.bench.load.local import LocalLoop
from tritonkit.bench.load.requests import Requests
from tritonkit.bench.load.shape import Load
from tritonkit.bench.load.share import Share
from tritonkit.bench.load.start import local_loop
from tritonkit.bench.record.recorder import Recorder
from tritonkit.bench.targets.target import Target
from tritonkit.errors import TritonkitError

__all__ = ["Job", "TargetMaker", "work"]

_TOLD = 0.1
"""Seconds between numbers of ended requests."""


class TargetMaker(Protocol):
    """Can be pickled; targets that it makes share nothing."""

    def target(self) -> Target:
        """A target, in the event loop that will use it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """
    What one process does.

    Args:
        maker: Of its target.
        workload: Of all processes.
        load: Of all processes together.
        share: Its part.
        timeout: Seconds after which a request fails.
        seed: Of the arrivals and of the order of requests.
        slice_seconds: Of its recorder.
        origin: Likewise.
        end_ns: Likewise.
    """

    maker: TargetMaker
    workload: Workload
    load: Load
    share: Share
    timeout: float
    seed: int
    slice_seconds: float
    origin: float
    end_ns: int | None = None


def work(connection: Connection, job: Job) -> None:
    """Run until the parent says stop, or is gone."""
    try:
        with asyncio.Runner(loop_factory=event_loops()) as runner:
            runner.run(_Worker(connection, job).run())
    except (BrokenPipeError, ConnectionResetError, EOFError):
        os._exit(1)
    except Exception as error:
        # The command line of the parent tells it, without a traceback of its own.
        kind = "" if isinstance(error, TritonkitError) else f"{type(error).__name__}: "
        connection.send(("failed", f"{kind}{error}"))


class _Worker:
    def __init__(self, connection: Connection, job: Job) -> None:
        self._connection = connection
        self._job = job
        self._interrupt = asyncio.Event()
        self._start_ns = 0
        self._started = asyncio.Event()
        self._stop = asyncio.Event()
        self._load: asyncio.Future[LocalLoop]
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        job, loop = self._job, asyncio.get_running_loop()
        # The first commands may come before the load has begun.
        self._load = loop.create_future()
        target = job.maker.target()
        try:
            requests = Requests.prepare(target, job.workload)
            # What is there now stays; a collection need not look at it in the midst of the load.
            gc.collect()
            gc.freeze()
            threading.Thread(target=self._listen, args=(loop,), daemon=True).start()
            self._connection.send(("ready", None))
            await self._started.wait()
            load = local_loop(
                job.load,
                requests,
                timeout=job.timeout,
                seed=job.seed,
                share=job.share,
                recorder=Recorder(job.slice_seconds, origin=job.origin, end_ns=job.end_ns),
                start_ns=self._start_ns,
                interrupt=self._interrupt,
            )
            async with load:
                self._load.set_result(load)
                self._spawn(self._tell(load))
                self._spawn(self._wait(load))
                await self._stop.wait()
            self._connection.send(("recorded", load.recorder.encode()))
        finally:
            await target.aclose()

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        # A thread, since an event loop would make the pipe non-blocking, which long
        # messages do not survive; and it ends this process even where the loop hangs.
        while True:
            try:
                command, value = self._connection.recv()
            except (EOFError, OSError):
                os._exit(1)
            loop.call_soon_threadsafe(self._told, command, value)

    def _told(self, command: str, value: Any) -> None:
        match command:
            case "start":
                self._start_ns = value
                self._started.set()
            case "limit":
                self._spawn(self._limit(*value))
            case "settle":
                self._spawn(self._settle())
            case "end":
                if self._load.done():
                    self._load.result().end(value)
            case "stop":
                if value:
                    self._interrupt.set()
                self._stop.set()

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self, load: LocalLoop) -> None:
        while not self._stop.is_set():
            self._connection.send(("ended", load.ended))
            await asyncio.sleep(_TOLD)

    async def _wait(self, load: LocalLoop) -> None:
        """A trace may end before it is stopped, and so may a load with a fault."""
        try:
            await load.until(None)
        except Exception:
            # Leaving the load raises it again.
            self._stop.set()
        else:
            self._connection.send(("over", load.now_ns))

    async def _limit(self, requests: int, since_ns: int) -> None:
        load = await self._load
        self._connection.send(
            ("full", await load.until(None, requests=requests, since_ns=since_ns))
        )

    async def _settle(self) -> None:
        load = await self._load
        await load.settle()
        self._connection.send(("settled", None))
