"""
Redis ill-treated in the middle of traffic: no error, no wrong answer, no wait beyond the budget.

The machine is shared, so what a wait may be is measured in the same run, and by time as the loop
is served it: the longest wait in good health is added to the budget.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from tests.client.stores.served import Served

from tritonkit.client.ledgers.ledger import Claim, Denied, Grant, Usage
from tritonkit.client.ledgers.redis import RedisLedger
from tritonkit.client.stores.redis.redis import Redis
from tritonkit.errors import ServerUnavailable

if TYPE_CHECKING:
    from conftest import Listen, Proxy, RedisCluster, Rows

    from tritonkit.client.testing.redis_server import RedisServer

BUDGET = 0.05
# As the loop is served it: a request's turns of the loop, a beat each where they are long.
SLACK = 0.1
# Of the wall's clock: what no request waits for, however busy the machine; more would be a hang.
HANG = 2.0
ROWS = 24


@pytest.fixture
async def store(mortal_redis: RedisServer) -> AsyncIterator[Redis]:
    store = Redis(mortal_redis.url, budget=BUDGET)
    yield store
    await store.aclose()


@dataclass
class Traffic:
    """Callers that get, put what is missing, and ask for tokens and leases."""

    store: Redis
    rows: Rows
    hits: int = 0
    asked: int = 0
    waits: list[float] = field(default_factory=list)
    served: Served = field(default_factory=Served)
    served_waits: list[float] = field(default_factory=list)

    @property
    def longest_wait(self) -> float:
        """As the loop was served it."""
        return max(self.served_waits)

    async def run(self, seconds: float) -> Traffic:
        self.hits = self.asked = 0
        self.waits, self.served_waits = [], []
        end = time.monotonic() + seconds
        async with self.served:
            await asyncio.gather(*(self._caller(seed, end) for seed in range(4)))
        return self

    async def _caller(self, seed: int, end: float) -> None:
        turn = seed
        while time.monotonic() < end:
            turn += 1
            numbers = [(turn * 5 + i) % ROWS for i in range(8)]
            keys = [self.rows.key(number) for number in numbers]
            found = await self._timed(self.store.get(self.rows.model, keys))
            missing = {}
            for number, key, item in zip(numbers, keys, found, strict=True):
                if item is None:
                    missing[key] = self.rows.entry(number)
                else:
                    assert self.rows.right(number, item)
                    self.hits += 1
            self.asked += len(keys)
            await self.store.put(self.rows.model, missing, 60)
            if turn % 5 == 0:
                granted = await self._timed(self.store.lease(keys[:2], 0.05))
                await self._timed(self.store.release(keys[:2]))
                assert len(granted) == 2
                with contextlib.suppress(ServerUnavailable):
                    tokens = await self._timed(self.store.epochs(["all", "model:echo"]))
                    assert [len(token) for token in tokens] == [16, 16]
            await asyncio.sleep(0.001)

    async def _timed(self, work: Awaitable[Any]) -> Any:
        begun, served = time.monotonic(), self.served()
        try:
            return await work
        finally:
            self.waits.append(time.monotonic() - begun)
            self.served_waits.append(self.served() - served)


async def ill_treat(
    store: Redis,
    rows: Rows,
    harm: Callable[[], object],
    heal: Callable[[], object],
    *,
    seconds: float = 1.2,
) -> Traffic:
    """Traffic before, during and after; returns that during the harm."""
    await Traffic(store, rows).run(0.4)
    # A machine with much to do may keep Redis from answering in time.
    for _ in range(10):
        await recovered(store, rows)
        before = await Traffic(store, rows).run(0.4)
        if before.hits > 0:
            break
    assert before.hits > 0
    allowed = BUDGET + before.longest_wait + SLACK

    running = asyncio.ensure_future(Traffic(store, rows).run(seconds))
    await asyncio.sleep(0.1)
    await _maybe(harm())
    during = await running
    assert during.longest_wait <= allowed
    assert max(during.waits) < HANG

    running = asyncio.ensure_future(Traffic(store, rows).run(0.5))
    await _maybe(heal())
    assert (await running).longest_wait <= allowed
    await recovered(store, rows)
    return during


async def _maybe(result: object) -> None:
    if asyncio.iscoroutine(result):
        await result


async def recovered(store: Redis, rows: Rows, within: float = 15.0) -> None:
    """What is put is met again, by the same store."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        await store.put(rows.model, rows.entries(ROWS), 60)
        await store.flushed()
        if rows.hits(await store.get(rows.model, rows.keys(ROWS))) == ROWS:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"no recovery: {store.counters}")


