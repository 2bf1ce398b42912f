"""The shared store against a real Redis in good health; test_redis_faults.py has the rest."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from tritonkit.client.epochs import ALL, model_epoch
from tritonkit.client.stores.redis.redis import ModelUsage, Redis
from tritonkit.client.stores.store import Entry, Store
from tritonkit.client.testing.stores import StoreTests
from tritonkit.errors import ServerUnavailable

if TYPE_CHECKING:
    from conftest import Proxy, Rows

    from tritonkit.client.testing.redis_server import RedisServer

# The machine is shared: these tests are about answers, test_redis_faults.py about budgets.
PATIENT = "5s"
MakeStore = Callable[..., Redis]


@pytest.fixture
async def make(redis_server: RedisServer) -> AsyncIterator[MakeStore]:
    stores: list[Redis] = []

    def build(url: str = redis_server.url, **options: Any) -> Redis:
        stores.append(Redis(url, **{"budget": PATIENT, **options}))
        return stores[-1]

    yield build
    for store in stores:
        await store.aclose()


class TestRedis(StoreTests):
    """The contract of every store."""

    @pytest.fixture
    async def store(self, make: MakeStore) -> Store:
        return make()

    async def settle(self, store: Store) -> None:
        assert isinstance(store, Redis)
        assert await store.flushed(5)


async def test_what_is_put_is_met_by_every_store(make: MakeStore, rows: Rows) -> None:
    store, other = make(), make()
    await store.put(rows.model, rows.entries(5), 60)
    assert await store.flushed()
    found = await other.get(rows.model, rows.keys(6))
    assert rows.hits(found) == 5
    assert found[5] is None
    assert store.counters["written"] == 5
    assert (other.counters["hits"], other.counters["misses"]) == (5, 1)
    assert store.name == "redis"
    assert store.shared


async def test_order_is_that_of_the_keys(make: MakeStore, rows: Rows) -> None:
    store = make()
    await store.put(rows.model, rows.entries(4), None)
    assert await store.flushed()
    order = [3, 9, 0, 2]
    found = await store.get(rows.model, [rows.key(number) for number in order])
    assert [item is not None and int(item.outputs["y"][0, 0]) for item in found] == [3, False, 0, 2]
    assert await store.get(rows.model, []) == []
    assert rows.right(1, (await store.get(rows.model, [rows.key(1)]))[0])


async def test_an_age_is_kept_between_processes(make: MakeStore, rows: Rows) -> None:
    """Never younger, and older by the round trips at most."""
    store, other = make(), make()
    created = time.monotonic() - 100
    before_boot = -1e6
    await store.put(
        rows.model,
        {rows.key(0): rows.entry(0, created), rows.key(1): rows.entry(1, before_boot)},
        None,
    )
    assert await store.flushed()
    for number, truth in enumerate((created, before_boot)):
        (found,) = await other.get(rows.model, [rows.key(number)])
        assert found is not None
        assert truth - 5 < found.created <= truth


async def test_nothing_outlives_its_lifetime(
    make: MakeStore, redis_server: RedisServer, rows: Rows
) -> None:
    store = make()
    now = time.monotonic()
    await store.put(rows.model, {rows.key(0): rows.entry(0, now - 50)}, 60)
    await store.put(rows.model, {rows.key(1): rows.entry(1, now - 61)}, 60)
    await store.put(rows.model, {rows.key(2): rows.entry(2)}, 1e12)
    await store.put(rows.model, {rows.key(3): rows.entry(3)}, 0.3)
    assert await store.flushed()
    assert store.counters["written"] == 3
    assert store.counters["dropped"] == 0
    with redis_server.client() as client:
        left = {name[-1]: client.pttl(name) for name in client.keys("tritonkit:1:*")}
    assert 5_000 < left[0] <= 10_000
    assert left[2] == -1
    await asyncio.sleep(0.31)
    found = await store.get(rows.model, rows.keys(4))
    assert [item is not None for item in found] == [True, False, True, False]


async def test_an_entry_that_redis_forgot_to_expire_is_a_miss(
    make: MakeStore, redis_server: RedisServer, rows: Rows
) -> None:
    """The lifetime is in the entry as well: a Redis whose clock was set back keeps it too long."""
    store = make()
    await store.put(rows.model, {rows.key(0): rows.entry(0)}, 0.5)
    assert await store.flushed()
    with redis_server.client() as client:
        assert client.persist(client.keys("tritonkit:1:*")[0])
    await asyncio.sleep(0.5)
    assert await store.get(rows.model, [rows.key(0)]) == [None]
    assert store.counters["corrupt"] == 0


async def test_what_is_no_entry_of_its_key_is_a_miss(
    make: MakeStore, redis_server: RedisServer, rows: Rows
) -> None:
    """E11: damaged, cut, foreign, of another key, not even a string."""
    store = make()
    await store.put(rows.model, rows.entries(7), None)
    assert await store.flushed()
    names = [b"tritonkit:1:echo:" + key for key in rows.keys(7)]
    with redis_server.client() as client:
        values = client.mget(names)
        client.set(names[1], values[1][:-1] + bytes([values[1][-1] ^ 1]))
        client.set(names[2], values[2][:-5])
        client.set(names[3], b"\x80\x04\x95garbage")
        client.set(names[4], values[0])
        client.delete(names[5])
        client.lpush(names[5], b"x")
        client.set(names[6], b"")
    found = await store.get(rows.model, rows.keys(7))
    assert [item is not None for item in found] == [True] + [False] * 6
    assert rows.right(0, found[0])
    assert store.counters["corrupt"] == 5


async def test_what_cannot_be_kept_is_dropped(make: MakeStore, rows: Rows) -> None:
    store = make()
    text = Entry({"y": rows.entry(0).outputs["y"].astype(str)}, time.monotonic())
    await store.put(rows.model, {rows.key(0): text, rows.key(1): rows.entry(1)}, None)
    assert await store.flushed()
    assert store.counters["dropped"] == 1
    assert rows.hits(await store.get(rows.model, rows.keys(2))) == 1


async def test_the_queue_is_bounded(make: MakeStore, rows: Rows) -> None:
    store = make(max_pending="20kB")
    await store.put(rows.model, rows.entries(1000), None)
    dropped = store.counters["dropped"]
    assert dropped > 900
    assert await store.flushed()
    assert store.counters["written"] == 1000 - dropped
    found = await store.get(rows.model, rows.keys(1000))
    assert rows.hits(found) == 1000 - dropped
    assert found[0] is not None
    await store.put(rows.model, rows.entries(10), None)
    assert store.counters["dropped"] == dropped


async def test_compressed_or_not_a_reader_need_not_know(make: MakeStore, rows: Rows) -> None:
    store, other = make(compress=True), make()
    zeros = Entry({"y": rows.entry(0).outputs["y"].repeat(50, axis=1)}, time.monotonic())
    await store.put(rows.model, {rows.key(0): zeros}, None)
    assert await store.flushed()
    (found,) = await other.get(rows.model, [rows.key(0)])
    assert found is not None
    assert found.outputs["y"].shape == (1, 3200)
    assert (await other.usage())[rows.model].bytes < 200


async def test_closing_writes_what_waits_and_using_it_opens_it_again(
    make: MakeStore, rows: Rows
) -> None:
    store = make()
    await store.put(rows.model, rows.entries(500), None)
    await store.aclose()
    await store.aclose()
    assert rows.hits(await store.get(rows.model, rows.keys(500))) == 500


async def test_tokens_are_shared_and_new_when_renewed_or_lost(
    make: MakeStore, redis_server: RedisServer
) -> None:
    store, other = make(), make()
    names = ["all", "model:a", "scope:é"]
    first = await store.epochs(names)
    assert len(set(first)) == 3
    assert [len(token) for token in first] == [16] * 3
    assert await other.epochs(list(reversed(names))) == list(reversed(first))
    await other.renew(["model:a"])
    second = await store.epochs(names)
    assert [a == b for a, b in zip(first, second, strict=True)] == [True, False, True]
    with redis_server.client() as client:
        client.delete(b"tritonkit:epoch:all")
    third = await other.epochs(names)
    assert [a == b for a, b in zip(second, third, strict=True)] == [False, True, True]
    assert await store.epochs([]) == []
    with redis_server.client() as client:
        client.set(b"tritonkit:epoch:all", b"short")
    with pytest.raises(ServerUnavailable, match="something else"):
        await store.epochs(["model:a", "all"])
    await store.renew(["all"])
    assert len((await store.epochs(["all"]))[0]) == 16


async def test_all_who_ask_at_first_get_one_token(make: MakeStore) -> None:
    stores = [make() for _ in range(8)]
    answers = await asyncio.gather(*(store.epochs(["all", "model:a"]) for store in stores))
    assert all(answer == answers[0] for answer in answers)


async def test_a_lease_has_one_owner_and_an_end(make: MakeStore, rows: Rows) -> None:
    store, other = make(), make()
    assert await store.lease(rows.keys(2), 60) == [True, True]
    assert await other.lease(rows.keys(3), 0.2) == [False, False, True]
    await other.release(rows.keys(2))
    assert await other.lease(rows.keys(2), 60) == [False, False]
    await store.release(rows.keys(1))
    assert await other.lease(rows.keys(2), 60) == [True, False]
    await asyncio.sleep(0.25)
    assert await store.lease([rows.key(2)], 60) == [True]


async def test_usage_and_delete_by_model(
    make: MakeStore, redis_server: RedisServer, rows: Rows
) -> None:
    store, elsewhere = make(), make(namespace="other")
    for model, count in (("a", 3), ("a:b", 2), ("a*", 1), ("[a]\\", 1), ("epoch", 2500)):
        await store.put(model, rows.entries(count), None)
    await elsewhere.put("a", rows.entries(1), None)
    assert await store.flushed()
    assert await elsewhere.flushed()
    await store.lease(rows.keys(1), 60)
    tokens = await store.epochs([ALL, model_epoch("a"), model_epoch("epoch")])
    size = len(rows.entry(0).outputs["y"].tobytes())
    usage = await store.usage()
    assert {model: used.entries for model, used in usage.items()} == {
        "a": 3,
        "a:b": 2,
        "a*": 1,
        "[a]\\": 1,
        "epoch": 2500,
    }
    assert 3 * size < usage["a"].bytes < 3 * (size + 100)

    assert await store.delete("a*") == 1
    assert await store.delete("[a]\\") == 1
    assert await store.delete("a") == 3
    after = await store.epochs([ALL, model_epoch("a"), model_epoch("epoch")])
    assert [a == b for a, b in zip(tokens, after, strict=True)] == [True, False, True]
    assert await store.delete() == 2502
    assert await store.usage() == {}
    assert isinstance((await elsewhere.usage())["a"], ModelUsage)
    assert (await store.epochs([ALL]))[0] != tokens[0]


async def test_over_a_unix_socket(make: MakeStore, redis_server: RedisServer, rows: Rows) -> None:
    store = make(f"unix://{redis_server.socket}?db=3")
    await store.put(rows.model, rows.entries(2), None)
    assert await store.flushed()
    assert rows.hits(await store.get(rows.model, rows.keys(2))) == 2
    assert await make().get(rows.model, rows.keys(2)) == [None, None]


async def test_over_tls(
    make: MakeStore, redis_server: RedisServer, proxy: Proxy, rows: Rows, tmp_path: Path
) -> None:
    """The wheel's Redis has no TLS of its own, so a proxy ends it."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    port = await proxy(redis_server.port, ssl=context)
    store = make(f"rediss://127.0.0.1:{port}?ssl_ca_certs={tmp_path / 'ca.pem'}")
    await store.put(rows.model, rows.entries(2), None)
    assert await store.flushed()
    assert rows.hits(await store.get(rows.model, rows.keys(2))) == 2

    stranger = make(f"rediss://127.0.0.1:{port}")
    assert await stranger.get(rows.model, rows.keys(2)) == [None, None]
    assert stranger.counters["errors"] == 1


