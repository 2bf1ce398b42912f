"""A load that several processes issue, since one core is not enough."""

from __future__ import annotations

import asyncio
from time import perf_counter_ns
from types import TracebackType
from typing import Any, Self

from tritonkit.bench.inputs.workload import Workload
from tritonkit.bench.load.child import Child
from tritonkit.bench.load.loop import Loop
from tritonkit.bench.load.shape import Closed, Load
from tritonkit.bench.load.share import Share
from tritonkit.bench.load.waiting import first
from tritonkit.bench.load.worker import Job, TargetMaker
from tritonkit.bench.record.recorder import SLICE_SECONDS, Recorder
from tritonkit.errors import ConfigError, LoadError

__all__ = ["ProcessesLoop"]

_LEAD_NS = 20_000_000
"""From the word to start to the start, so that all have heard it."""

_GRACE = 10.0
"""Seconds that a process gets beyond the timeout to hand over what it recorded."""


class ProcessesLoop(Loop):
    """
    Processes that share one load, start at one instant, and are merged at its end.

    Process k of n takes the arrivals and items k, k + n, and so on, of an open loop,
    so that together they are those of one process; of a closed loop it takes a share
    of the slots, and of the items others in each turn. None outlives its parent.

    Args:
        maker: Makes each process's target; can be pickled.
        workload: Likewise.
        load: Of all processes together.
        processes: How many; at least 1.
        timeout: Seconds after which a request fails.
        seed: Of the arrivals and of the order of requests.
        slice_seconds: Of the recorders.
        origin: Likewise.
        end_ns: Likewise.
        interrupt: Set from outside to end everything early.
    """

    def __init__(
        self,
        maker: TargetMaker,
        workload: Workload,
        load: Load,
        *,
        processes: int,
        timeout: float,
        seed: int = 0,
        slice_seconds: float = SLICE_SECONDS,
        origin: float = 0.0,
        end_ns: int | None = None,
        interrupt: asyncio.Event | None = None,
    ) -> None:
        whole = load.concurrency if isinstance(load, Closed) else load.max_in_flight
        if not 1 <= processes <= whole:
            name = "concurrency" if isinstance(load, Closed) else "max_in_flight"
            raise ConfigError(
                f"processes must be at least 1 and at most {name}, which is {whole}, "
                f"but got {processes}."
            )
        self._interrupt = interrupt or asyncio.Event()
        self._timeout = timeout
        self._recorder = Recorder(slice_seconds, origin=origin)
        self._children = [
            Child(
                Job(
                    maker=maker,
                    workload=workload,
                    load=load,
                    share=Share(number, processes),
                    timeout=timeout,
                    seed=seed,
                    slice_seconds=slice_seconds,
                    origin=origin,
                    end_ns=end_ns,
                )
            )
            for number in range(processes)
        ]
        self._started_ns: int | None = None

    async def __aenter__(self) -> Self:
        """
        Start the processes, and the load when all are ready.

        Raises:
            ConfigError: If the workload cannot be handed to another process.
            LoadError: If a process cannot start.
        """
        try:
            # Handing over large inputs takes a while.
            await asyncio.gather(*(child.start() for child in self._children))
            await first(None, self._interrupt.wait(), self._any_failed(), self._all("ready"))
            self._raise_failure()
        except BaseException:
            self._kill()
            raise
        if self._interrupt.is_set():
            return self
        self._started_ns = perf_counter_ns() + _LEAD_NS
        self._say("start", self._started_ns)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """
        End the load, and merge what the processes recorded.

        Raises:
            LoadError: If one ended before its time.
        """
        try:
            if kind is None:
                await self._hand_over()
        finally:
            self._kill()

    @property
    def recorder(self) -> Recorder:
        """Every outcome of every process, once the context was left."""
        return self._recorder

    @property
    def ended(self) -> int:
        """Requests that ended, as of a tenth of a second ago."""
        return sum(child.ended for child in self._children)

    @property
    def now_ns(self) -> int:
        """Nanoseconds since the start."""
        return perf_counter_ns() - (self._started_ns or perf_counter_ns())

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that send."""
        return tuple(child.pid for child in self._children)

    async def until(
        self, seconds: float | None, *, requests: int | None = None, since_ns: int = 0
    ) -> int:
        """
        Let the load run, until one of the limits or an interrupt.

        Raises:
            LoadError: If a process ended before its time.
        """
        if requests is not None:
            if requests < len(self._children):
                raise ConfigError(
                    f"requests must be at least 1 for each process, but got {requests}."
                )
            for child in self._children:
                child.say("limit", (child.job.share.part(requests), since_ns))
        # Without a limit nobody says that it is full.
        ends = (self._any_failed(), self._all("over"), self._all("full"))
        left = None if seconds is None else max(0.0, seconds - self.now_ns / 1e9)
        await first(left, self._interrupt.wait(), *ends)
        self._raise_failure()
        if all("full" in child.heard for child in self._children):
            return max(int(child.heard["full"]) for child in self._children)
        now = self.now_ns
        if self._interrupt.is_set():
            self._say("end", now)
        return now

    async def settle(self) -> None:
        """
        Let the load run until what has come so far has ended, at most its timeout.

        Raises:
            LoadError: If a process ended before its time.
        """
        for child in self._children:
            child.forget("settled")
        self._say("settle", None)
        await first(
            self._timeout + _GRACE, self._interrupt.wait(), self._any_failed(), self._all("settled")
        )
        self._raise_failure()

    async def _hand_over(self) -> None:
        self._raise_failure()
        if self._started_ns is None:
            return
        recorded = "recorded"
        if not self._interrupt.is_set():
            self._say("stop", False)
            await first(
                self._timeout + _GRACE,
                self._interrupt.wait(),
                self._any_failed(),
                self._all(recorded),
            )
        if self._interrupt.is_set():
            self._say("stop", True)
            await first(_GRACE, self._any_failed(), self._all(recorded))
        self._raise_failure()
        late = [child.name for child in self._children if recorded not in child.heard]
        if late:
            raise LoadError(f"{', '.join(late)} did not hand over what was recorded in time.")
        for child in self._children:
            self._recorder.merge(Recorder.decode(child.heard["recorded"]))

    def _say(self, command: str, value: Any) -> None:
        for child in self._children:
            child.say(command, value)

    async def _all(self, word: str) -> None:
        await asyncio.gather(*(child.hear(word) for child in self._children))

    async def _any_failed(self) -> None:
        await first(None, *(child.failed.wait() for child in self._children))

    def _raise_failure(self) -> None:
        for child in self._children:
            if child.failure is not None:
                raise LoadError(child.failure)

    def _kill(self) -> None:
        for child in self._children:
            child.kill()
