"""Circuits around a transport that fails when it is told to."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from tritonkit.client import InferRequest, InferResponse, Route, Stack
from tritonkit.client.layers.breaker.breaker import MAX_CIRCUITS, Breaker
from tritonkit.client.types import Service
from tritonkit.errors import (
    BudgetExceeded,
    CircuitOpen,
    ConfigError,
    DeadlineExceeded,
    InferenceFailed,
    InvalidInput,
    LimitExceeded,
    ModelUnavailable,
    NotKept,
    ProtocolError,
    ServerOverloaded,
    ServerUnavailable,
)

if TYPE_CHECKING:
    from tests.client.layers.conftest import Kit, Model


def breaker(model: Model, **options: Any) -> Breaker:
    return Breaker(
        **{"min_calls": 4, "clock": model.clock, "random": Random(0), **options},
    )


async def fail(kit: type[Kit], stack: Stack, model: Model, times: int, error: Any = None) -> None:
    model.failure = error or ServerUnavailable("down")
    for _ in range(times):
        with pytest.raises(type(model.failure)):
            await kit.ask(stack, [1])
    model.failure = None


async def test_opens_and_asks_no_more(
    kit: type[Kit], model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    layer = breaker(model)
    stack = Stack(model.transport, [layer])
    with caplog.at_level(logging.WARNING):
        await fail(kit, stack, model, 4)
    assert layer.states() == {"m": "open"}
    with pytest.raises(CircuitOpen, match="4 of 4 calls failed") as refused:
        await kit.ask(stack, [1])
    assert len(model.sent) == 4
    assert refused.value.model == "m"
    assert 0.5 <= refused.value.retry_after <= 1
    assert caplog.messages == ["the circuit of model 'm' is open: 4 of 4 calls failed"]

    model.clock.advance(1)
    assert layer.states() == {"m": "half-open"}
    await kit.ask(stack, [1])
    assert layer.states() == {"m": "closed"}


async def test_each_model_and_version_has_its_own(kit: type[Kit], model: Model) -> None:
    layer = breaker(model)
    stack = Stack(model.transport, [layer])
    await fail(kit, stack, model, 4)
    await kit.ask(stack, [1], model="n")
    await kit.ask(stack, [1], version="1")
    assert layer.states() == {"m": "open", "n": "closed", "m:1": "closed"}


async def test_failures(kit: type[Kit], model: Model) -> None:
    for kind in (
        ServerUnavailable,
        ModelUnavailable,
        InferenceFailed,
        ProtocolError,
        DeadlineExceeded,
    ):
        layer = breaker(model)
        await fail(kit, Stack(model.transport, [layer]), model, 4, kind("e"))
        assert layer.states() == {"m": "open"}


async def test_what_says_nothing(kit: type[Kit], model: Model) -> None:
    """It neither opens nor closes a circuit, and a probe is free again."""
    for kind in (
        InvalidInput,
        ServerOverloaded,
        LimitExceeded,
        BudgetExceeded,
        NotKept,
        CircuitOpen,
        ConfigError,
        ZeroDivisionError,
        asyncio.CancelledError,
    ):
        layer = breaker(model)
        stack = Stack(model.transport, [layer])
        await fail(kit, stack, model, 20, kind("e"))
        assert layer.states() == {"m": "closed"}
        await fail(kit, stack, model, 4)
        model.clock.advance(1)
        await fail(kit, stack, model, 20, kind("e"))
        assert layer.states() == {"m": "half-open"}
        await kit.ask(stack, [1])
        assert layer.states() == {"m": "closed"}


async def test_a_deadline_shorter_than_calls_take(kit: type[Kit], model: Model) -> None:
    """A caller in a hurry says nothing about the model."""

    def handler(request: InferRequest) -> Any:
        remaining = request.remaining(model.clock())
        if remaining is not None and remaining < took:
            model.clock.advance(max(0.0, remaining))
            raise DeadlineExceeded("late")
        model.clock.advance(took)
        return {"y": request.inputs["x"]}

    took = 0.2
    model.transport.handler = handler
    layer = breaker(model)
    stack = Stack(model.transport, [layer])
    await kit.ask(stack, [1])
    for seconds in (0.1, 0.0, -1.0, 0.199) * 5:
        with pytest.raises(DeadlineExceeded):
            await kit.ask(stack, [1], deadline=model.clock() + seconds)
    assert layer.states() == {"m": "closed"}
    # The model has become slower than it was: now the same callers count.
    took = 1.0
    for _ in range(3):
        with pytest.raises(DeadlineExceeded):
            await kit.ask(stack, [1], deadline=model.clock() + 0.3)
    assert layer.states() == {"m": "open"}


async def test_deadlines_of_a_model_that_never_answered(kit: type[Kit], model: Model) -> None:
    layer = breaker(model)
    stack = Stack(model.transport, [layer])
    model.failure = DeadlineExceeded("late")
    for _ in range(4):
        with pytest.raises(DeadlineExceeded):
            await kit.ask(stack, [1], deadline=model.clock() + 0.001)
    assert layer.states() == {"m": "open"}


@pytest.mark.parametrize("late", [False, True])
async def test_cancelled_by_the_caller_or_by_the_deadline(
    kit: type[Kit], model: Model, late: bool
) -> None:
    """What cancels a call after its deadline is not a caller who lost interest."""
    layer = breaker(model)
    stack = Stack(model.transport, [layer])
    model.gate = asyncio.Event()
    deadline = model.clock() + 1
    calls = [asyncio.ensure_future(kit.ask(stack, [1], deadline=deadline)) for _ in range(4)]
    await kit.settle()
    model.clock.advance(1 if late else 0.5)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert layer.states() == {"m": "open" if late else "closed"}


async def test_slow_calls(kit: type[Kit], model: Model) -> None:
    layer = breaker(model, slow="100ms", slow_rate="100%")
    stack = Stack(model.transport, [layer])
    for _ in range(4):
        model.gate = asyncio.Event()
        call = asyncio.ensure_future(kit.ask(stack, [1]))
        await kit.settle()
        model.clock.advance(0.1)
        model.gate.set()
        await call
    assert layer.states() == {"m": "open"}
    with pytest.raises(CircuitOpen, match="4 of 4 calls took 100ms or longer"):
        await kit.ask(stack, [1])


@pytest.mark.parametrize("probes", [1, 3])
async def test_many_callers_of_a_half_open_circuit(
    kit: type[Kit], model: Model, probes: int
) -> None:
    """Exactly as many are let through as there are probes, at once and until they are back."""
    layer = breaker(model, probes=probes)
    stack = Stack(model.transport, [layer])
    await fail(kit, stack, model, 4)
    model.clock.advance(1)
    model.transport.requests.clear()
    model.gate = asyncio.Event()
    calls = [asyncio.ensure_future(kit.ask(stack, [n])) for n in range(50)]
    await kit.settle()
    assert len(model.sent) == probes
    model.gate.set()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert Counter(map(type, outcomes)) == {InferResponse: probes, CircuitOpen: 50 - probes}
    refused = next(outcome for outcome in outcomes if isinstance(outcome, CircuitOpen))
    assert refused.retry_after == 0
    assert "it is being probed" in str(refused)
    assert layer.states() == {"m": "closed"}


async def test_a_probe_that_is_cancelled_or_lost(kit: type[Kit], model: Model) -> None:
    layer = breaker(model, probe_timeout="5s")
    stack = Stack(model.transport, [layer])
    await fail(kit, stack, model, 4)
    model.clock.advance(1)
    model.gate = asyncio.Event()
    cancelled = asyncio.ensure_future(kit.ask(stack, [1]))
    await kit.settle()
    cancelled.cancel()
    await asyncio.wait([cancelled])
    lost = asyncio.ensure_future(kit.ask(stack, [1]))
    await kit.settle()
    with pytest.raises(CircuitOpen):
        await kit.ask(stack, [1])
    model.clock.advance(5)
    replacement = asyncio.ensure_future(kit.ask(stack, [1]))
    await kit.settle()
    assert len(model.sent) == 4 + 3
    model.gate.set()
    await asyncio.gather(lost, replacement)
    assert layer.states() == {"m": "closed"}


async def test_late_failures_of_an_older_generation(kit: type[Kit], model: Model) -> None:
    """Calls of before it opened end when it is open, half-open and closed again."""
    layer = breaker(model)
    stack = Stack(model.transport, [layer])
    gate = model.gate = asyncio.Event()
    model.failure = ServerUnavailable("down")
    late = [asyncio.ensure_future(kit.ask(stack, [1])) for _ in range(40)]
    await kit.settle()
    model.gate = None
    await fail(kit, stack, model, 4)
    states = []
    for cancelled in late[:3]:
        cancelled.cancel()
        await kit.settle()
        states.append(layer.states()["m"])
        if len(states) == 1:
            model.clock.advance(1)
        elif len(states) == 2:
            await kit.ask(stack, [1])
    gate.set()
    outcomes = await asyncio.gather(*late, return_exceptions=True)
    assert Counter(map(type, outcomes)) == {asyncio.CancelledError: 3, ServerUnavailable: 37}
    assert states == ["open", "half-open", "closed"]
    assert layer.states() == {"m": "closed"}


async def test_names_without_end_fill_no_memory(kit: type[Kit], model: Model) -> None:
    layer = breaker(model)
    stack = Stack(model.transport, [layer])
    await fail(kit, stack, model, 4)
    for number in range(MAX_CIRCUITS + 10):
        await kit.ask(stack, [1], model=f"n{number}")
    states = layer.states()
    assert len(states) == MAX_CIRCUITS
    # One that is open is kept.
    assert states["m"] == "open"


def test_works_in_several_event_loops(kit: type[Kit], model: Model) -> None:
    layer = breaker(model)
    stack = Stack(model.transport, [layer])
    for _ in range(4):
        asyncio.run(fail(kit, stack, model, 1))
    assert layer.states() == {"m": "open"}


@pytest.mark.parametrize("probes", [1, 3])
def test_threads_share_the_probes(model: Model, probes: int) -> None:
    """Each with an event loop of its own, and all at once."""
    layer, threads = breaker(model, probes=probes, min_calls=0), 12
    meeting, answered = threading.Barrier(threads), threading.Event()
    admitted: list[InferRequest] = []
    refused: list[CircuitOpen] = []

    async def down(request: InferRequest) -> InferResponse:
        raise ServerUnavailable("down")

    async def inner(request: InferRequest) -> InferResponse:
        admitted.append(request)
        await asyncio.to_thread(answered.wait, 30)
        return InferResponse(model="m", outputs={})

    async def ask(service: Service) -> None:
        await layer(InferRequest(model="m", inputs={}), service)

    def caller() -> None:
        meeting.wait(30)
        try:
            asyncio.run(ask(inner))
        except CircuitOpen as error:
            refused.append(error)
            if len(refused) == threads - probes:
                answered.set()

    with pytest.raises(ServerUnavailable):
        asyncio.run(ask(down))
    model.clock.advance(1)
    callers = [threading.Thread(target=caller) for _ in range(threads)]
    for each in callers:
        each.start()
    for each in callers:
        each.join()
    assert (len(admitted), len(refused)) == (probes, threads - probes)
    assert layer.states() == {"m": "closed"}


def test_a_child_finds_no_lock_held(model: Model) -> None:
    layer = breaker(model)
    with layer._lock:
        child = os.fork()
        if not child:
            os._exit(0 if layer.states() == {} else 1)
    assert os.waitpid(child, 0)[1] == 0


async def test_a_breaker_belongs_to_one_server(kit: type[Kit], model: Model) -> None:
    layer = breaker(model)
    Stack(model.transport, [layer])
    Route("same server", layers=[layer]).attach(model.transport)
    with pytest.raises(ConfigError, match="belongs to one server"):
        Route("another", layers=[layer], server=kit.Model().transport).attach(model.transport)


def test_arguments() -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"failure_rate": "101%"}, "failure_rate must be 0 to 1, or 0% to 100%, but got '101%'"),
        ({"slow_rate": -1}, "slow_rate must be"),
        ({"slow": "soon"}, "slow must be"),
        ({"min_calls": -1}, "min_calls must not be negative, but got min_calls=-1"),
        ({"probes": 0}, "probes must be at least 1, but got probes=0"),
        ({"window": 0}, "window must be above 0, but got window=0"),
        ({"open_for": "1m"}, "max_open_for must not be below open_for"),
    ]
    for options, message in wrong:
        with pytest.raises(ConfigError, match=message):
            Breaker(**options)


def test_repr() -> None:
    assert repr(Breaker()) == "Breaker('50%')"
    assert repr(Breaker(0.25, slow=0.08)) == "Breaker('25%', slow='80ms')"


def test_what_is_there_without_waiting_needs_no_circuit(model: Model) -> None:
    answer = InferResponse(model="m", outputs={})
    request = InferRequest(model="m", inputs={})
    assert breaker(model).now(request, lambda _: answer) is answer
