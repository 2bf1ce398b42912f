"""Prices that follow from how long a model computes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from time import monotonic
from typing import Any

from tritonkit.client.layers.budget.cost import Bill, Pricing
from tritonkit.client.layers.budget.limits import micro_units
from tritonkit.client.layers.rows import count_rows
from tritonkit.client.stack import Transport
from tritonkit.client.types import InferRequest
from tritonkit.errors import ConfigError, RequestError
from tritonkit.units import parse_duration

__all__ = ["ComputeTime", "Measured"]

_PARTS = ("compute_input", "compute_infer", "compute_output")


class ComputeTime:
    """
    Compute seconds per row, from Triton's counters as they grow.

    Batches count once, whoever's rows they hold. Models without them, such as
    ensembles, tell the time of each request, which counts a shared batch once for each
    of them: too much rather than too little.
    """

    def __init__(self) -> None:
        self.seconds: float | None = None
        self._last = (0, 0)

    def learn(self, statistics: Sequence[Mapping[str, Any]]) -> None:
        """Take note of a model's counters; those of a model that was reloaded begin anew."""
        totals = [_totals(entry) for entry in statistics]
        counted, ns = sum(rows for rows, _ in totals), sum(ns for _, ns in totals)
        before_rows, before_ns = self._last
        if counted < before_rows or ns < before_ns:
            before_rows = before_ns = 0
        self._last = (counted, ns)
        if counted > before_rows and ns > before_ns:
            self.seconds = (ns - before_ns) / (counted - before_rows) / 1e9


class Measured(Pricing):
    """
    The time that a model computes, at a price per hour of the machine.

    Seconds per row come from the server's statistics, read behind the back of requests:
    one question at a time, each bounded, and none where no request comes. A request
    is settled at the price that it was reserved at.

    Args:
        price: Of an hour of compute, such as "2.50". Where a model has several instances
            on one device, what one of them costs.
        at_first: What a row is taken to compute until the server has counted some;
            100 ms is more than most models need, so that it errs on the safe side.
        every: How often a model's statistics are read.
        timeout: Of a read.
        clock: Seconds that only grow.

    Raises:
        ConfigError: If an argument is out of range.
    """

    def __init__(
        self,
        price: str | float | Decimal,
        *,
        at_first: str | float | timedelta = "100ms",
        every: str | float | timedelta = "1m",
        timeout: str | float | timedelta = "1s",
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.price = price
        self._per_second = micro_units(price, name="price") / 3600
        self.at_first = parse_duration(at_first, name="at_first")
        self.every = parse_duration(every, name="every")
        self.timeout = parse_duration(timeout, name="timeout")
        self._clock = clock
        self._transport: Transport | None = None
        self._times: dict[tuple[str, str], ComputeTime] = {}
        self._read: dict[tuple[str, str], float] = {}
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}

    def __repr__(self) -> str:
        return f"Measured({self.price!r})"

    def attach(self, transport: Transport) -> None:
        """
        Learn whose statistics to read.

        Raises:
            ConfigError: If it prices another server already.
        """
        if self._transport not in (None, transport):
            raise ConfigError("a Measured belongs to one server; make another one")
        self._transport = transport

    def seconds(self, model: str, version: str = "") -> float:
        """What a row is taken to compute by now."""
        time = self._times.get((model, version))
        return self.at_first if time is None or time.seconds is None else time.seconds

    def bill(self, request: InferRequest) -> Bill:
        """What one attempt at *request* costs; may start a read."""
        self._refresh(request.model, request.version)
        seconds = self.seconds(request.model, request.version)
        return Bill((math.ceil(self._per_second * seconds),) * count_rows(request))

    async def aclose(self) -> None:
        """Stop the reads of this event loop."""
        loop = asyncio.get_running_loop()
        tasks = [task for task in self._tasks.values() if task.get_loop() is loop]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _refresh(self, model: str, version: str) -> None:
        key, now = (model, version), self._clock()
        if self._transport is None or now - self._read.get(key, -math.inf) < self.every:
            return
        # At the beginning, so that a server that does not answer is not asked more often.
        self._read[key] = now
        task = asyncio.get_running_loop().create_task(self._learn(self._transport, key))
        self._tasks[key] = task
        task.add_done_callback(lambda done: self._end(key, done))

    def _end(self, key: tuple[str, str], task: asyncio.Task[None]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]

    async def _learn(self, transport: Transport, key: tuple[str, str]) -> None:
        try:
            found = await transport.statistics(*key, deadline=monotonic() + self.timeout)
        except RequestError:
            # What was known is as good as before.
            return
        self._times.setdefault(key, ComputeTime()).learn(found)


def _totals(entry: Mapping[str, Any]) -> tuple[int, int]:
    """Rows and nanoseconds of a version of a model, so far."""
    batches = entry.get("batch_stats") or ()
    if batches:
        counted = [
            int(batch.get("batch_size", 1)) * int(batch.get("compute_infer", {}).get("count", 0))
            for batch in batches
        ]
        return sum(counted), sum(_nanoseconds(batch) for batch in batches)
    return int(entry.get("inference_count", 0)), _nanoseconds(entry.get("inference_stats", {}))


def _nanoseconds(durations: Mapping[str, Any]) -> int:
    return sum(int(durations.get(part, {}).get("ns", 0)) for part in _PARTS)