async def test_a_password_a_user_and_a_name(
    make: MakeStore, redis_server: RedisServer, rows: Rows
) -> None:
    with redis_server.client() as client:
        client.acl_setuser(
            "cache", enabled=True, passwords=["+pass word"], keys="*", commands=["+@all"]
        )
    address = f"127.0.0.1:{redis_server.port}"
    store = make(f"redis://cache:pass%20word@{address}?client_name=api")
    await store.put(rows.model, rows.entries(2), None)
    assert await store.flushed()
    with redis_server.client() as client:
        assert "api" in [other["name"] for other in client.client_list()]
    wrong = make(f"redis://cache:wrong@{address}")
    assert await wrong.get(rows.model, rows.keys(2)) == [None, None]
    assert wrong.counters["errors"] == 1


async def test_one_round_trip_takes_one_mget(
    make: MakeStore, redis_server: RedisServer, rows: Rows
) -> None:
    store = make()
    await store.get(rows.model, rows.keys(1))
    with redis_server.client() as client:
        client.config_resetstat()
        for _ in range(10):
            await store.get(rows.model, rows.keys(32))
        stats = client.info("commandstats")
    assert stats["cmdstat_mget"]["calls"] == 10
    assert "cmdstat_time" not in stats


def test_threads_have_a_loop_and_connections_each(redis_server: RedisServer, rows: Rows) -> None:
    store = Redis(redis_server.url, budget=PATIENT)
    wrong: list[object] = []

    async def hammer(seed: int) -> None:
        for turn in range(20):
            numbers = [(seed * 7 + turn * 3 + i) % 40 for i in range(8)]
            found = await store.get(rows.model, [rows.key(number) for number in numbers])
            missing = {}
            for number, item in zip(numbers, found, strict=True):
                if item is None:
                    missing[rows.key(number)] = rows.entry(number)
                elif not rows.right(number, item):
                    wrong.append((number, item))
            await store.put(rows.model, missing, 60)
        await store.aclose()

    threads = [threading.Thread(target=asyncio.run, args=(hammer(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert store.counters["hits"] > 0
    assert store.counters["hits"] + store.counters["misses"] == 4 * 20 * 8
    assert store.counters["errors"] == 0


FORK = """
import asyncio, os, sys, time
import numpy as np
from tritonkit.client.stores.redis.redis import Redis
from tritonkit.client.stores.store import Entry, Store
from tritonkit.client.testing.stores import StoreTests

store = Redis(sys.argv[1], budget=5)
key = bytes(16)
ours = [bytes([n]) * 16 for n in range(50)]
entry = lambda n: Entry({"y": np.full((1, 4), n, np.float32)}, time.monotonic())

async def use(times):
    for _ in range(times):
        found = await store.get("m", ours)
        assert [int(e.outputs["y"][0, 0]) for e in found] == list(range(50))
    assert (await store.lease([key], 60)) == [pid is None]

async def child():
    await use(50)
    await store.release([key])
    assert (await store.lease([key], 60)) == [False]
    await store.aclose()

async def before():
    await store.put("m", {k: entry(n) for n, k in enumerate(ours)}, None)
    assert await store.flushed()
    await use(1)

pid = None
with asyncio.Runner() as runner:
    runner.run(before())
    pid = os.fork()
    if not pid:
        asyncio.run(child())
        os._exit(0)
    runner.run(use(50))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    runner.run(use(1))
    runner.run(store.aclose())
    print("right")
"""


def test_after_a_fork_both_go_on_with_connections_of_their_own(redis_server: RedisServer) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORK, redis_server.url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("right\n", "", 0)


async def test_cancelling_one_who_waits_disturbs_nobody(make: MakeStore, rows: Rows) -> None:
    """The connection is used on, and no answer goes to the wrong one."""
    store = make()
    await store.put(rows.model, rows.entries(50), None)
    assert await store.flushed()

    async def one(number: int) -> None:
        (found,) = await store.get(rows.model, [rows.key(number)])
        assert rows.right(number, found)

    for turn in range(20):
        tasks = [asyncio.ensure_future(one(number)) for number in range(50)]
        await asyncio.sleep(0.0002 * turn)
        for task in tasks[::2]:
            task.cancel()
        for number, done in enumerate(await asyncio.gather(*tasks, return_exceptions=True)):
            assert done is None or (number % 2 == 0 and isinstance(done, asyncio.CancelledError))
    assert store.counters["errors"] == 0
    assert store.counters["timeouts"] == 0
