"""Jobs in a real Redis, between processes, and what happens when either dies."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tritonkit.client import AsyncClient
from tritonkit.client.jobs.job import SyncJob
from tritonkit.client.jobs.redis import Jobs
from tritonkit.errors import (
    ConfigError,
    DeadlineExceeded,
    JobLost,
    ProtocolError,
    ServerOverloaded,
    ServerUnavailable,
)

if TYPE_CHECKING:
    from conftest import Model

    from tritonkit.client.testing.redis_server import RedisServer

LOST = "0" * 32

SUBMIT = """
import asyncio, sys
import numpy as np
from tritonkit.client import AsyncClient
from tritonkit.client.jobs.redis import Jobs
from tritonkit.client.testing.transport import FakeTransport

async def never(request):
    await asyncio.sleep(600)

async def main():
    transport = FakeTransport(never, inputs={"x": (1,)}, outputs={"y": (1,)})
    client = AsyncClient(transport, jobs=Jobs(sys.argv[1]))
    job = await client.submit("m", {"x": [1]})
    print(job.id, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""

FETCH = """
import sys
from tritonkit.client.jobs.job import SyncJob
from tritonkit.client.jobs.redis import Jobs

job = SyncJob(sys.argv[2], Jobs(sys.argv[1]))
print(job.status())
try:
    print(job.result("20s")["y"].tolist(), job.status())
except Exception as error:
    print(type(error).__name__, error)
"""


def fetch(server: RedisServer, id: str) -> str:
    """What another process makes of a job."""
    command = [sys.executable, "-W", "error", "-c", FETCH, server.url, id]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    return done.stdout


async def until(reached: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not reached():  # noqa: ASYNC110, what is waited for happens elsewhere
            await asyncio.sleep(0.01)


def key(id: str) -> str:
    return f"tritonkit:job:{{{id}}}"


async def test_another_process_fetches_the_answer(redis_server: RedisServer, model: Model) -> None:
    """It may come before the answer does; a failure is raised there as well."""
    model.gate.clear()
    async with AsyncClient(model.transport, jobs=Jobs(redis_server.url, ttl="90s")) as client:
        job = await client.submit("m", {"x": [1, 2]})
        assert await job.status() == "running"
        fetching = asyncio.create_task(asyncio.to_thread(fetch, redis_server, job.id))
        await asyncio.sleep(0.3)
        model.gate.set()
        assert (await job.result("10s"))["y"].tolist() == [[2], [4]]
        assert (await fetching).splitlines()[-1] == "[[2.0], [4.0]] done"
        model.failure = ServerOverloaded("queue is full", model="m")
        job = await client.submit("m", {"x": [1]})
        with pytest.raises(ServerOverloaded):
            await job.result("10s")
        output = await asyncio.to_thread(fetch, redis_server, job.id)
        assert output == "failed\nServerOverloaded queue is full\n"
    with redis_server.client() as redis:
        assert 60_000 < redis.pttl(key(job.id)) <= 90_000
        assert not redis.exists(f"{key(job.id)}:alive")


async def test_a_process_that_is_killed_loses_its_jobs(redis_server: RedisServer) -> None:
    """Its sign of life ends by itself; until then it counts as running."""
    command = [sys.executable, "-c", SUBMIT, redis_server.url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220
    try:
        assert process.stdout is not None
        id = (await asyncio.to_thread(process.stdout.readline)).strip()
        async with Jobs(redis_server.url) as jobs:
            job = jobs.job(id)
            assert await job.status() == "running"
            with redis_server.client() as redis:
                # It beats: what another process takes away is there again.
                redis.delete(f"{key(id)}:alive")
                await until(lambda: redis.exists(f"{key(id)}:alive"))
                process.kill()
                process.wait()
                assert 0 < redis.pttl(f"{key(id)}:alive") <= 5000
                redis.pexpire(f"{key(id)}:alive", 50)
            with pytest.raises(JobLost, match=f"{id} is lost: nobody works on it"):
                await job.result("20s")
            assert await job.status() == "lost"
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


async def test_redis_is_restarted_while_a_job_is_worked_on(
    mortal_redis: RedisServer, model: Model
) -> None:
    """All that it knew is gone, and is written again; a waiter notices nothing."""
    model.gate.clear()
    async with AsyncClient(model.transport, jobs=Jobs(mortal_redis.url)) as client:
        job = await client.submit("m", {"x": [3]})
        waiting = asyncio.create_task(job.result("30s"))
        await asyncio.sleep(0.05)
        mortal_redis.kill()
        await asyncio.sleep(0.3)
        mortal_redis.start()
        with mortal_redis.client() as redis:
            await until(lambda: redis.exists(key(job.id)))
        assert await job.status() == "running"
        model.gate.set()
        assert (await waiting)["y"].tolist() == [[6]]


async def test_redis_is_away_when_a_job_ends(mortal_redis: RedisServer, model: Model) -> None:
    """The answer is written when it is there again."""
    model.gate.clear()
    async with AsyncClient(model.transport, jobs=Jobs(mortal_redis.url)) as client:
        job = await client.submit("m", {"x": [3]})
        mortal_redis.kill()
        model.gate.set()
        await until(lambda: len(model.transport.requests) == 1)
        await asyncio.sleep(0.1)
        mortal_redis.start()
        assert (await job.result("20s"))["y"].tolist() == [[6]]


async def test_redis_is_gone(mortal_redis: RedisServer, model: Model) -> None:
    """Nothing is begun that cannot be announced; who asks is told, in time."""
    mortal_redis.kill()
    async with AsyncClient(model.transport, jobs=Jobs(mortal_redis.url)) as client:
        with pytest.raises(ServerUnavailable, match=r"redis://127\.0\.0\.1"):
            await client.submit("m", {"x": [3]})
        assert model.transport.requests == []
        job = client.jobs.job(LOST)
        with pytest.raises(ServerUnavailable):
            await job.status()
        with pytest.raises(ServerUnavailable):
            await job.result("30s")
        with pytest.raises((ServerUnavailable, DeadlineExceeded)):
            await job.result("50ms")


async def test_redis_is_silent(mortal_redis: RedisServer) -> None:
    mortal_redis.freeze()
    async with Jobs(mortal_redis.url) as jobs:
        with pytest.raises(DeadlineExceeded):
            await jobs.job(LOST).result("300ms")
        with pytest.raises(ServerUnavailable):
            await jobs.job(LOST).status()
    mortal_redis.thaw()


async def test_what_cannot_be_read_is_no_answer(redis_server: RedisServer, model: Model) -> None:
    async with AsyncClient(model.transport, jobs=Jobs(redis_server.url)) as client:
        job = await client.submit("m", {"x": [3]})
        await job.result("10s")
        with redis_server.client() as redis:
            data = redis.get(key(job.id))
            for value in (b"", b"garbage", data[:-1], data[:-1] + b"\xff"):
                redis.set(key(job.id), value)
                assert await job.status() == "failed"
                with pytest.raises(ProtocolError, match=f"{job.id} cannot be read"):
                    await job.result("10s")
            redis.delete(key(job.id))
            redis.lpush(key(job.id), "another type")
            with pytest.raises(ServerUnavailable, match="WRONGTYPE"):
                await job.status()


async def test_a_board_is_used_again_after_it_was_closed(redis_server: RedisServer) -> None:
    jobs = Jobs(redis_server.url)
    assert await jobs.job(LOST).status() == "lost"
    await jobs.aclose()
    await jobs.aclose()
    assert await jobs.job(LOST).status() == "lost"
    await jobs.aclose()


def test_from_any_number_of_loops(redis_server: RedisServer) -> None:
    """Connections end with their loop, closed or not."""
    jobs = Jobs(redis_server.url)
    for _ in range(2):
        assert asyncio.run(jobs.job(LOST).status()) == "lost"
    assert SyncJob(LOST, jobs).status() == "lost"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "http://x"}, "url must be redis://"),
        ({"ttl": "x"}, "ttl must be"),
        ({"ttl": 0}, "ttl must be 1ms or more"),
        ({"namespace": ""}, "namespace"),
        ({"namespace": "a{b}"}, "namespace"),
    ],
)
def test_wrong_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Jobs(**options)


def test_no_password_is_shown() -> None:
    jobs = Jobs("redis://user:secret@localhost:6379/1", ttl="30m")
    assert repr(jobs) == "Jobs('redis://user:***@localhost:6379/1', ttl='30m')"