async def test_killed_and_started_again(
    store: Redis, mortal_redis: RedisServer, rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says so once, not for every request."""
    during = await ill_treat(store, rows, mortal_redis.kill, mortal_redis.start)
    said = [r.getMessage() for r in caplog.records if r.name == "tritonkit.client.redis"]
    # A Redis that gets no processor for longer than the budget is another matter, said as well.
    (gone,) = [message for message in said if "(nothing within" not in message]
    assert gone.startswith(f"{mortal_redis.url} does not answer (ConnectionError")
    assert during.hits < during.asked
    assert store.counters["errors"] > 0
    assert store.counters["dropped"] > 0


async def test_it_accepts_and_never_answers(
    store: Redis, mortal_redis: RedisServer, rows: Rows
) -> None:
    """While it is silent, a few ask at a time, and most do not wait at all."""
    during = await ill_treat(store, rows, mortal_redis.freeze, mortal_redis.thaw, seconds=2)
    assert during.hits < during.asked
    timeouts = store.counters["timeouts"]
    assert 3 <= timeouts < 100


async def test_it_is_full(mortal_redis: RedisServer, rows: Rows) -> None:
    """
    It reads as well as ever; what cannot be written is dropped, and no more is made of it.

    So nobody waits, though the store would: long enough for a Redis that gets no processor.
    """
    store = Redis(mortal_redis.url, budget=HANG / 2)
    before = store.counters["dropped"]
    filler = asyncio.ensure_future(_put_new(store, rows, 1.0))
    during = await ill_treat(store, rows, mortal_redis.fill, mortal_redis.empty)
    await filler
    assert during.hits == during.asked
    assert store.counters["dropped"] > before
    assert store.counters["timeouts"] == 0
    await store.aclose()


async def _put_new(store: Redis, rows: Rows, seconds: float) -> None:
    await asyncio.sleep(seconds)
    for number in range(1000, 1200):
        await store.put(rows.model, {rows.key(number): rows.entry(number)}, 60)
        await asyncio.sleep(0.002)


GARBAGE = [
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"*3\r\n$1000000\r\nabc\r\n",
    b"*1000000000\r\n",
    b"$-5\r\n:abc\r\n",
    b"+OK\r\n" * 20,
    b"*2\r\n:1\r\n:2\r\n" * 20,
    b"$16\r\n0123456789abcdef\r\n" * 20,
    b"\x00\xff" * 100,
    b"-ERR no\r\n" * 20,
    b"",
]


async def test_it_answers_garbage(
    store: Redis, mortal_redis: RedisServer, listen: Listen, rows: Rows
) -> None:
    """Something else listens at its port, and says something else each time."""
    connections = 0

    async def rave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        answer = GARBAGE[connections % len(GARBAGE)]
        while await reader.read(65536):
            writer.write(answer)
            await writer.drain()
            if not answer:
                return

    async def harm() -> None:
        mortal_redis.kill()
        await listen(rave, mortal_redis.port)

    async def heal() -> None:
        await listen.close()
        await asyncio.to_thread(mortal_redis.start)

    during = await ill_treat(store, rows, harm, heal, seconds=2)
    assert during.hits < during.asked
    assert connections > 0


@pytest.mark.parametrize("answer", GARBAGE, ids=lambda answer: repr(answer[:12]))
async def test_each_kind_of_garbage_is_a_miss(answer: bytes, listen: Listen, rows: Rows) -> None:
    async def rave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            writer.write(answer)
            await writer.drain()

    port = await listen(rave)
    store = Redis(f"redis://127.0.0.1:{port}", budget=BUDGET)
    for _ in range(4):
        assert await store.get(rows.model, rows.keys(8)) == [None] * 8
        assert len(await store.lease(rows.keys(2), 1)) == 2
        with pytest.raises(ServerUnavailable):
            await store.epochs(["all"])
    await store.put(rows.model, rows.entries(3), None)
    assert await store.flushed(5)
    assert store.counters["written"] == 0
    await store.aclose()


async def test_never_there(rows: Rows, listen: Listen) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pass

    for url in (
        f"redis://127.0.0.1:{await listen(hang_up)}",
        "redis://127.0.0.1:1",
        "redis://nowhere.invalid",
        "unix:///nowhere/redis.sock",
    ):
        store = Redis(url, budget=BUDGET)
        for _ in range(4):
            assert await store.get(rows.model, rows.keys(2)) == [None, None]
        assert await store.lease(rows.keys(2), 1) == [True, True]
        await store.release(rows.keys(2))
        for work in (store.epochs(["all"]), store.renew(["all"]), store.usage(), store.delete()):
            with pytest.raises(ServerUnavailable):
                await work
        await store.put(rows.model, rows.entries(2), None)
        assert await store.flushed(5)
        assert store.counters["dropped"] == 2
        await store.aclose()


async def test_who_is_cancelled_leaves_the_breaker_to_judge(
    store: Redis, mortal_redis: RedisServer, rows: Rows
) -> None:
    """Callers with less time than the budget: the silence is noticed all the same."""
    await recovered(store, rows)
    mortal_redis.freeze()
    for _ in range(6):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BUDGET / 5):
                await store.get(rows.model, rows.keys(2))
        await asyncio.sleep(BUDGET)
    timeouts = store.counters["timeouts"]
    for _ in range(50):
        assert await store.get(rows.model, rows.keys(2)) == [None, None]
    # The probe, if it is time for one; but not three to find out what was known.
    assert store.counters["timeouts"] - timeouts < 3
    mortal_redis.thaw()
    await recovered(store, rows)


async def test_a_connection_that_opens_slowly_is_there_for_the_next(
    mortal_redis: RedisServer, proxy: Proxy, rows: Rows
) -> None:
    """Longer than the budget, shorter than a second."""
    port = await proxy(mortal_redis.port, delay=4 * BUDGET)
    store = Redis(f"redis://127.0.0.1:{port}", budget=BUDGET)
    assert await store.get(rows.model, rows.keys(2)) == [None, None]
    assert store.counters["timeouts"] == 1
    await recovered(store, rows)
    await store.aclose()


async def test_a_full_queue_before_a_silent_redis_stays_bounded(
    mortal_redis: RedisServer, rows: Rows
) -> None:
    store = Redis(mortal_redis.url, budget=BUDGET, max_pending="100kB")
    await recovered(store, rows)
    before = store.counters
    mortal_redis.freeze()
    for _ in range(20):
        await store.put(rows.model, rows.entries(1000), 60)
        await asyncio.sleep(0.01)
    begun = time.monotonic()
    await store.aclose()
    assert time.monotonic() - begun < 5
    assert store.counters["dropped"] - before["dropped"] == 20 * 1000
    assert store.counters["written"] == before["written"]
    mortal_redis.thaw()


async def test_a_busy_loop_does_not_look_like_a_silent_redis(
    store: Redis, mortal_redis: RedisServer, rows: Rows
) -> None:
    """The answer had come when somebody else kept the loop for longer than the budget."""
    await recovered(store, rows)
    timeouts = store.counters["timeouts"]
    for _ in range(5):
        mortal_redis.freeze()
        asked = asyncio.ensure_future(store.get(rows.model, rows.keys(2)))
        await asyncio.sleep(BUDGET / 5)
        mortal_redis.thaw()
        time.sleep(2 * BUDGET)  # noqa: ASYNC251, that is the case
        assert rows.hits(await asked) == 2
    assert store.counters["timeouts"] == timeouts


async def test_a_cluster_spreads_its_entries(redis_cluster: RedisCluster, rows: Rows) -> None:
    store = Redis(redis_cluster.url, cluster=True, budget=5)
    await store.put(rows.model, rows.entries(300), 60)
    assert await store.flushed(5)
    assert rows.hits(await store.get(rows.model, rows.keys(301))) == 300
    assert (await store.usage())[rows.model].entries == 300
    tokens = await store.epochs(["all", "model:a", "scope:b"])
    assert await store.epochs(["all", "model:a", "scope:b"]) == tokens
    await store.renew(["model:a"])
    assert (await store.epochs(["all", "model:a"]))[1] != tokens[1]
    assert await store.lease(rows.keys(5), 60) == [True] * 5
    assert await store.lease(rows.keys(6), 60) == [False] * 5 + [True]
    await store.release(rows.keys(6))
    assert await store.lease(rows.keys(6), 1) == [True] * 6
    assert await store.delete(rows.model) == 300
    assert await store.usage() == {}
    assert store.counters["errors"] == 0
    await store.aclose()


async def test_a_cluster_keeps_a_ledger_on_one_node(redis_cluster: RedisCluster) -> None:
    """All scopes of a reservation in one script."""
    ledger = RedisLedger(redis_cluster.url, cluster=True, budget=5)
    claims = [Claim(f"user:{number}", 100, 60 * 10**6, 40) for number in range(20)]
    assert await ledger.reserve("a", claims, 60) == Grant((40,) * 20)
    assert await ledger.settle("a", [30] * 20)
    assert isinstance(await ledger.reserve("b", claims, 60), Grant)
    assert isinstance(await ledger.reserve("c", claims, 60), Denied)
    assert await ledger.release("b")
    assert await ledger.usage(claims) == [Usage(30, 0)] * 20
    assert ledger.counters["errors"] == 0
    await ledger.aclose()


async def test_a_cluster_with_a_silent_node_and_one_killed(
    redis_cluster: RedisCluster, rows: Rows
) -> None:
    """What the others have is met; the replica takes over, and nobody starts anything again."""
    store = Redis(redis_cluster.url, cluster=True, budget=BUDGET)
    await recovered(store, rows)
    victim = redis_cluster.primary_of(b"tritonkit:1:echo:" + rows.key(0))

    frozen = await ill_treat(store, rows, victim.freeze, victim.thaw, seconds=0.8)
    assert 0 < frozen.hits < frozen.asked
    await asyncio.to_thread(redis_cluster.settle)
    await recovered(store, rows)

    victim = redis_cluster.primary_of(b"tritonkit:1:echo:" + rows.key(1))
    # Nodes refuse everything from when they miss one until its replica takes over.
    killed = await ill_treat(store, rows, victim.kill, lambda: None, seconds=5)
    assert 0 < killed.hits < killed.asked
    await asyncio.to_thread(redis_cluster.settle)
    await recovered(store, rows)
    assert sum(used.entries for used in (await store.usage()).values()) >= ROWS
    await store.aclose()

    late = Redis(redis_cluster.alive()[-1].url, cluster=True, budget=5)
    assert rows.hits(await late.get(rows.model, rows.keys(ROWS))) == ROWS
    await late.aclose()
