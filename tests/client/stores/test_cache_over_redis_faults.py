"""
Redis ill-treated in the middle of traffic through a cache: every call answered, every answer right.

Two stacks stand for two processes: each has a memory for a few rows only, so that
most come from the Redis they share. What a wait may be is measured in the same
run, before the harm; and by time as the loop is served it, since the machine is shared.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.client.stores.served import Served

from tritonkit.client import Cache, InferRequest, Memory, Redis, Stack, Tensors
from tritonkit.client.testing.transport import FakeTransport

if TYPE_CHECKING:
    from conftest import Listen, RedisCluster

    from tritonkit.client.testing.redis_server import RedisServer

BUDGET = 0.05
# As the loop is served it: a request's turns of the loop, a beat each where they are long.
SLACK = 0.1
# Of the wall's clock: what no request waits for, however busy the machine; more would be a hang.
HANG = 2.0
ROWS = 60
CALLERS = 2


async def answer(request: InferRequest) -> Tensors:
    await asyncio.sleep(0.002)
    return {"y": request.inputs["x"] * 2 + 1}


class Fleet:
    """Two caches over one Redis, and callers of both."""

    def __init__(self, url: str, *, cluster: bool = False) -> None:
        self.redis = [Redis(url, cluster=cluster, budget=BUDGET) for _ in range(2)]
        self.stacks = [Stack(_transport(), [_cache(redis)]) for redis in self.redis]
        self._new = count(1000)
        self._served = Served()
        self.begin()

    def begin(self) -> None:
        self.origins: Counter[str] = Counter()
        self.waits: list[float] = []
        self.served_waits: list[float] = []

    @property
    def longest_wait(self) -> float:
        """As the loop was served it."""
        return max(self.served_waits)

    async def traffic(self, seconds: float) -> None:
        """Fails where a call fails or an answer is wrong."""
        end = time.monotonic() + seconds
        async with Served() as self._served:
            await asyncio.gather(
                *(self._calls(stack, seed, end) for seed in range(CALLERS) for stack in self.stacks)
            )

    async def _calls(self, stack: Stack, seed: int, end: float) -> None:
        chance = random.Random(seed)
        while time.monotonic() < end:
            # One row that nobody asked for before, so that something is written all the time.
            rows = [*chance.choices(range(ROWS), k=7), next(self._new)]
            began, served = time.monotonic(), self._served()
            self.origins.update(await self.ask(stack, rows))
            self.waits.append(time.monotonic() - began)
            self.served_waits.append(self._served() - served)
            # A cluster's exchanges keep the loop busy; callers without a pause fill the budget.
            await asyncio.sleep(0.005)

    async def ask(self, stack: Stack, rows: list[int]) -> tuple[str, ...]:
        x = np.array(rows, dtype=np.float32).reshape(-1, 1)
        answer = await stack(InferRequest(model="m", inputs={"x": x}))
        assert np.array_equal(answer["y"], x * 2 + 1)
        return answer.trace.origins

    async def recovered(self, within: float = 15.0) -> None:
        """What one computes from now on, the other finds."""
        end = time.monotonic() + within
        one, other = self.stacks
        while time.monotonic() < end:
            new = [next(self._new) for _ in range(8)]
            await self.ask(one, new)
            await asyncio.sleep(0.2)
            if await self.ask(other, new) == ("redis",) * 8:
                return
        raise AssertionError(f"no recovery: {[redis.counters for redis in self.redis]}")

    async def aclose(self) -> None:
        for stack in self.stacks:
            await stack.aclose()


def _transport() -> FakeTransport:
    parameters = {"tritonkit.model_digest": "A", "tritonkit.batch_invariant": "true"}
    return FakeTransport(
        answer,
        inputs={"x": (1,)},
        outputs={"y": (1,)},
        config={"parameters": {k: {"string_value": v} for k, v in parameters.items()}},
    )


def _cache(redis: Redis) -> Cache:
    return Cache(Memory("8kB"), redis, recheck=0.2)


async def ill_treat(
    fleet: Fleet,
    harm: Callable[[], Awaitable[object]],
    heal: Callable[[], Awaitable[object]],
    *,
    seconds: float = 1.5,
) -> Counter[str]:
    """Traffic before, during and after; returns where rows came from during the harm."""
    await fleet.traffic(0.5)
    for _ in range(10):
        fleet.begin()
        await fleet.traffic(0.5)
        if fleet.origins["redis"] > fleet.origins["memory"] > 0:
            break
        # A machine with much to do may keep Redis from answering in time.
        await fleet.recovered()
    assert fleet.origins["redis"] > fleet.origins["memory"] > 0
    allowed = fleet.longest_wait + BUDGET + SLACK

    running = asyncio.ensure_future(fleet.traffic(seconds))
    await asyncio.sleep(0.1)
    await harm()
    fleet.begin()
    await running
    during = fleet.origins
    assert fleet.longest_wait <= allowed
    assert max(fleet.waits) < HANG

    fleet.begin()
    running = asyncio.ensure_future(fleet.traffic(0.5))
    await heal()
    await running
    assert fleet.longest_wait <= allowed
    assert max(fleet.waits) < HANG
    await fleet.recovered()
    return during


@pytest.fixture
async def fleet(mortal_redis: RedisServer) -> AsyncIterator[Fleet]:
    fleet = Fleet(mortal_redis.url)
    yield fleet
    await fleet.aclose()


async def test_killed_and_started_again(fleet: Fleet, mortal_redis: RedisServer) -> None:
    """It comes back empty; memory and the model carry on meanwhile."""
    during = await ill_treat(
        fleet,
        lambda: asyncio.to_thread(mortal_redis.kill),
        lambda: asyncio.to_thread(mortal_redis.start),
    )
    assert set(during) <= {"memory", "model", "coalesced"}


async def test_it_accepts_and_never_answers(fleet: Fleet, mortal_redis: RedisServer) -> None:
    during = await ill_treat(
        fleet,
        lambda: asyncio.to_thread(mortal_redis.freeze),
        lambda: asyncio.to_thread(mortal_redis.thaw),
    )
    assert set(during) <= {"memory", "model", "coalesced"}


async def test_it_is_full(fleet: Fleet, mortal_redis: RedisServer) -> None:
    """What it has is met all the time."""
    during = await ill_treat(
        fleet,
        lambda: asyncio.to_thread(mortal_redis.fill),
        lambda: asyncio.to_thread(mortal_redis.empty),
    )
    assert during["redis"] > during["memory"]


@pytest.mark.parametrize(
    "garbage", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"+OK\r\n" * 20, b"\x00\xff" * 100, b""]
)
async def test_it_answers_garbage(
    fleet: Fleet, mortal_redis: RedisServer, listen: Listen, garbage: bytes
) -> None:
    """Something else listens at its port."""

    async def rave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while garbage and await reader.read(65536):
            writer.write(garbage)
            await writer.drain()

    async def harm() -> None:
        await asyncio.to_thread(mortal_redis.kill)
        await listen(rave, mortal_redis.port)

    async def heal() -> None:
        await listen.close()
        await asyncio.to_thread(mortal_redis.start)

    during = await ill_treat(fleet, harm, heal, seconds=1)
    assert set(during) <= {"memory", "model", "coalesced"}


async def test_entries_that_are_garbage_are_computed_anew(
    fleet: Fleet, mortal_redis: RedisServer
) -> None:
    """Cut, or not ours at all, under the very keys that are asked for."""
    one, other = fleet.stacks
    with mortal_redis.client() as client:
        # A machine with much to do may keep Redis from being asked in time, and written to.
        for attempt in range(10):
            rows = [*range(30 * attempt, 30 * attempt + 30)]
            await fleet.recovered()
            others = set(client.scan_iter(b"tritonkit:1:*"))
            await fleet.ask(one, rows)
            await asyncio.sleep(0.2)
            names = [*set(client.scan_iter(b"tritonkit:1:*")) - others]
            if len(names) == len(rows):
                break
        assert len(names) == len(rows)
        for number, name in enumerate(names):
            value = client.get(name)
            client.set(name, [value[:-1], b"", value[:20], b"x" * 100][number % 4])
    assert set(await fleet.ask(other, rows)) == {"model"}
    await fleet.recovered()


async def test_a_cluster_with_a_silent_node_and_one_killed(redis_cluster: RedisCluster) -> None:
    """Six nodes; what the others have is met, and the replica takes over."""
    fleet = Fleet(redis_cluster.url, cluster=True)
    await fleet.recovered()

    async def nothing() -> None:
        pass

    with contextlib.ExitStack() as thawed:
        victim = redis_cluster.primary_of(b"0")
        thawed.callback(victim.thaw)
        during = await ill_treat(
            fleet,
            lambda: asyncio.to_thread(victim.freeze),
            lambda: asyncio.to_thread(victim.thaw),
            seconds=0.8,
        )
    assert during["redis"] > 0
    await asyncio.to_thread(redis_cluster.settle)
    await fleet.recovered()

    victim = redis_cluster.primary_of(b"1")
    # Nodes refuse everything from when they miss one until its replica takes over.
    kill = partial(asyncio.to_thread, victim.kill)
    during = await ill_treat(fleet, kill, nothing, seconds=5)
    assert during["redis"] > 0
    await fleet.aclose()
