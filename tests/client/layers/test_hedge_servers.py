"""Second requests over several servers: somewhere else, and none where there is no room."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tritonkit.client import Endpoints, Hedge, InferRequest, Limit, Retry, Stack
from tritonkit.client.policy.policy import Policy
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.errors import ConfigError, ServerUnavailable

REQUEST = InferRequest(model="m", inputs={"x": np.zeros((1, 1), np.float32)})


class Server(FakeTransport):
    """Answers at once, or when the test lets it."""

    def __init__(self, number: int) -> None:
        super().__init__(self._answer, inputs={"x": (1,)}, outputs={"y": (1,)})
        self.number = number
        self.gate: asyncio.Event | None = None
        self.errors: list[Exception] = []

    def __repr__(self) -> str:
        return f"s{self.number}"

    async def _answer(self, request: InferRequest) -> dict[str, Any]:
        if self.errors:
            raise self.errors.pop()
        if self.gate is not None:
            await self.gate.wait()
        return {"y": request.inputs["x"] + self.number}


def hedge(**options: Any) -> Hedge:
    return Hedge(**{"min_samples": 5, "budget": 1.0, "models": ["m"], **options})


class Scene:
    """A stack whose Hedge has learned that answers take less than a millisecond."""

    def __init__(self, count: int, *layers: Any, seed: int = 1, **options: Any) -> None:
        self.servers = [Server(number) for number in range(count)]
        self.endpoints = Endpoints(*self.servers, rng=random.Random(seed))
        self.stack = Stack(self.endpoints, [hedge(**options), *layers])

    async def learn(self) -> None:
        for _ in range(20):
            await self.stack(REQUEST)
        for one in self.servers:
            one.requests.clear()
            one.gate = asyncio.Event()

    def start(self, count: int = 1) -> list[asyncio.Future[Any]]:
        return [asyncio.ensure_future(self.stack(REQUEST)) for _ in range(count)]

    @property
    def sent(self) -> list[int]:
        return [len(one.requests) for one in self.servers]

    async def until(self, total: int) -> None:
        async with asyncio.timeout(10):
            while sum(self.sent) < total:  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    async def end(self, *calls: asyncio.Future[Any]) -> None:
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert all(state.outstanding == 0 for state in self.endpoints.states)
        await self.stack.aclose()


@given(count=st.integers(2, 4), busy=st.integers(0, 5), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_the_second_request_goes_to_another_server(count: int, busy: int, seed: int) -> None:
    """However busy the others are: the least busy one would be the first one again."""

    async def run() -> None:
        scene = Scene(count, seed=seed)
        await scene.learn()
        key = ("m", "")
        (call,) = scene.start()
        await scene.until(1)
        first = scene.sent.index(1)
        members = list(scene.endpoints._fleet.members.values())
        others = [
            one.begin(key, 0.0) for one in members if one is not members[first] for _ in range(busy)
        ]
        await scene.until(2)
        assert max(scene.sent) == 1
        for attempt in others:
            del attempt.member.attempts[attempt]
        await scene.end(call)

    asyncio.run(run())


async def test_a_retry_of_the_first_does_not_join_the_second() -> None:
    """Three servers: one fails what it was sent, the second request is at another one."""
    scene = Scene(3, Retry(3, base="20ms", cap="20ms", budget="100%"))
    await scene.learn()
    for one in scene.servers:
        one.errors.append(ServerUnavailable("broke"))
    calls = scene.start()
    await scene.until(4)
    busy = [state.outstanding for state in scene.endpoints.states]
    assert max(busy) <= 1
    await scene.end(*calls)


async def test_where_only_one_is_well_it_is_asked_again(kit: Any) -> None:
    """It may be several instances; a server that is out is no choice."""
    scene = Scene(2)
    await scene.learn()
    scene.endpoints._fleet.members["s1"].health.eject(float("inf"))
    (call,) = scene.start()
    await scene.until(2)
    assert scene.sent == [2, 0]
    await scene.end(call)


async def passed() -> None:
    """Longer than until a second request is due; that there is none cannot be waited for."""
    await asyncio.sleep(0.02)


async def test_none_while_the_limit_below_is_reached() -> None:
    """And it does not wait for a place: the next call has it."""
    scene = Scene(1, limit := Limit(fixed=2))
    await scene.learn()
    calls = scene.start(2)
    await passed()
    assert scene.sent == [2]
    assert limit.saturated("m")
    assert next(iter(limit._models.values()))["m", ""].admission.waiting == 0
    await scene.end(*calls)


async def test_with_a_place_left_there_is_one() -> None:
    scene = Scene(1, Limit(fixed=2))
    await scene.learn()
    (call,) = scene.start()
    await scene.until(2)
    await scene.end(call)


async def test_none_where_only_the_first_ones_server_has_room() -> None:
    """The limit of the two together would let it pass."""
    scene = Scene(2, Limit(fixed=2), percentile=100)
    await scene.learn()
    calls = scene.start(2)
    await scene.until(2)
    # Each has gone to a server of its own, and each has its second at the other one.
    await scene.until(4)
    assert scene.sent == [2, 2]
    await scene.end(*calls)

    scene = Scene(2, limit := Limit(fixed=2))
    await scene.learn()
    (call,) = scene.start()
    await scene.until(1)
    first = scene.sent.index(1)
    other = next(iter(limit._models.values()))["m", ""].limits.of(f"s{1 - first}")
    other.in_flight += 2
    await passed()
    assert sum(scene.sent) == 1
    other.in_flight -= 2
    await scene.end(call)


@pytest.mark.parametrize(("at", "second"), [(0, 0), (3, 0), (4, 3), (None, 3)])
async def test_none_from_so_many_calls_on(at: int | None, second: int) -> None:
    scene = Scene(2, saturated_at=at)
    await scene.learn()
    calls = scene.start(3)
    await scene.until(3 + second)
    await passed()
    assert sum(scene.sent) == 3 + second
    await scene.end(*calls)


def test_can_be_said_in_a_file() -> None:
    text = """
    server = "http://localhost:1"
    [[layers]]
    type = "hedge"
    saturated_at = 64
    """
    _, (layer,) = Policy(text).build()
    assert isinstance(layer, Hedge)
    assert layer.saturated_at == 64


def test_wrong_arguments() -> None:
    with pytest.raises(ConfigError, match="saturated_at=-1"):
        Hedge(saturated_at=-1)
