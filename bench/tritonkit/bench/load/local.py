"""A load that this process issues itself."""

from __future__ import annotations

import asyncio
import os
import resource
from abc import abstractmethod
from time import perf_counter_ns
from types import TracebackType
from typing import Any, Self

from tritonkit.bench.load.loop import Loop
from tritonkit.bench.load.pace import Alarm
from tritonkit.bench.load.requests import Requests
from tritonkit.bench.load.share import Share
from tritonkit.bench.load.waiting import first
from tritonkit.bench.record.answers import Answers
from tritonkit.bench.record.recorder import Recorder
from tritonkit.bench.targets.seat import Seat
from tritonkit.bench.targets.target import Target
from tritonkit.errors import ConfigError, RequestError

__all__ = ["LocalLoop", "allow_connections"]

_FILES = 64
"""Descriptors that a process needs beside its connections."""


class LocalLoop(Loop):
    """
    What a closed and an open loop have in common: seats, outcomes, the start and the end.

    Args:
        requests: What is sent; at least one.
        timeout: Seconds after which a request fails.
        seed: Of the order of requests and of the arrivals.
        share: Of several processes' load.
        recorder: Where the outcomes go; a new one by default.
        start_ns: When the load starts, of `perf_counter_ns`; None for at once.
        interrupt: Set from outside to end everything early.
    """

    def __init__(
        self,
        requests: Requests,
        *,
        timeout: float,
        seed: int = 0,
        share: Share | None = None,
        recorder: Recorder | None = None,
        start_ns: int | None = None,
        interrupt: asyncio.Event | None = None,
    ) -> None:
        if timeout <= 0:
            raise ConfigError(f"timeout must be above 0 s, but got {timeout}.")
        share = share or Share()
        self._target = requests.target
        self._payloads = requests.payloads
        self._items = requests.items
        self._indices = requests.indices(seed, share)
        self._timeout = timeout
        self._start_ns = start_ns
        self._interrupt = interrupt or asyncio.Event()
        self._recorder = Recorder() if recorder is None else recorder
        # What there is neither to check nor to tell of is written down at once.
        checked = any(item.check is not None for item in requests.items)
        tells = type(requests.target).way is not Target.way
        self._answers = Answers(self._target, self._recorder) if checked or tells else None
        self._running = False
        self._in_flight = 0
        self._started_ns = 0
        self._seats: list[Seat] = []
        self._alarm: Alarm | None = None
        self._over = asyncio.Event()
        """Set when nothing is in flight and nothing will be, or a fault ended the load."""
        self._fault: Exception | None = None

    async def __aenter__(self) -> Self:
        """
        Start the load.

        Raises:
            RequestError: If the server's name stands for no address.
        """
        self._make_seat = await self._target.seats(self._ended, self._timeout)
        if self._answers is not None:
            await self._answers.__aenter__()
        self._running = True
        self._started_ns = perf_counter_ns() if self._start_ns is None else self._start_ns
        self._alarm = Alarm(self._ring)
        self._alarm.set(self._started_ns)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """
        End the load.

        Raises:
            Exception: A fault of the target or of a check, if there was one.
        """
        self._running = False
        if self._alarm is not None:
            self._alarm.close()
        try:
            if kind is None and self._in_flight:
                # What is in flight ends by itself, so that the next load meets an idle server.
                await first(None, self._interrupt.wait(), self._over.wait())
            if kind is None and self._fault is None:
                self._leave()
        finally:
            for seat in self._seats:
                await seat.aclose()
            if self._answers is not None:
                await self._answers.__aexit__(kind, error, traceback)
        if kind is None:
            self._raise_fault()

    @property
    def recorder(self) -> Recorder:
        """Every outcome so far."""
        return self._recorder

    @property
    def ended(self) -> int:
        """Requests that were answered or failed since the start."""
        return self._recorder.ended

    @property
    def now_ns(self) -> int:
        """Nanoseconds since the start."""
        return perf_counter_ns() - self._started_ns

    @property
    def pids(self) -> tuple[int, ...]:
        """This process."""
        return (os.getpid(),)

    async def until(
        self, seconds: float | None, *, requests: int | None = None, since_ns: int = 0
    ) -> int:
        """Let the load run, until one of the limits or an interrupt."""
        full = asyncio.Event()
        if requests is not None:
            self._recorder.stop_after(requests, full.set, since_ns=since_ns)
        left = None if seconds is None else max(0.0, seconds - self.now_ns / 1e9)
        await first(left, self._interrupt.wait(), self._over.wait(), full.wait())
        self._raise_fault()
        if self._recorder.full_at_ns is not None:
            return self._recorder.full_at_ns
        now = self.now_ns
        if self._interrupt.is_set():
            self.end(now)
        return now

    def end(self, at_ns: int) -> None:
        """Nothing of that instant or a later one belongs to the run any more."""
        self._recorder.end(at_ns)

    @abstractmethod
    def _ring(self) -> None:
        """The time has come to start what is due."""

    @abstractmethod
    def _ended(self, seat: Seat, answer: Any) -> None:
        """A request has ended."""

    @abstractmethod
    def _leave(self) -> None:
        """The load is over; what has not ended yet does not any more."""

    def _free(self) -> None:
        """A request has ended and its seat starts no other at once."""
        self._in_flight -= 1
        if not self._in_flight and not self._running:
            self._over.set()

    def _answered(
        self, index: int, answer: Any, at_ns: int, latency_ns: int, service_ns: int
    ) -> None:
        if self._answers is None:
            self._recorder.answered(at_ns, latency_ns, service_ns)
            return
        try:
            self._answers.take(self._items[index], answer, at_ns, latency_ns, service_ns)
        except Exception as error:
            # Of a check, or of what tells the way.
            self._fail(error)

    def _failed(self, error: Exception, at_ns: int) -> None:
        if isinstance(error, RequestError):
            self._recorder.failed(at_ns, error)
        else:
            self._fail(error)

    def _fail(self, fault: Exception) -> None:
        self._fault = self._fault or fault
        self._running = False
        self._over.set()

    def _raise_fault(self) -> None:
        if self._fault is not None:
            raise self._fault


def allow_connections(count: int) -> str | None:
    """
    Let this process open so many.

    Returns:
        Why the system does not let it; None where it does.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + _FILES
    if soft == resource.RLIM_INFINITY or wanted <= soft:
        return None
    if hard != resource.RLIM_INFINITY and hard < wanted:
        return (
            f"{count} connections and {_FILES} other files are more than the {hard} "
            "that a process may open here (ulimit -n)"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return None
