"""A Redis that ends, forgets, or says nothing."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tritonkit.client.ledgers.ledger import Claim, Denied, Grant, Lost, Usage
from tritonkit.client.ledgers.redis import RedisLedger
from tritonkit.errors import ConfigError, ServerUnavailable

if TYPE_CHECKING:
    from tritonkit.client.testing.redis_server import RedisServer

HOUR = 3600 * 10**6


def one(amount: int) -> list[Claim]:
    return [Claim("s", 100, HOUR, amount)]


async def test_windows_survive_a_redis_that_is_killed(mortal: RedisServer) -> None:
    """What was spent, what is reserved; while it is away nobody knows, and it never begins anew."""
    ledger = RedisLedger(mortal.url, budget=1)
    await ledger.reserve("a", one(60), 60)
    await ledger.settle("a", [60])
    await ledger.reserve("b", one(30), 60)
    mortal.kill()
    assert isinstance(await ledger.reserve("c", one(10), 60), Lost)
    assert not await ledger.settle("b", [5])
    with pytest.raises(ServerUnavailable):
        await ledger.usage(one(0))
    mortal.start()
    assert await ledger.usage(one(0)) == [Usage(60, 30)]
    await until_it_answers(ledger)
    assert isinstance(await ledger.reserve("d", one(11), 60), Denied)
    assert await ledger.settle("b", [5])
    assert await ledger.usage(one(0)) == [Usage(65, 0)]
    await ledger.aclose()


async def until_it_answers(ledger: RedisLedger) -> None:
    """The breaker of its connection lets it be for a moment."""
    for _ in range(200):
        if not isinstance(await ledger.reserve(os.urandom(8).hex(), [], 1), Lost):
            return
        await asyncio.sleep(0.02)


async def test_one_that_lost_its_memory_is_not_believed(forgetful: RedisServer) -> None:
    """By whoever remembers it, and then by nobody, until it is forgiven."""
    ledger, fresh = RedisLedger(forgetful.url, budget=1), RedisLedger(forgetful.url, budget=1)
    await ledger.reserve("a", one(60), 60)
    forgetful.kill()
    forgetful.start()
    for asked in (ledger, fresh, ledger):
        await until_it_answers(asked)
        outcome = await asked.reserve(os.urandom(8).hex(), one(1), 60)
        assert isinstance(outcome, Lost)
        assert outcome.reason.endswith("lost its memory")
        assert 3600 < outcome.retry_after <= 3600 + 60 + 61
    await fresh.forgive()
    assert isinstance(await ledger.reserve("b", one(1), 60), Grant)
    await ledger.aclose()
    await fresh.aclose()


async def test_it_is_not_believed_either_where_one_who_knew_nothing_was_first(
    forgetful: RedisServer,
) -> None:
    ledger, fresh = RedisLedger(forgetful.url, budget=1), RedisLedger(forgetful.url, budget=1)
    await ledger.reserve("a", one(60), 60)
    forgetful.kill()
    forgetful.start()
    assert isinstance(await fresh.reserve("b", one(60), 60), Grant)
    await until_it_answers(ledger)
    assert isinstance(await ledger.reserve("c", one(1), 60), Lost)
    assert isinstance(await fresh.reserve("d", one(1), 60), Lost)
    await ledger.aclose()
    await fresh.aclose()


async def test_a_reservation_that_arrives_late_is_not_made(mortal: RedisServer) -> None:
    """Redis stands still, answers nobody in time, and has both in its queue when it goes on."""
    ledger = RedisLedger(mortal.url, budget=0.1)
    await until_it_answers(ledger)
    assert mortal.process is not None
    mortal.process.send_signal(signal.SIGSTOP)
    outcome = await ledger.reserve("late", one(60), 600)
    assert outcome == Lost(f"{mortal.url} does not answer in time", 1.0)
    await asyncio.sleep(0.05)
    mortal.process.send_signal(signal.SIGCONT)
    other = RedisLedger(mortal.url, budget=5)
    for _ in range(200):
        if await other.usage(one(0)) == [Usage()]:
            break
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.1)
    assert await other.usage(one(0)) == [Usage()]
    with pytest.raises(ConfigError, match="used once"):
        await other.reserve("late", one(1), 1)
    await ledger.aclose()
    await other.aclose()


async def test_a_redis_that_evicts_is_told_of(
    mortal: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Once: a window that is evicted is an empty one."""
    with mortal.client() as client:
        client.config_set("maxmemory", "100mb")
        client.config_set("maxmemory-policy", "allkeys-lru")
    ledger = RedisLedger(mortal.url, budget=5)
    for number in range(3):
        await ledger.reserve(f"a{number}", one(1), 60)
        await asyncio.sleep(0.05)
    (record,) = caplog.records
    assert record.getMessage() == (
        f"{mortal.url} may forget what was spent: "
        "maxmemory-policy is allkeys-lru, and must be noeviction"
    )
    await ledger.aclose()


async def test_a_redis_that_is_full_grants_nothing(mortal: RedisServer) -> None:
    ledger = RedisLedger(mortal.url, budget=5)
    await ledger.reserve("a", one(1), 60)
    with mortal.client() as client:
        client.config_set("maxmemory", 1)
        outcome = await ledger.reserve("b", one(1), 60)
        assert isinstance(outcome, Lost)
        assert "refuses: " in outcome.reason
        assert not await ledger.settle("a", [1])
        client.config_set("maxmemory", 0)
    assert await ledger.settle("a", [1])
    assert await ledger.usage(one(0)) == [Usage(1, 0)]
    await ledger.aclose()


def spend(ledger: RedisLedger, name: str) -> None:
    async def work() -> None:
        assert isinstance(await ledger.reserve(name, one(10), 60), Grant)
        assert await ledger.settle(name, [10])
        await ledger.aclose()

    asyncio.run(work())


def test_loops_and_forks_have_connections_of_their_own(mortal: RedisServer) -> None:
    ledger = RedisLedger(mortal.url, budget=5)
    spend(ledger, "first loop")
    spend(ledger, "second loop")

    async def fork_amid() -> list[Usage]:
        await ledger.reserve("parent", one(10), 60)
        child = multiprocessing.get_context("fork").Process(target=in_child, args=(ledger,))
        child.start()
        await asyncio.to_thread(child.join)
        assert child.exitcode == 0
        assert await ledger.settle("parent", [10])
        used = await ledger.usage(one(0))
        await ledger.aclose()
        return used

    assert asyncio.run(fork_amid()) == [Usage(40, 0)]


def in_child(ledger: RedisLedger) -> None:
    asyncio.events._set_running_loop(None)  # that of the parent
    spend(ledger, "child")


@pytest.mark.parametrize(
    "options", [{"budget": 0}, {"namespace": "a{b"}, {"url": "http://x"}, {"namespace": ""}]
)
def test_what_is_no_ledger(options: Any) -> None:
    with pytest.raises(ConfigError):
        RedisLedger(**options)


def test_it_shows_no_password() -> None:
    assert repr(RedisLedger("redis://:secret@host/1")) == "RedisLedger('redis://:***@host/1')"
