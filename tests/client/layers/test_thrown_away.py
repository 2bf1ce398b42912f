"""
Calls that are thrown away: their event loop was closed, and the garbage collector ends them.

It runs in whatever context, and with whatever locks held, the thread has at that moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from threading import Thread
from typing import Any

import numpy as np
import pytest

from tritonkit.client import (
    Breaker,
    Budget,
    Hedge,
    InferRequest,
    InferResponse,
    Layer,
    Limit,
    LocalLedger,
    Quota,
    Retry,
)
from tritonkit.client.placement import Placement, placements
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.errors import ServerUnavailable

REQUEST = InferRequest(model="m", inputs={"x": np.zeros((1, 1), np.float32)})
ANSWER = InferResponse(model="m", outputs={})


async def answers(request: InferRequest) -> InferResponse:
    return ANSWER


async def never(request: InferRequest) -> InferResponse:
    await asyncio.get_running_loop().create_future()
    return ANSWER


def begun(layer: Layer) -> Coroutine[Any, Any, InferResponse]:
    """A call that waits for its answer, begun in a context of its own."""
    call = layer(REQUEST, never)
    copy_context().run(call.send, None)
    return call


class Several(FakeTransport):
    several = True


class Wish(Placement):
    def suits(self, server: str) -> bool:
        return True


def limit() -> Limit:
    layer = Limit(fixed=1)
    layer.attach(Several(lambda request: {}, inputs={"x": [1]}, outputs={}))
    return layer


@pytest.mark.parametrize(
    "make", [limit, lambda: Hedge(models=["m"], min_samples=1), Retry], ids=lambda make: ""
)
async def test_it_ends_in_the_context_of_another_call(make: Callable[[], Layer]) -> None:
    """What it held is free, and the other call's own wishes stay."""
    layer = make()
    await layer(REQUEST, answers)
    call = begun(layer)
    wishes = (Wish(),)
    token = placements.set(wishes)
    try:
        call.close()
        assert placements.get() is wishes
    finally:
        placements.reset(token)
    assert not isinstance(layer, Limit) or not layer.saturated()
    assert await layer(REQUEST, answers) is not None


async def test_another_retry_goes_on_as_it_was() -> None:
    """Below it a Retry still leaves the attempts to it."""
    thrown, outer, inner = begun(Retry()), Retry(2, base=0), Retry(2, base=0)
    sent = 0

    async def fails(request: InferRequest) -> InferResponse:
        nonlocal sent
        sent += 1
        thrown.close()
        raise ServerUnavailable("gone")

    with pytest.raises(ServerUnavailable, match="gone"):
        await outer(REQUEST, lambda request: inner(request, fails))
    assert sent == 2


class Collector:
    """A clock that ends a call when it is asked, as the garbage collector may at any moment."""

    def __init__(self) -> None:
        self.call: Coroutine[Any, Any, InferResponse] | None = None

    def __call__(self) -> float:
        call, self.call = self.call, None
        if call is not None:
            call.close()
        return 1.0


def breaker(clock: Collector) -> Layer:
    return Breaker(clock=clock)


def budget(clock: Collector) -> Layer:
    return Budget(Quota("9 calls", window="1h"), ledger=LocalLedger(clock=clock))


@pytest.mark.parametrize("make", [breaker, budget])
def test_it_ends_while_its_layer_is_locked(make: Callable[[Collector], Layer]) -> None:
    """By the same thread, which would wait for itself."""
    clock = Collector()
    layer = make(clock)

    async def work() -> None:
        clock.call = begun(layer)
        await layer(REQUEST, answers)

    # A thread that waits for itself can only be left behind.
    thread = Thread(target=lambda: asyncio.run(work()), daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
