"""An answer tells what everything took that was sent for it, failures included."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tritonkit.client import (
    AsyncClient,
    Budget,
    ByCost,
    Cache,
    Cascade,
    Coalesce,
    Constant,
    Costs,
    Deadline,
    Fallback,
    FastThenAccurate,
    Hedge,
    InferRequest,
    Layer,
    LocalLedger,
    Price,
    Quota,
    Retry,
    Route,
    Spent,
    Stack,
    Tiers,
)
from tritonkit.client.layers.tiers.strategy import Strategy
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.errors import (
    CircuitOpen,
    DeadlineExceeded,
    InferenceFailed,
    NotConnected,
    RequestError,
    ServerUnavailable,
)

DEAR, CHEAP = 5, 1
"""Price of a row of either model, in millionths."""


class Server(FakeTransport):
    """Models "dear" and "cheap"; one fails as often as `fails` says, with `error`."""

    def __init__(self) -> None:
        super().__init__(
            self._answer,
            inputs={"x": [1]},
            outputs={"y": [2]},
            config={"parameters": {"tritonkit.model_digest": {"string_value": "A"}}},
        )
        self.fails: dict[str, int] = {}
        self.error: RequestError = InferenceFailed("boom")

    async def _answer(self, request: InferRequest) -> Any:
        if self.fails.get(request.model, 0) > 0:
            self.fails[request.model] -= 1
            raise self.error
        # Never sure: 0.5 each.
        return {"y": np.full((len(request.inputs["x"]), 2), 0.5, np.float32)}


def budget(*quotas: Quota, **options: Any) -> Budget:
    prices = {"dear": Price(row="0.000005"), "cheap": Price(row="0.000001")}
    return Budget(*quotas, costs=Costs(prices), ledger=LocalLedger(), **options)


def tiers(strategy: Strategy | None = None, **options: Any) -> Tiers:
    return Tiers(Route("a", model="dear"), Route("b", model="cheap"), strategy=strategy, **options)


def client(server: Server, *layers: Layer) -> AsyncClient:
    # Whether it is "dear" or "cheap" that is asked what it takes makes no difference.
    return AsyncClient(server, layers)


def retry(attempts: int = 2) -> Retry:
    return Retry(attempts, base=0, budget=1, min_per_second=100)


@pytest.fixture
def server() -> Server:
    return Server()


def dear(request: InferRequest) -> list[bool]:
    return [True] * len(request.inputs["x"])


@pytest.mark.parametrize(
    ("strategy", "attempts", "cost"),
    [
        (Fallback(), 2 + 1, 2 * DEAR + CHEAP),
        (FastThenAccurate(grace="5s"), 2 + 1, 2 * DEAR + CHEAP),
        (ByCost(dear), 2 + 1, 2 * DEAR + CHEAP),
        (Cascade(threshold=1.0), 1 + 2, CHEAP + 2 * DEAR),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_a_route_that_failed_is_counted(
    server: Server, strategy: Strategy, attempts: int, cost: int
) -> None:
    """Whatever the strategy: both attempts at the dear model failed, and may have been computed."""
    server.fails["dear"] = 2
    async with client(server, tiers(strategy), retry(), budget()) as one:
        trace = (await one.infer("m", [1.0])).trace
        assert (trace.attempts, trace.cost) == (attempts, cost)
        assert trace.degraded
        # As they are without a failure, for comparison.
        calm = (await one.infer("m", [1.0])).trace
        assert calm.degraded in ("", "fast: a is being computed")
        assert calm.attempts <= 2


async def test_attempts_that_failed_before_the_answer_are_paid(server: Server) -> None:
    """Those of a route that answers in the end."""
    server.fails["dear"] = 2
    async with client(server, tiers(), retry(3), budget()) as one:
        trace = (await one.infer("m", [1.0, 2.0])).trace
    assert (trace.tiers, trace.attempts, trace.cost) == (("a",), 3, 3 * 2 * DEAR)


@pytest.mark.parametrize("error", [NotConnected("down"), CircuitOpen("open")])
async def test_what_was_not_computed_costs_nothing(server: Server, error: RequestError) -> None:
    server.error, server.fails["dear"] = error, 2
    async with client(server, tiers(), retry(), budget()) as one:
        trace = (await one.infer("m", [1.0])).trace
    assert trace.cost == CHEAP
    assert trace.attempts == (1 if isinstance(error, CircuitOpen) else 3)


async def test_a_constant_tells_what_was_spent_in_vain(server: Server) -> None:
    server.fails = {"dear": 9, "cheap": 9}
    layers = tiers(last=[Constant({"y": 0})]), retry(), budget()
    async with client(server, *layers) as one:
        trace = (await one.infer("m", [1.0])).trace
    assert (trace.tiers, trace.attempts, trace.cost) == (("constant",), 4, 2 * DEAR + 2 * CHEAP)


@pytest.mark.parametrize("outer", [budget, lambda: budget(attempts=2)])
async def test_two_budgets_count_once(server: Server, outer: Callable[[], Budget]) -> None:
    server.fails["dear"] = 2
    async with client(server, tiers(), outer(), retry(), budget()) as one:
        trace = (await one.infer("m", [1.0])).trace
    assert trace.cost == 2 * DEAR + CHEAP


async def test_two_budgets_tell_of_the_same_money_once(server: Server) -> None:
    server.fails["dear"] = 2
    both = budget(attempts=2), budget()
    async with client(server, tiers(), both[0], retry(), both[1]) as one:
        trace = (await one.infer("m", [1.0])).trace
    told = [reading.value for each in both for reading in each.observe() if reading.name == "cost"]
    assert sum(told) == trace.cost == 2 * DEAR + CHEAP


async def test_a_budget_above_retry_charges_all_its_attempts(server: Server) -> None:
    server.fails["dear"] = 2
    async with client(server, tiers(), budget(attempts=2), retry()) as one:
        trace = (await one.infer("m", [1.0])).trace
    assert (trace.attempts, trace.cost) == (3, 2 * DEAR + CHEAP)


async def test_what_a_deadline_cuts_short_is_charged(server: Server) -> None:
    """The model hangs, and a Deadline in the route cancels what is below it."""
    answer = server.handler

    async def hang(request: InferRequest) -> Any:
        if request.model == "dear":
            await asyncio.sleep(60)
        return await answer(request)  # type: ignore[misc]

    server.handler = hang
    first = Route("a", model="dear", layers=[Deadline("10ms")])
    async with client(server, Tiers(first, Route("b", model="cheap")), budget()) as one:
        trace = (await one.infer("m", [1.0])).trace
    assert trace.cost == DEAR + CHEAP


@pytest.mark.parametrize("fails", ["first", "second"])
async def test_a_hedge_is_charged_once_whoever_fails(server: Server, fails: str) -> None:
    """Two requests were sent, and both are paid; each waits until the test lets it go."""
    gates: list[asyncio.Future[None]] = []
    answer = server.handler

    async def wait(request: InferRequest) -> Any:
        if slow:
            gates.append(asyncio.get_running_loop().create_future())
            await gates[-1]
        return await answer(request)  # type: ignore[misc]

    slow, server.handler = False, wait
    hedge = Hedge(models=["dear"], min_samples=1, budget=1)
    async with client(server, tiers(), hedge, budget()) as one:
        await one.infer("m", [1.0])
        slow = True
        call = asyncio.ensure_future(one.infer("m", [1.0]))
        async with asyncio.timeout(10):
            while len(gates) < 2:  # noqa: ASYNC110, what happens sets no event
                await asyncio.sleep(0.001)
        server.fails["dear"] = 1
        first, second = gates if fails == "first" else gates[::-1]
        first.set_result(None)
        await asyncio.sleep(0.01)
        second.set_result(None)
        trace = (await call).trace
    assert (trace.tiers, trace.attempts, trace.cost) == (("a",), 2, 2 * DEAR)


async def test_joined_callers_pay_together_for_what_failed(server: Server) -> None:
    """The sum is what was spent, however many waited for it."""
    server.fails["dear"] = 1
    layers = tiers(), Cache(), Coalesce(max_rows=8, window="20ms"), budget()
    async with client(server, *layers) as one:
        await one.infer("m", [9.0])
        server.fails["dear"] = 1
        answers = await asyncio.gather(*(one.infer("m", [float(i)]) for i in range(4)))
    costs = [answer.trace.cost for answer in answers]
    rows = [len(request.inputs["x"]) for request in server.requests[2:]]
    prices = [DEAR if request.model == "dear" else CHEAP for request in server.requests[2:]]
    assert sum(costs) == sum(row * price for row, price in zip(rows, prices, strict=True))


async def test_who_makes_a_request_reads_it_also_without_an_answer(server: Server) -> None:
    server.fails, server.error = {"dear": 9}, DeadlineExceeded("late")
    stack = Stack(server, [retry(), budget()])
    spent = Spent()
    x = np.zeros((3, 1), np.float32)
    with pytest.raises(DeadlineExceeded):
        await stack(InferRequest(model="dear", inputs={"x": x}, spent=spent))
    assert spent == Spent(2, 2 * 3 * DEAR)
    # Nobody asked.
    server.error = ServerUnavailable("gone")
    with pytest.raises(ServerUnavailable):
        await stack(InferRequest(model="dear", inputs={"x": x}))


async def test_groups_that_fail_at_the_same_time_are_both_charged(server: Server) -> None:
    """Either row's model fails while the other is asked, and the other model answers it."""
    answer = server.handler

    async def together(request: InferRequest) -> Any:
        await asyncio.sleep(0.001)
        return await answer(request)  # type: ignore[misc]

    server.handler = together
    server.fails = {"dear": 1, "cheap": 1}
    by_cost = ByCost(lambda request: request.inputs["x"][:, 0] > 1)
    async with client(server, tiers(by_cost), budget()) as one:
        trace = (await one.infer("m", [1.0, 2.0])).trace
    assert trace.cost == 2 * DEAR + 2 * CHEAP


async def test_a_hedge_that_lost_to_a_retry_is_charged(server: Server) -> None:
    """The first request failed once, was sent again, and answers before the second one."""
    gates: list[asyncio.Future[None]] = []
    answer = server.handler

    async def wait(request: InferRequest) -> Any:
        if slow and not server.fails["dear"]:
            gates.append(asyncio.get_running_loop().create_future())
            await gates[-1]
        return await answer(request)  # type: ignore[misc]

    slow, server.handler = False, wait
    hedge = Hedge(models=["dear"], min_samples=1, budget=1)
    async with client(server, tiers(), hedge, retry(), budget()) as one:
        await one.infer("m", [1.0])
        slow, server.fails["dear"] = True, 1
        call = asyncio.ensure_future(one.infer("m", [1.0]))
        async with asyncio.timeout(10):
            while len(gates) < 2:  # noqa: ASYNC110, what happens sets no event
                await asyncio.sleep(0.001)
        gates[0].set_result(None)
        trace = (await call).trace
    assert (trace.tiers, trace.attempts, trace.cost) == (("a",), 3, 3 * DEAR)
