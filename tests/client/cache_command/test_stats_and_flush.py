"""`tritonkit cache stats` and `tritonkit cache flush`, on a real Redis."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
import redis

from tritonkit.client.epochs import ALL, model_epoch, scope_epoch
from tritonkit.client.stores.redis.redis import Redis
from tritonkit.client.stores.store import Entry

if TYPE_CHECKING:
    from conftest import Run

ARRAY = np.zeros((1, 100), dtype=np.float32)
ARRAY.flags.writeable = False


async def fill(url: str, **models: int) -> None:
    store = Redis(url, budget="1s")
    for model, rows in models.items():
        entries = {
            f"{model}{row}".ljust(16)[:16].encode(): Entry({"y": ARRAY}, time.monotonic())
            for row in range(rows)
        }
        await store.put(model, entries, 3600)
    await store.flushed()
    await store.epochs([ALL, *map(model_epoch, models), scope_epoch("a")])
    await store.aclose()


async def epochs(url: str, *names: str) -> list[bytes]:
    store = Redis(url, budget="1s")
    tokens = await store.epochs(names)
    await store.aclose()
    return tokens


async def test_stats(cache: Run, redis_url: str) -> None:
    await fill(redis_url, embed=3, classify=1)
    result = cache("stats", "--redis", redis_url)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["model", "entries", "size"]
    assert [line.split()[:2] for line in lines[1:3]] == [["classify", "1"], ["embed", "3"]]
    assert lines[4].split()[:3] == ["server", "version", "up"]
    assert "has no maxmemory" in result.stderr
    found = json.loads(cache("stats", "--redis", redis_url, "--json").stdout)
    assert found["models"]["embed"]["entries"] == 3
    assert found["models"]["embed"]["bytes"] > 1200
    (server,) = found["servers"]
    assert server["node"] == redis_url.removeprefix("redis://").removesuffix("/0")
    assert server["used_memory"] > 0


async def test_a_full_redis_that_refuses_is_warned_of(cache: Run, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("maxmemory", "100mb")
        assert "noeviction" in cache("stats", "--redis", redis_url).stderr
        client.config_set("maxmemory-policy", "allkeys-lru")
        result = cache("stats", "--redis", redis_url)
    assert result.stderr == ""
    assert "allkeys-lru" in result.stdout
    assert "(none)" in result.stdout


async def test_flush_one_model(cache: Run, redis_url: str) -> None:
    await fill(redis_url, embed=3, classify=1)
    names = (ALL, model_epoch("embed"), model_epoch("classify"))
    before = await epochs(redis_url, *names)
    result = cache("flush", "--redis", redis_url, "--model", "embed", "--yes")
    assert (result.exit_code, result.stdout) == (
        0,
        "Ended the entries of model 'embed': 3 deleted.\n",
    )
    after = await epochs(redis_url, *names)
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False, True]
    models = json.loads(cache("stats", "--redis", redis_url, "--json").stdout)["models"]
    assert [*models] == ["classify"]


async def test_flush_all(cache: Run, redis_url: str) -> None:
    await fill(redis_url, embed=3, classify=1)
    (before,) = await epochs(redis_url, ALL)
    result = cache("flush", "--redis", redis_url, "-y")
    assert result.stdout == "Ended all entries: 4 deleted.\n"
    assert (await epochs(redis_url, ALL)) != [before]


async def test_flush_a_scope(cache: Run, redis_url: str) -> None:
    await fill(redis_url, embed=3)
    names = (ALL, scope_epoch("a"), scope_epoch(""))
    before = await epochs(redis_url, *names)
    result = cache("flush", "--redis", redis_url, "--scope", "a", "--yes")
    assert result.stdout.startswith("Ended the entries of scope 'a'. Redis frees")
    after = await epochs(redis_url, *names)
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False, True]
    assert "without a scope" in cache("flush", "--redis", redis_url, "--scope", "", "-y").stdout
    assert (await epochs(redis_url, scope_epoch(""))) != before[2:]


async def test_other_namespaces_stay(cache: Run, redis_url: str) -> None:
    await fill(redis_url, embed=3)
    result = cache("flush", "--redis", redis_url, "--namespace", "other", "--yes")
    assert result.stdout == "Ended all entries: 0 deleted.\n"
    assert "embed" in cache("stats", "--redis", redis_url).stdout
    assert "embed" not in cache("stats", "--redis", redis_url, "--namespace", "other").stdout


async def test_nobody_to_ask_is_no_yes(cache: Run, redis_url: str) -> None:
    await fill(redis_url, embed=3)
    result = cache("flush", "--redis", redis_url)
    assert result.exit_code == 2
    assert "no terminal to ask: --yes ends all entries" in result.stderr
    result = cache("flush", "--redis", redis_url, "--model", "a", "--scope", "b", "--yes")
    assert result.exit_code == 2
    assert "embed    3" in cache("stats", "--redis", redis_url).stdout.replace("      ", "  ")


@pytest.mark.parametrize(("answer", "left"), [("n", 3), ("y", 0)])
def test_on_a_terminal_it_asks(cache: Run, redis_url: str, answer: str, left: int) -> None:
    asyncio.run(fill(redis_url, embed=3))
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tritonkit", "cache", "flush", "--redis", redis_url],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    output, _ = process.communicate(timeout=60)
    os.close(ours)
    assert f"End all entries in {redis_url}? [y/N]: " in output
    assert process.returncode == (0 if answer == "y" else 1)
    models = json.loads(cache("stats", "--redis", redis_url, "--json").stdout)["models"]
    assert models.get("embed", {"entries": 0})["entries"] == left


@pytest.mark.parametrize("command", [("stats",), ("flush", "--yes")])
def test_nobody_listens(cache: Run, command: tuple[str, ...]) -> None:
    result = cache(*command, "--redis", "redis://127.0.0.1:1")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: redis://127.0.0.1:1 does not answer: ")
    assert "refused" in result.stderr or "failed" in result.stderr
    result = cache(*command, "--redis", "http://127.0.0.1:1")
    assert result.exit_code == 2
    result = cache(*command)
    assert result.exit_code == 2
    assert "--redis" in result.stderr


@pytest.mark.parametrize("command", [("stats",), ("flush", "--yes")])
def test_no_cluster(cache: Run, redis_url: str, command: tuple[str, ...]) -> None:
    """The address and what is wrong, in one line."""
    result = cache(*command, "--redis", redis_url, "--cluster")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {redis_url} does not answer: ")
    assert "Cluster mode is not enabled" in result.stderr
    assert len(result.stderr.splitlines()) == 1


async def test_a_cluster(cache: Run, redis_cluster: str) -> None:
    store = Redis(redis_cluster, cluster=True, budget="1s")
    await store.put("embed", {bytes(16): Entry({"y": ARRAY}, time.monotonic())}, None)
    await store.flushed()
    await store.aclose()
    options = ("--redis", redis_cluster, "--cluster")
    found = json.loads(cache("stats", *options, "--json").stdout)
    assert found["models"]["embed"]["entries"] == 1
    assert [server["node"] for server in found["servers"]] == [redis_cluster[8:]]
    assert cache("flush", *options, "--model", "embed", "-y").stdout.endswith("1 deleted.\n")
    assert cache("stats", *options).exit_code == 0
