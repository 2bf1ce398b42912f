"""Places in front of a model: who gets one, who waits, who is shed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tritonkit.client import InferRequest, InferResponse, Stack
from tritonkit.client.layers.limit.admission import PRIORITIES
from tritonkit.client.layers.limit.limit import MAX_MODELS, Limit
from tritonkit.client.types import Priority
from tritonkit.errors import (
    ConfigError,
    DeadlineExceeded,
    InferenceFailed,
    LimitExceeded,
    ServerOverloaded,
)


def request(priority: Priority = "live", **fields: Any) -> InferRequest:
    x = np.zeros((1, 1), dtype=np.float32)
    return InferRequest(**{"model": "m", "inputs": {"x": x}, "priority": priority, **fields})


class Held:
    """Keeps each request until the test lets it go, by its id."""

    def __init__(self) -> None:
        self.requests: dict[str, asyncio.Future[None]] = {}
        self.order: list[str] = []
        self.highest = 0

    async def __call__(self, request: InferRequest) -> InferResponse:
        self.order.append(request.id)
        gate = self.requests[request.id] = asyncio.get_running_loop().create_future()
        self.highest = max(self.highest, len(self.requests))
        try:
            await gate
        finally:
            del self.requests[request.id]
        return InferResponse(model=request.model, outputs={})

    def answer(self, name: str, error: Exception | None = None) -> None:
        gate = self.requests[name]
        if error is None:
            gate.set_result(None)
        else:
            gate.set_exception(error)


@pytest.fixture
def held() -> Held:
    return Held()


class Calls:
    """Calls by their names, through one layer."""

    def __init__(self, layer: Limit, inner: Held, settle: Callable[[], Any]) -> None:
        self.layer, self.inner, self.settle = layer, inner, settle
        self.tasks: dict[str, asyncio.Task[InferResponse]] = {}

    async def start(self, name: str, priority: Priority = "live", **fields: Any) -> None:
        asked = request(priority, id=name, **fields)
        self.tasks[name] = asyncio.ensure_future(self.layer(asked, self.inner))
        await self.settle()

    async def answer(self, name: str, error: Exception | None = None) -> None:
        self.inner.answer(name, error)
        await self.settle()

    async def end(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


async def test_what_finds_no_place_waits_for_one(held: Held, kit: Any) -> None:
    calls = Calls(Limit(fixed=2), held, kit.settle)
    for name in "abcd":
        await calls.start(name)
    assert list(held.requests) == ["a", "b"]
    await calls.answer("b")
    assert list(held.requests) == ["a", "c"]
    assert calls.tasks["b"].result().model == "m"
    await calls.end()


async def test_failures_give_their_places_back(held: Held, kit: Any) -> None:
    calls = Calls(Limit(fixed=1), held, kit.settle)
    for name in "abcd":
        await calls.start(name)
    await calls.answer("a", InferenceFailed("no"))
    await calls.answer("b", RuntimeError("a bug"))
    calls.tasks["c"].cancel()
    await kit.settle()
    assert list(held.requests) == ["d"]
    for name, kind in (("a", InferenceFailed), ("b", RuntimeError)):
        assert isinstance(calls.tasks[name].exception(), kind)
    await calls.end()


async def test_the_important_go_first(held: Held, kit: Any) -> None:
    """Whatever the order of arrival; and within a priority who came first."""
    calls = Calls(Limit(fixed=1, queue=10), held, kit.settle)
    await calls.start("first")
    for name in ("shadow", "refresh", "batch", "live"):
        for number in (1, 2):
            await calls.start(f"{name}{number}", name)
    while held.requests:
        await calls.answer(next(iter(held.requests)))
    expected = [f"{name}{number}" for name in PRIORITIES for number in (1, 2)]
    assert held.order == ["first", *expected]
    await calls.end()


async def test_live_requests_find_room(held: Held, kit: Any) -> None:
    """However many batch and shadow requests there are, a fifth of the limit is for live."""
    calls = Calls(Limit(fixed=10, queue=50), held, kit.settle)
    for number in range(10):
        await calls.start(f"s{number}", "shadow")
        await calls.start(f"b{number}", "batch")
    assert sum(name.startswith("s") for name in held.requests) == 2
    assert len(held.requests) == 8
    for number in range(2):
        await calls.start(f"l{number}")
    assert {"l0", "l1"} <= set(held.requests)
    await calls.end()


async def test_the_newest_of_the_lowest_is_shed(held: Held, kit: Any) -> None:
    calls = Calls(Limit(fixed=1, queue=2), held, kit.settle)
    await calls.start("a")
    await calls.start("shadow1", "shadow")
    await calls.start("shadow2", "shadow")
    await calls.start("live1")
    error = calls.tasks["shadow2"].exception()
    assert isinstance(error, LimitExceeded)
    assert str(error) == (
        "a shadow request to model 'm' was shed: 1 are in flight of 1 that may be, and 2 wait"
    )
    assert error.model == "m"
    await calls.start("shadow3", "shadow")
    assert isinstance(calls.tasks["shadow3"].exception(), LimitExceeded)
    await calls.start("live2")
    assert isinstance(calls.tasks["shadow1"].exception(), LimitExceeded)
    await calls.start("live3")
    assert isinstance(calls.tasks["live3"].exception(), LimitExceeded)
    await calls.answer("a")
    assert list(held.requests) == ["live1"]
    await calls.end()


async def test_no_queue_sheds_at_once(held: Held, kit: Any) -> None:
    calls = Calls(Limit(fixed=1, queue=0), held, kit.settle)
    await calls.start("a")
    await calls.start("b")
    assert isinstance(calls.tasks["b"].exception(), LimitExceeded)
    await calls.end()


async def test_who_gives_up_waiting_makes_room(held: Held, kit: Any) -> None:
    """A cancelled waiter and one whose deadline passed leave nothing behind."""
    calls = Calls(Limit(fixed=1, queue=1), held, kit.settle)
    await calls.start("a")
    await calls.start("b")
    calls.tasks["b"].cancel()
    await kit.settle()
    await calls.start("c", deadline=monotonic() + 0.01)
    with pytest.raises(DeadlineExceeded, match="place among the 1 requests in flight to model 'm'"):
        await calls.tasks["c"]
    await calls.start("d")
    await calls.answer("a")
    assert held.order == ["a", "d"]
    await calls.end()


async def test_a_place_that_comes_with_the_cancellation_is_given_on(held: Held, kit: Any) -> None:
    calls = Calls(Limit(fixed=1), held, kit.settle)
    for name in "abc":
        await calls.start(name)
    # By then the place is b's, which has not run since.
    calls.tasks["a"].add_done_callback(lambda _: calls.tasks["b"].cancel())
    await calls.answer("a")
    assert calls.tasks["b"].cancelled()
    assert list(held.requests) == ["c"]
    await calls.end()


async def test_refusals_lower_the_limit(held: Held, kit: Any) -> None:
    """By a tenth; what was sent before stays in flight, and nothing new until it is below."""
    layer = Limit(10, maximum=10)
    calls = Calls(layer, held, kit.settle)
    # The first measurement is taken at less than the limit.
    for number in range(10):
        await calls.start(str(number))
    assert len(held.requests) == 7
    await calls.answer("0", ServerOverloaded("full"))
    assert len(held.requests) == 6
    await calls.answer("1", ServerOverloaded("full"))
    # Sent before the first refusal came: the same overload.
    assert len(held.requests) == 6
    await calls.answer("7", ServerOverloaded("full"))
    assert len(held.requests) == 6
    await calls.end()


async def test_models_and_instances_count_for_themselves(held: Held, kit: Any) -> None:
    one, other = Limit(fixed=1), Limit(fixed=1)
    calls = Calls(one, held, kit.settle)
    await calls.start("a")
    await calls.start("b", model="n")
    task = asyncio.ensure_future(other(request(id="c"), held))
    await kit.settle()
    assert list(held.requests) == ["a", "b", "c"]
    assert (one.saturated(), one.saturated("m"), one.saturated("unknown")) == (True, True, False)
    task.cancel()
    await calls.end()
    assert not one.saturated()


async def test_models_that_do_not_exist_do_not_fill_the_memory(held: Held, kit: Any) -> None:
    layer = Limit(fixed=1)
    calls = Calls(layer, held, kit.settle)
    await calls.start("a")

    async def refuse(request: InferRequest) -> InferResponse:
        raise ServerOverloaded("full")

    for number in range(MAX_MODELS + 5):
        with pytest.raises(ServerOverloaded):
            await layer(request(model=f"n{number}"), refuse)
    (models,) = layer._models.values()
    assert len(models) == MAX_MODELS
    # What is in flight is not forgotten.
    assert layer.saturated("m")
    await calls.end()


def test_an_event_loop_that_ended_holds_no_places(held: Held) -> None:
    layer = Limit(fixed=1, queue=0)

    async def leave_open() -> None:
        task = asyncio.ensure_future(layer(request(id="a"), held))
        await asyncio.sleep(0)
        task.cancel()

    async def ask() -> None:
        task = asyncio.ensure_future(layer(request(id="b"), held))
        await asyncio.sleep(0)
        held.answer("b")
        await task

    asyncio.run(leave_open())
    asyncio.run(ask())


async def test_what_is_kept_below_takes_no_place(model: Any, kit: Any) -> None:
    stack = Stack(model.transport, [Limit(fixed=1), model.cache()])
    await kit.ask(stack, [1.0])
    assert stack.now(request()) is None
    x = np.ones((1, 1), dtype=np.float32)
    answer = stack.now(request(inputs={"x": x}))
    assert answer is not None
    assert answer["y"] == 1.0


@given(data=st.data(), limit=st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_never_more_in_flight_than_allowed(data: st.DataObject, limit: int) -> None:
    """Any order of arrivals, answers, failures and cancellations; everything ends."""

    async def run() -> None:
        held = Held()
        layer = Limit(fixed=limit, queue=data.draw(st.integers(0, 4)))
        tasks: list[asyncio.Task[InferResponse]] = []
        for step in range(data.draw(st.integers(1, 25))):
            match data.draw(st.sampled_from(["arrive", "arrive", "answer", "fail", "cancel"])):
                case "arrive":
                    asked = request(data.draw(st.sampled_from(PRIORITIES)), id=str(step))
                    tasks.append(asyncio.ensure_future(layer(asked, held)))
                case "answer" if held.requests:
                    held.answer(data.draw(st.sampled_from(sorted(held.requests))))
                case "fail" if held.requests:
                    name = data.draw(st.sampled_from(sorted(held.requests)))
                    held.answer(name, ServerOverloaded("full"))
                case "cancel" if tasks:
                    data.draw(st.sampled_from(tasks)).cancel()
            for _ in range(data.draw(st.integers(4, 8))):
                await asyncio.sleep(0)
        while any(not task.done() for task in tasks):
            for name in list(held.requests):
                if not held.requests[name].done():
                    held.answer(name)
            await asyncio.sleep(0)
        assert held.highest <= limit
        for task in tasks:
            assert task.cancelled() or isinstance(
                task.exception(), LimitExceeded | ServerOverloaded | None
            )
        for model in (model for models in layer._models.values() for model in models.values()):
            assert (model.admission.in_flight, model.admission.waiting) == (0, 0)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fixed": 0}, "fixed=0"),
        ({"initial": 0}, "initial=0"),
        ({"minimum": 0}, "minimum=0"),
        ({"initial": 2000}, "initial=2000"),
        ({"queue": -1}, "queue=-1"),
        ({"tolerance": 0.9}, "tolerance=0.9"),
        ({"shares": {"batch": 1.1}}, "1.1 for 'batch'"),
        ({"shares": {"bulk": 0.5}}, "live, batch, refresh, shadow, but got 'bulk'"),
    ],
)
def test_wrong_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Limit(**options)


def test_is_shown() -> None:
    assert repr(Limit()) == "Limit(20, minimum=1, maximum=1000)"
    assert repr(Limit(fixed=3)) == "Limit(fixed=3)"
