"""Deadlines that are given, shortened and kept, and what of them reaches a server."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tritonkit.client import AsyncClient, InferRequest, InferResponse, Route, Stack
from tritonkit.client.layers.breaker.breaker import Breaker
from tritonkit.client.layers.deadline.deadline import Deadline
from tritonkit.client.layers.retry.retry import Retry
from tritonkit.client.stack import Layer
from tritonkit.client.types import Service
from tritonkit.errors import ConfigError, DeadlineExceeded, InferenceFailed

if TYPE_CHECKING:
    from tests.client.layers.conftest import Kit, Model


async def test_the_earlier_deadline_goes_on(kit: type[Kit], model: Model) -> None:
    stack = Stack(model.transport, [Deadline("10s")])
    now = monotonic()
    await kit.ask(stack, [1])
    await kit.ask(stack, [1], deadline=now + 5)
    await kit.ask(stack, [1], deadline=now + 1000)
    given, kept, shortened = (request.deadline or 0 for request in model.transport.requests)
    assert now + 10 <= given <= monotonic() + 10
    assert kept == now + 5
    assert now + 10 <= shortened <= monotonic() + 10


async def test_it_is_kept_whatever_is_below(kit: type[Kit], model: Model) -> None:
    """What hangs is cancelled; what ends by itself says so itself."""
    model.gate = asyncio.Event()
    with pytest.raises(DeadlineExceeded, match="model 'm' gave no answer in 10ms"):
        await kit.ask(Stack(model.transport, [Deadline("10ms")]), [1])
    assert model.cancelled == 1
    with pytest.raises(DeadlineExceeded, match="gave no answer"):
        await kit.ask(Stack(model.transport, [Deadline("1h")]), [1], deadline=monotonic() + 0.01)
    assert model.cancelled == 2


async def test_a_client_keeps_it_also_before_the_stack(model: Model) -> None:
    """A new client asks what the model takes; a server that hangs must not hang its callers."""
    model.transport.asking = asyncio.Event()
    async with asyncio.timeout(10):
        async with AsyncClient(model.transport, [Deadline("20ms")]) as client:
            with pytest.raises(DeadlineExceeded, match="metadata"):
                await client.infer("m", {"x": [[1.0]]})
            with pytest.raises(DeadlineExceeded, match="metadata"):
                await client.submit("m", {"x": [[1.0]]})
            began = monotonic()
            with pytest.raises(DeadlineExceeded, match="metadata"):
                await client.infer("m", {"x": [[1.0]]}, timeout="10ms")
            assert monotonic() - began < 5


async def test_no_time_at_all(kit: type[Kit], model: Model) -> None:
    with pytest.raises(DeadlineExceeded, match="passed before"):
        await kit.ask(Stack(model.transport, [Deadline(0)]), [1])
    with pytest.raises(DeadlineExceeded, match="passed before"):
        await kit.ask(Stack(model.transport, [Deadline("1s")]), [1], deadline=monotonic() - 1)
    assert model.sent == []


async def test_other_errors_stay_what_they_are(kit: type[Kit], model: Model) -> None:
    stack = Stack(model.transport, [Deadline("10s")])
    for error in (TimeoutError("another"), DeadlineExceeded("late"), InferenceFailed("e")):
        model.failure = error
        with pytest.raises(type(error)) as raised:
            await kit.ask(stack, [1])
        assert raised.value is error


async def test_a_caller_may_cancel(kit: type[Kit], model: Model) -> None:
    model.gate = asyncio.Event()
    call = asyncio.ensure_future(kit.ask(Stack(model.transport, [Deadline("10s")]), [1]))
    await kit.settle()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert model.cancelled == 1


async def test_a_breaker_below_learns_of_it(kit: type[Kit], model: Model) -> None:
    """Although it sees nothing but a cancelled call."""
    breaker = Breaker(min_calls=2)
    stack = Stack(model.transport, [Deadline("10ms"), breaker])
    model.gate = asyncio.Event()
    for _ in range(2):
        with pytest.raises(DeadlineExceeded):
            await kit.ask(stack, [1])
    assert breaker.states() == {"m": "open"}


async def test_below_retry_it_is_one_attempts(kit: type[Kit], model: Model) -> None:
    """The first attempt hangs, the second does not."""

    class Hangs(Layer):
        times = 1

        async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
            if self.times:
                self.times -= 1
                await asyncio.Event().wait()
            return await inner(request)

    stack = Stack(model.transport, [Deadline("1h"), Retry(base=0), Deadline("20ms"), Hangs()])
    assert (await kit.ask(stack, [1])).trace.attempts == 2


def test_arguments() -> None:
    with pytest.raises(ConfigError, match="timeout must be"):
        Deadline("-1s")
    assert repr(Deadline("80ms")) == "Deadline('80ms')"


async def test_a_routes_timeout_is_a_deadline_too(kit: type[Kit], model: Model) -> None:
    """The earliest of all of them goes on."""
    route = Route("r", timeout="1s", layers=[Deadline("2s")])
    now = monotonic()
    await route(InferRequest(model="m", inputs={"x": np.zeros((1, 1))}), model.transport)
    assert now + 1 <= (model.transport.requests[0].deadline or 0) <= monotonic() + 1
