"""The closed loop: so many requests in flight, at all times."""

from __future__ import annotations

import asyncio
from time import perf_counter_ns
from typing import Any

from tritonkit.bench.load.local import LocalLoop, allow_connections
from tritonkit.bench.load.requests import Requests
from tritonkit.bench.load.share import Share
from tritonkit.bench.record.recorder import Recorder
from tritonkit.bench.targets.seat import Seat
from tritonkit.errors import ConfigError, ServerUnavailable

__all__ = ["ClosedLoop"]

_RECONNECT_PAUSE = 0.1
"""Seconds a slot waits after a broken connection; a dead server is not hammered."""


class ClosedLoop(LocalLoop):
    """
    Keeps a number of requests in flight: each slot sends its next when its last ended.

    A slot has a connection of its own. An answer counts by its status, and by its
    item's check where there is one; the check comes after the slot's next request
    was sent. Instants are those of the ends.

    A closed loop slows down with the server, so its latencies leave out the
    requests that independent callers would have sent meanwhile (coordinated
    omission): it tells how much a server can do, not how it behaves at a rate.

    Args:
        requests: What is sent, in their order; at least one.
        concurrency: Slots, of all processes together; at least one for each.
        timeout: Seconds after which a request fails.
        seed: Of the order of requests.
        share: Of several processes' load.
        recorder: Where the outcomes go; a new one by default.
        start_ns: When the load starts, of `perf_counter_ns`; None for at once.
        interrupt: Set from outside to end everything early.
    """

    def __init__(
        self,
        requests: Requests,
        *,
        concurrency: int,
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
        # A process whose items are quick would send more of them than one of slow items.
        self._indices = requests.indices(seed, share, turned=True)
        self._slots = share.part(concurrency)
        if self._slots < 1:
            raise ConfigError(
                f"concurrency must be at least 1 for each process, but got {concurrency}."
            )
        refusal = allow_connections(requests.target.connections(self._slots))
        if refusal is not None:
            raise ConfigError(f"concurrency {concurrency} cannot be: {refusal}.")

    async def settle(self) -> None:
        """Nothing to wait for: a request counts by its end."""
        return

    def _ring(self) -> None:
        assert self._alarm is not None
        self._alarm.set(None)
        for _ in range(self._slots):
            seat = self._make_seat()
            self._seats.append(seat)
            self._resume(seat)

    def _resume(self, seat: Seat) -> None:
        if self._running:
            self._in_flight += 1
            seat.index = index = next(self._indices)
            seat.start(self._payloads[index])

    def _leave(self) -> None:
        """A request that did not end counts nowhere."""

    def _ended(self, seat: Seat, answer: Any) -> None:
        now = perf_counter_ns()
        at_ns, took, ended = now - self._started_ns, now - seat.sent_ns, seat.index
        if isinstance(answer, Exception):
            self._free()
            self._failed(answer, at_ns)
            pause = _RECONNECT_PAUSE if isinstance(answer, ServerUnavailable) else 0.0
            asyncio.get_running_loop().call_later(pause, self._resume, seat)
            return
        if self._running:
            seat.index = index = next(self._indices)
            seat.start(self._payloads[index])
        else:
            self._free()
        self._answered(ended, answer, at_ns, took, took)
