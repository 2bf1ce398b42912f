"""The load generator: closed loop, over the wire."""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass
from time import monotonic, perf_counter_ns, thread_time_ns
from typing import Self

from tritonkit.bench.record.recorder import Recorder
from tritonkit.client.wire.address import Address
from tritonkit.client.wire.codec import decode_infer
from tritonkit.client.wire.connection import Connection
from tritonkit.errors import ConfigError, RequestError, ServerUnavailable

__all__ = ["ClosedLoop", "Window"]

_RECONNECT_PAUSE = 0.1
"""Seconds a slot waits after a broken connection; a dead server is not hammered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """
    What was recorded between two instants.

    Args:
        recorder: The requests that ended in between.
        seconds: From the first instant to the second.
        client_cpu: Share of one core that this thread used.
        interrupted: Whether it ended before its time.
    """

    recorder: Recorder
    seconds: float
    client_cpu: float
    interrupted: bool


class ClosedLoop:
    """
    Keeps a number of requests in flight: each slot sends its next when its last ended.

    An async context manager: the load runs inside it, and `window` records a
    part of it. Leaving it awaits what is in flight, unless it is interrupted. A
    slot is a connection of its own. An answer counts by its status; its outputs
    are not decoded. What fails is recorded, never raised.

    A closed loop slows down with the server, so its latencies leave out the
    requests that independent callers would have sent meanwhile (coordinated
    omission): it tells how much a server can do, not how it behaves at a rate.

    Args:
        address: The server.
        model: Name of the model, for errors.
        requests: Whole HTTP requests, sent in turn; at least one.
        concurrency: Slots; at least 1.
        timeout: Seconds after which a request fails.
        tls: How to check an https server.
        interrupt: Set from outside to end everything early.
    """

    def __init__(
        self,
        address: Address,
        model: str,
        requests: Sequence[bytes],
        *,
        concurrency: int,
        timeout: float,
        tls: ssl.SSLContext | None = None,
        interrupt: asyncio.Event | None = None,
    ) -> None:
        if concurrency < 1:
            raise ConfigError(f"concurrency must be at least 1, but got {concurrency}.")
        if not requests:
            raise ConfigError("there are no requests to send.")
        self._address = address
        self._model = model
        self._requests: Iterator[bytes] = itertools.cycle(requests)
        self._concurrency = concurrency
        self._timeout = timeout
        self._tls = tls
        self._interrupt = interrupt or asyncio.Event()
        self._slots: list[asyncio.Task[None]] = []
        self._running = False
        self._limit: int | None = None
        self._full = asyncio.Event()
        self._full_ns = 0
        self._recorder = Recorder()

    async def __aenter__(self) -> Self:
        self._running = True
        self._slots = [asyncio.create_task(self._slot()) for _ in range(self._concurrency)]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._running = False
        if kind is None:
            # What is in flight ends by itself, so that the next load meets an idle server.
            ended = asyncio.gather(*self._slots, return_exceptions=True)
            await _first(None, self._interrupt.wait(), ended)
        for slot in self._slots:
            slot.cancel()
        for outcome in await asyncio.gather(*self._slots, return_exceptions=True):
            if isinstance(outcome, Exception) and kind is None:
                raise outcome

    @property
    def ended(self) -> int:
        """Requests that ended in the phase that runs."""
        return self._recorder.ended

    async def warm_up(self, seconds: float) -> None:
        """Let the load run unrecorded."""
        await _first(seconds, self._interrupt.wait())

    async def window(self, duration: float | None, max_requests: int | None = None) -> Window:
        """
        Record.

        Args:
            duration: Seconds; None for no limit.
            max_requests: End with this many requests, at the instant of the last.
        """
        recorder = self._recorder = Recorder()
        self._full.clear()
        self._limit = max_requests
        started_ns, cpu_ns = perf_counter_ns(), thread_time_ns()
        await _first(duration, self._interrupt.wait(), self._full.wait())
        full = self._full.is_set()
        ended_ns, cpu_ns = perf_counter_ns(), thread_time_ns() - cpu_ns
        self._recorder, self._limit = Recorder(), None
        return Window(
            recorder=recorder,
            seconds=((self._full_ns if full else ended_ns) - started_ns) / 1e9,
            client_cpu=cpu_ns / (ended_ns - started_ns),
            interrupted=self._interrupt.is_set() and not full,
        )

    async def _slot(self) -> None:
        connection: Connection | None = None
        try:
            while self._running:
                started_ns = perf_counter_ns()
                deadline = monotonic() + self._timeout
                try:
                    if connection is None or not connection.reusable:
                        connection = await Connection.open(self._address, deadline, self._tls)
                    reply = await connection.exchange(next(self._requests), deadline)
                    if reply.status != 200:
                        decode_infer(reply, self._model)
                except RequestError as error:
                    self._recorder.failed(perf_counter_ns(), error)
                    if isinstance(error, ServerUnavailable):
                        await asyncio.sleep(_RECONNECT_PAUSE)
                else:
                    ended_ns = perf_counter_ns()
                    latency_ns = ended_ns - started_ns
                    self._recorder.answered(ended_ns, latency_ns, latency_ns)
                if self._limit is not None and self._recorder.ended >= self._limit:
                    self._full_ns = perf_counter_ns()
                    self._recorder, self._limit = Recorder(), None
                    self._full.set()
        finally:
            if connection is not None:
                connection.close()


async def _first(seconds: float | None, *ends: Awaitable[object]) -> None:
    """Until one of *ends* has come or *seconds* have passed; the others are cancelled."""
    waits = [asyncio.ensure_future(end) for end in ends]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
