"""
How the stand-in serves: a machine of its own time, so that its truth is exact.

When a request arrives its planned departure follows by arithmetic (or that of its
batch does), whatever the clock of the process that plays it does meanwhile. Times
are whole nanoseconds of CLOCK_MONOTONIC.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

ANSWERED, FAILED, CLOSED, SILENT = range(4)
"""How a request ends: with an answer, with an error, with its connection, never."""


@dataclass(frozen=True, kw_only=True)
class Script:
    """
    What the stand-in does from the first request on.

    Args:
        service: A distribution and its figures in seconds: ["constant", s],
            ["exponential", mean], ["lognormal", median, sigma], or
            ["bimodal", first, second, share of the second].
        servers: Requests that are served at a time, first come first served; 0 for all.
        seed: Of the service times and of failures by share.
        stalls: Pairs of seconds since the first arrival and a length: answers that
            would leave in between leave at the end.
        window: Seconds that the dynamic batcher waits; None for no batcher.
        max_batch: Rows of a batch.
        batch_cost: Seconds of a batch, and of each of its rows.
        fail_every: Every so many requests one fails; 0 for none.
        fail_share: A share of the requests fails, by chance.
        close_every: Every so many requests one loses its connection.
        silent: Nobody is answered.
    """

    service: tuple[Any, ...] = ("constant", 0.01)
    servers: int = 0
    seed: int = 0
    stalls: tuple[tuple[float, float], ...] = ()
    window: float | None = None
    max_batch: int = 8
    batch_cost: tuple[float, float] = (0.005, 0.001)
    fail_every: int = 0
    fail_share: float = 0.0
    close_every: int = 0
    silent: bool = False


@dataclass(slots=True)
class Request:
    """One that is being served."""

    arrival: int
    rows: int
    ends: int
    start: int = 0
    planned: int = 0
    batch: int = 1
    who: Any = None


@dataclass
class Behaviour:
    """Serves by a script; `arrive` and `leaving` are told the time, which never goes back."""

    script: Script
    arrived: int = 0
    _first: int = 0
    _free: list[int] = field(default_factory=list)
    _leaving: list[tuple[int, int, Request]] = field(default_factory=list)
    _pending: list[Request] = field(default_factory=list)
    _free_at: int = 0
    _planned: int = 0

    def __post_init__(self) -> None:
        self._times = _service_times(self.script)
        self._chances = np.random.default_rng([self.script.seed, 1])
        self._free = [0] * self.script.servers

    def arrive(self, now: int, rows: int = 1, who: Any = None) -> Request:
        """A request has come; nothing more happens to it where nobody is answered."""
        self._first = self._first or now
        self.arrived += 1
        request = Request(now, rows, self._ends(), who=who)
        if request.ends == SILENT:
            return request
        if self.script.window is None:
            begin = now
            if self._free:
                begin = max(now, self._free[0])
            request.start = begin
            done = begin + next(self._times)
            if self._free:
                heapq.heapreplace(self._free, done)
            self._leave(request, done)
        else:
            self._dispatch(now)
            self._pending.append(request)
        return request

    def due(self) -> int | None:
        """When something happens next; None while nothing does."""
        instants = [self._leaving[0][0]] if self._leaving else []
        if self._pending:
            instants.append(self._dispatch_at())
        return min(instants, default=None)

    def leaving(self, now: int) -> list[Request]:
        """Requests whose answers are due."""
        self._dispatch(now)
        found = []
        while self._leaving and self._leaving[0][0] <= now:
            found.append(heapq.heappop(self._leaving)[2])
        return found

    def _ends(self) -> int:
        script = self.script
        if script.silent:
            return SILENT
        if script.close_every and not self.arrived % script.close_every:
            return CLOSED
        if script.fail_every and not self.arrived % script.fail_every:
            return FAILED
        if script.fail_share and self._chances.random() < script.fail_share:
            return FAILED
        return ANSWERED

    def _leave(self, request: Request, done: int) -> None:
        request.planned = done
        for begin, seconds in self.script.stalls:
            low = self._first + int(begin * 1e9)
            if low <= request.planned < low + int(seconds * 1e9):
                request.planned = low + int(seconds * 1e9)
        # Answers of one instant leave in the order in which they were planned.
        self._planned += 1
        heapq.heappush(self._leaving, (request.planned, self._planned, request))

    def _dispatch_at(self) -> int:
        """When the next batch begins: it is full or its window is over, and the model is free."""
        assert self.script.window is not None
        ready = self._pending[0].arrival + int(self.script.window * 1e9)
        rows = 0
        for request in self._pending:
            rows += request.rows
            if rows >= self.script.max_batch:
                ready = min(ready, request.arrival)
                break
        return max(ready, self._free_at)

    def _dispatch(self, now: int) -> None:
        while self._pending and (begin := self._dispatch_at()) <= now:
            batch: list[Request] = []
            rows = 0
            for request in self._pending:
                if batch and (
                    rows + request.rows > self.script.max_batch or request.arrival > begin
                ):
                    break
                batch.append(request)
                rows += request.rows
            del self._pending[: len(batch)]
            base, each = self.script.batch_cost
            done = self._free_at = begin + int((base + each * rows) * 1e9)
            for request in batch:
                request.start, request.batch = begin, rows
                self._leave(request, done)


def _service_times(script: Script) -> Iterator[int]:
    """Nanoseconds, endless."""
    kind, *figures = script.service
    chance = np.random.default_rng([script.seed, 0])
    size = 4096
    while True:
        if kind == "constant":
            seconds = np.full(size, figures[0])
        elif kind == "exponential":
            seconds = chance.exponential(figures[0], size)
        elif kind == "lognormal":
            seconds = figures[0] * chance.lognormal(0.0, figures[1], size)
        elif kind == "bimodal":
            seconds = np.where(chance.random(size) < figures[2], figures[1], figures[0])
        else:
            raise ValueError(f"no such distribution: {kind!r}")
        yield from (seconds * 1e9).astype(np.int64).tolist()
