"""A limit of each server's own: in a simulation, and over endpoints that come and go."""

from __future__ import annotations

import asyncio
import heapq
import random
import statistics
from collections import Counter, deque
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tritonkit.client import (
    Endpoints,
    InferRequest,
    InferResponse,
    Layer,
    Limit,
    Service,
    Stack,
)
from tritonkit.client.layers.limit.gradient import Gradient
from tritonkit.client.layers.limit.servers import MAX_SERVERS, ServerLimit, ServerLimits
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.client.types import Priority
from tritonkit.errors import LimitExceeded, ServerOverloaded

REQUEST = InferRequest(model="m", inputs={"x": np.zeros((1, 1), np.float32)})


def limits(**options: Any) -> ServerLimits:
    bounds = {"initial": 20, "minimum": 1, "maximum": 1000, **options}
    return ServerLimits(lambda: ServerLimit(Gradient(**bounds), 0))


class Farm:
    """
    Servers of so many instances each, 10 ms a request, and always more to send.

    As over Endpoints: the one with fewer in flight of two at random that have room.
    """

    def __init__(self, instances: dict[str, int], seed: int) -> None:
        self.limits = limits()
        self.instances = dict(instances)
        self.serving = list(instances)
        self.now, self.in_flight = 0.0, 0
        self.seen: dict[str, list[int]] = {}
        self._random = random.Random(seed)
        self._queues = {name: deque[tuple[float, int]]() for name in instances}
        self._at_work = Counter[str]()
        self._working: list[tuple[float, str, float, int]] = []

    def run(self, answers: int) -> None:
        self.seen = {name: [] for name in self.instances}
        for _ in range(answers):
            while self.in_flight < self.limits.allowed(self.serving):
                self._send()
            for name, queue in self._queues.items():
                while queue and self._at_work[name] < self.instances[name]:
                    self._at_work[name] += 1
                    ends = self.now + 0.01 * self._random.lognormvariate(-0.125, 0.5)
                    heapq.heappush(self._working, (ends, name, *queue.popleft()))
            self.now, name, started, in_flight = heapq.heappop(self._working)
            self._at_work[name] -= 1
            self.in_flight -= 1
            one = self.limits.of(name)
            one.in_flight -= 1
            one.answered(started, self.now, in_flight)
            self.seen[name].append(one.allowed)

    def _send(self) -> None:
        # There is a place among all of them only where one of them has room.
        room = [name for name in self.serving if self.limits.room(name)]
        two = self._random.sample(room, min(2, len(room)))
        name = min(two, key=lambda name: self.limits.of(name).in_flight)
        one = self.limits.of(name)
        one.in_flight += 1
        self.in_flight += 1
        self._queues[name].append((self.now, one.in_flight))

    def typical(self, name: str) -> float:
        seen = self.seen[name]
        return statistics.median(seen[len(seen) // 2 :])


def near(capacity: int) -> Any:
    """Within 20 %, as the limit of one server alone."""
    return pytest.approx(capacity, rel=0.2)


def test_each_server_has_the_limit_of_its_own_capacity() -> None:
    farm = Farm({"a": 16, "b": 24, "c": 40}, seed=1)
    farm.run(25_000)
    assert [farm.typical(name) for name in "abc"] == [near(16), near(24), near(40)]


def test_one_that_is_left_out_takes_its_part_along_and_brings_it_back() -> None:
    """At once both ways: nobody has to learn anew what the servers bear."""
    farm = Farm({"a": 16, "b": 16, "c": 16}, seed=2)
    farm.run(20_000)
    before = farm.limits.allowed("abc")
    part = farm.limits.of("c").allowed
    still = farm.limits.of("c").in_flight
    farm.serving = ["a", "b"]
    # What is still at the third takes no place from the others.
    assert farm.limits.allowed("ab") == before - part + still
    farm.run(8_000)
    away = farm.limits.of("c")
    assert away.in_flight == 0
    # By itself, or 3/4 of it: what it bore is remembered.
    assert 0.6 * 16 <= away.allowed <= 1.2 * 16
    assert [farm.typical(name) for name in "ab"] == [near(16), near(16)]
    farm.serving = ["a", "b", "c"]
    farm.run(10_000)
    assert [farm.typical(name) for name in "abc"] == [near(16)] * 3


def test_a_brownout_of_one_is_that_ones_alone() -> None:
    farm = Farm({"a": 24, "b": 24}, seed=3)
    farm.run(15_000)
    farm.instances["a"] = 6
    farm.run(15_000)
    assert farm.typical("a") <= 1.35 * 6
    assert farm.typical("b") == near(24)
    farm.instances["a"] = 24
    farm.run(20_000)
    assert [farm.typical(name) for name in "ab"] == [near(24), near(24)]


def test_addresses_that_come_and_go_do_not_fill_the_memory() -> None:
    known = limits()
    known.of("busy").in_flight = 3
    for number in range(MAX_SERVERS + 5):
        known.of(str(number))
    assert len(known._by_name) == MAX_SERVERS
    assert known.of("busy").in_flight == 3


class Server(FakeTransport):
    """Keeps each request until the test lets it go."""

    def __init__(self, number: int) -> None:
        super().__init__(self._hold, inputs={"x": (1,)}, outputs={"y": (1,)})
        self.number = number
        self.held: list[asyncio.Future[None]] = []
        self.highest = 0

    def __repr__(self) -> str:
        return f"s{self.number}"

    async def _hold(self, request: InferRequest) -> dict[str, Any]:
        gate = asyncio.get_running_loop().create_future()
        self.held.append(gate)
        self.highest = max(self.highest, len(self.held))
        try:
            await gate
        finally:
            self.held.remove(gate)
        return {"y": request.inputs["x"]}


def leave_out(endpoints: Endpoints, number: int) -> None:
    endpoints._fleet.members[f"s{number}"].health.eject(0.0)


def take_back(endpoints: Endpoints, number: int) -> None:
    endpoints._fleet.members[f"s{number}"].health.take_back(0.0)


def start(stack: Stack, count: int, **fields: Any) -> list[asyncio.Future[InferResponse]]:
    return [asyncio.ensure_future(stack(replace(REQUEST, **fields))) for _ in range(count)]


async def end(stack: Stack, *calls: asyncio.Future[InferResponse]) -> None:
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await stack.aclose()


async def test_the_limit_follows_the_servers_in_service(kit: Any) -> None:
    servers = [Server(number) for number in range(3)]
    endpoints = Endpoints(*servers)
    layer = Limit(fixed=4)
    stack = Stack(endpoints, [layer])
    calls = start(stack, 20)
    await kit.settle()
    assert [len(one.held) for one in servers] == [4, 4, 4]
    assert layer.saturated("m")
    leave_out(endpoints, 0)
    for gate in list(servers[0].held):
        gate.set_result(None)
    await kit.settle()
    # The eight that wait are not let loose on the two.
    assert [len(one.held) for one in servers] == [0, 4, 4]
    take_back(endpoints, 0)
    servers[1].held[0].set_result(None)
    await kit.settle()
    assert [len(one.held) for one in servers] == [4, 4, 4]
    await end(stack, *calls)


async def test_who_waits_goes_where_there_is_room_first(kit: Any) -> None:
    """Not where it would have gone when it came."""
    servers = [Server(0), Server(1)]
    stack = Stack(Endpoints(*servers), [Limit(fixed=2)])
    calls = start(stack, 6)
    await kit.settle()
    for _ in range(2):
        servers[1].held[0].set_result(None)
        await kit.settle()
    assert [len(one.held) for one in servers] == [2, 2]
    assert [len(one.requests) for one in servers] == [2, 4]
    await end(stack, *calls)


async def test_only_the_server_that_refused_has_a_lower_limit(kit: Any) -> None:
    servers = [Server(0), Server(1)]
    layer = Limit(8, maximum=8)
    stack = Stack(Endpoints(*servers), [layer])
    calls = start(stack, 20)
    await kit.settle()
    # Measured at less than the limit first.
    assert [len(one.held) for one in servers] == [6, 6]
    servers[0].held[0].set_exception(ServerOverloaded("full"))
    await kit.settle()
    assert [len(one.held) for one in servers] == [5, 6]
    await end(stack, *calls)


class Besides(Layer):
    """Sends each request a second time, which goes on when the first one is answered."""

    def __init__(self) -> None:
        self.copies: list[asyncio.Future[InferResponse]] = []

    async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
        answer = await inner(request)
        self.copies.append(asyncio.ensure_future(inner(request)))
        await asyncio.sleep(0)
        return answer


async def test_what_a_layer_below_leaves_behind_takes_no_place(kit: Any) -> None:
    """It has none; nor does it make room for more than the limit."""
    servers = [Server(0), Server(1)]
    endpoints, layer, besides = Endpoints(*servers), Limit(fixed=2), Besides()
    stack = Stack(endpoints, [layer, besides])
    calls = start(stack, 4)
    await kit.settle()
    for one in servers:
        for gate in list(one.held):
            gate.set_result(None)
    await asyncio.gather(*calls)
    assert len(besides.copies) == 4
    (model,) = (model for models in layer._models.values() for model in models.values())
    assert model.limits.allowed(["s0", "s1"]) == 4
    assert {one.in_flight for one in model.limits._by_name.values()} == {0}
    await end(stack, *besides.copies)
    assert {one.in_flight for one in model.limits._by_name.values()} == {0}


async def test_over_two_transports_all_count_as_one(kit: Any) -> None:
    servers = [Server(0), Server(1)]
    layer = Limit(fixed=3)
    stacks = [Stack(Endpoints(one), [layer]) for one in servers]
    calls = [*start(stacks[0], 2), *start(stacks[1], 2)]
    await kit.settle()
    assert sum(len(one.held) for one in servers) == 3
    await end(stacks[0], *calls)
    await stacks[1].aclose()


@given(data=st.data(), limit=st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_never_more_at_a_server_than_allowed(data: st.DataObject, limit: int) -> None:
    """Whatever comes, ends, fails, is left out and comes back; and no place is lost."""

    async def run() -> None:
        servers = [Server(number) for number in range(3)]
        endpoints = Endpoints(*servers)
        layer = Limit(fixed=limit, queue=data.draw(st.integers(0, 4)))
        stack = Stack(endpoints, [layer])
        calls: list[asyncio.Future[InferResponse]] = []
        priorities: list[Priority] = ["live", "batch", "shadow"]
        steps = ["arrive", "arrive", "arrive", "answer", "refuse", "cancel", "out", "back"]
        for _ in range(data.draw(st.integers(1, 30))):
            one = data.draw(st.sampled_from(servers))
            match data.draw(st.sampled_from(steps)):
                case "arrive":
                    calls += start(stack, 1, priority=data.draw(st.sampled_from(priorities)))
                case "answer" if one.held:
                    one.held[0].set_result(None)
                case "refuse" if one.held:
                    one.held[0].set_exception(ServerOverloaded("full"))
                case "cancel" if calls:
                    data.draw(st.sampled_from(calls)).cancel()
                case "out":
                    leave_out(endpoints, one.number)
                case "back":
                    take_back(endpoints, one.number)
            for _ in range(data.draw(st.integers(12, 20))):
                await asyncio.sleep(0)
        while any(not call.done() for call in calls):
            for gate in [gate for one in servers for gate in one.held if not gate.done()]:
                gate.set_result(None)
            await asyncio.sleep(0)
        assert max(one.highest for one in servers) <= limit
        for call in calls:
            assert call.cancelled() or isinstance(
                call.exception(), LimitExceeded | ServerOverloaded | None
            )
        for model in (model for models in layer._models.values() for model in models.values()):
            assert (model.admission.in_flight, model.admission.waiting) == (0, 0)
            assert {one.in_flight for one in model.limits._by_name.values()} <= {0}
        await stack.aclose()

    asyncio.run(run())
