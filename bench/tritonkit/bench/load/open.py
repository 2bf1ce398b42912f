"""The open loop: requests that start at times of their own."""

from __future__ import annotations

import asyncio
from time import perf_counter_ns
from typing import Any

from tritonkit.bench.load.local import LocalLoop, allow_connections
from tritonkit.bench.load.pace import Calendar
from tritonkit.bench.load.requests import Requests
from tritonkit.bench.load.shape import MAX_IN_FLIGHT
from tritonkit.bench.load.share import Share
from tritonkit.bench.record.recorder import Recorder, Unanswered
from tritonkit.bench.schedule.arrivals import Arrivals
from tritonkit.bench.targets.seat import Seat
from tritonkit.errors import ConfigError, NotConnected

__all__ = ["OpenLoop"]

_AT_ONCE = 64
"""Requests that start before answers get their turn."""

_DROPPED = 10_000
"""Arrivals that are dropped before answers get their turn."""

_LOOK = 0.01
"""Seconds between looks at what is still in flight."""

_LATE = 1.0
"""Seconds by which a request may be sent late and be waited for."""


class OpenLoop(LocalLoop):
    """
    Starts each request at its intended time, whether or not earlier ones have ended.

    Latency counts from the intended start, so that a server that stalls is charged
    with all who came meanwhile; the service time counts from the sending. A request
    whose time comes while `max_in_flight` others wait is dropped and counted, never
    sent later. Instants are those of the intended starts.

    The channel that was used last is used first, and a new one is opened where all
    wait, so that there are about as many as requests in flight.

    Args:
        requests: What is sent, in their order; at least one.
        arrivals: The times.
        max_in_flight: Requests that may wait, in all processes together; at least one
            for each.
        timeout: Seconds after which a request fails.
        seed: Of the arrivals and of the order of requests.
        share: Of several processes' load.
        recorder: Where the outcomes go; a new one by default.
        start_ns: When the load starts, of `perf_counter_ns`; None for at once.
        interrupt: Set from outside to end everything early.
    """

    def __init__(
        self,
        requests: Requests,
        *,
        arrivals: Arrivals,
        max_in_flight: int = MAX_IN_FLIGHT,
        timeout: float,
        seed: int = 0,
        share: Share | None = None,
        recorder: Recorder | None = None,
        start_ns: int | None = None,
        interrupt: asyncio.Event | None = None,
    ) -> None:
        super().__init__(
            requests,
            timeout=timeout,
            seed=seed,
            share=share,
            recorder=recorder,
            start_ns=start_ns,
            interrupt=interrupt,
        )
        share = share or Share()
        self._most = share.part(max_in_flight)
        if self._most < 1:
            raise ConfigError(
                f"max_in_flight must be at least 1 for each process, but got {max_in_flight}."
            )
        self._calendar = Calendar(share.thinned(arrivals.offsets(seed)))
        self._idle: list[Seat] = []
        self._waiting: set[Seat] = set()

    async def settle(self) -> None:
        """Let the load run until what has come so far has ended, about its timeout at most."""
        mark = self.now_ns
        # A request that was sent late fails late.
        last = mark + round((self._timeout + min(self._timeout, _LATE)) * 1e9)
        while self._owed(mark) and self.now_ns < last:
            if self._interrupt.is_set() or self._over.is_set():
                break
            await asyncio.sleep(_LOOK)
        # What came too fast even to be dropped was asked for all the same.
        while due := self._calendar.take(mark, _DROPPED):
            for at_ns in due:
                self._recorder.dropped(at_ns)
            await asyncio.sleep(0)

    def _owed(self, mark_ns: int) -> bool:
        """Whether a request up to an instant is in flight, or its time has come unheard."""
        following = self._calendar.next_ns
        return (following is not None and following <= mark_ns) or any(
            seat.at_ns <= mark_ns for seat in self._waiting
        )

    def _ring(self) -> None:
        assert self._alarm is not None
        for at_ns in self._calendar.take(self.now_ns, _AT_ONCE):
            self._arrive(at_ns)
        following = self._calendar.next_ns
        if following is not None:
            self._alarm.set(self._started_ns + following)
            return
        # The trace is at its end, and what is in flight ends the load.
        self._alarm.set(None)
        self._running = False
        if not self._in_flight:
            self._over.set()

    def _arrive(self, at_ns: int) -> None:
        index = next(self._indices)
        if self._idle:
            seat = self._idle.pop()
        elif len(self._seats) < self._most:
            refusal = allow_connections(self._target.connections(len(self._seats) + 1))
            if refusal is not None:
                self._recorder.failed(at_ns, NotConnected(refusal))
                return
            seat = self._make_seat()
            self._seats.append(seat)
        else:
            self._recorder.dropped(at_ns)
            return
        seat.at_ns, seat.index = at_ns, index
        self._in_flight += 1
        self._waiting.add(seat)
        seat.start(self._payloads[index])

    def _leave(self) -> None:
        """Account for all whose time has come: else the longest waits would be left out."""
        unanswered = Unanswered("the run was interrupted before the request had ended")
        for seat in self._waiting:
            self._recorder.failed(seat.at_ns, unanswered)
        if self._recorder.end_ns is None:
            return
        while overdue := self._calendar.take(self._recorder.end_ns - 1, _AT_ONCE):
            for at_ns in overdue:
                if self._interrupt.is_set():
                    self._recorder.failed(at_ns, unanswered)
                else:
                    self._recorder.dropped(at_ns)

    def _ended(self, seat: Seat, answer: Any) -> None:
        now = perf_counter_ns()
        at_ns = seat.at_ns
        latency = now - self._started_ns - at_ns
        self._idle.append(seat)
        self._waiting.discard(seat)
        self._free()
        if isinstance(answer, Exception):
            self._failed(answer, at_ns)
        else:
            self._answered(seat.index, answer, at_ns, latency, now - seat.sent_ns)
