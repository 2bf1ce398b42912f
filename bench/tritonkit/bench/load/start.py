"""From the shape of a load to what issues it in this process."""

from __future__ import annotations

import asyncio

from tritonkit.bench.load.closed import ClosedLoop
from tritonkit.bench.load.local import LocalLoop
from tritonkit.bench.load.open import OpenLoop
from tritonkit.bench.load.requests import Requests
from tritonkit.bench.load.shape import Closed, Load
from tritonkit.bench.load.share import Share
from tritonkit.bench.record.recorder import Recorder

__all__ = ["local_loop"]


def local_loop(
    load: Load,
    requests: Requests,
    *,
    timeout: float,
    seed: int = 0,
    share: Share | None = None,
    recorder: Recorder | None = None,
    start_ns: int | None = None,
    interrupt: asyncio.Event | None = None,
) -> LocalLoop:
    """A closed or an open loop; the arguments are those of both."""
    if isinstance(load, Closed):
        return ClosedLoop(
            requests,
            concurrency=load.concurrency,
            timeout=timeout,
            seed=seed,
            share=share,
            recorder=recorder,
            start_ns=start_ns,
            interrupt=interrupt,
        )
    return OpenLoop(
        requests,
        arrivals=load.arrivals,
        max_in_flight=load.max_in_flight,
        timeout=timeout,
        seed=seed,
        share=share,
        recorder=recorder,
        start_ns=start_ns,
        interrupt=interrupt,
    )
