"""Processes that are killed, a Redis that is gone, a file that is locked: nothing lost unseen."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tritonkit.client.experiments.control import Control
from tritonkit.client.experiments.events import (
    Answer,
    Exposure,
    Outcome,
    new_answer_id,
    wall_clock,
)
from tritonkit.client.experiments.log import EventLog, Loss
from tritonkit.client.experiments.redis import RedisLog
from tritonkit.client.experiments.sqlite import SqliteLog
from tritonkit.client.testing.event_logs import sample_answer, sample_exposure, sample_outcome
from tritonkit.errors import ConfigError, ServerUnavailable

EXPOSER = """
import asyncio, sys
from tritonkit.client.experiments.{module} import {name}
from tritonkit.client.testing.event_logs import sample_exposure

async def main():
    log = {name}(sys.argv[1], budget="30s")
    sys.stdin.readline()
    for number in range({count}):
        new = await log.expose(sample_exposure(f"u{{number}}"))
        # Only what is acknowledged is told.
        print(f"u{{number}}" if new else "known", flush=True)
    await log.aclose()

asyncio.run(main())
"""


@pytest.fixture(params=["sqlite", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str, str]:
    """Module and class of a log, and where its events are."""
    if request.param == "sqlite":
        return "sqlite", "SqliteLog", str(tmp_path / "events.db")
    return "redis", "RedisLog", request.getfixturevalue("redis_server").url


def process(place: tuple[str, str, str], count: int) -> subprocess.Popen[str]:
    module, name, where = place
    code = EXPOSER.format(module=module, name=name, count=count)
    command = [sys.executable, "-c", code, where]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def opened(place: tuple[str, str, str]) -> EventLog:
    # A busy machine must not make an exposure late.
    made = SqliteLog if place[0] == "sqlite" else RedisLog
    return made(place[2], budget="30s")


async def exposed(log: EventLog) -> list[str]:
    return [event.unit async for event in log.events("e") if isinstance(event, Exposure)]


async def test_two_processes_expose_the_same_units(place: tuple[str, str, str]) -> None:
    """Each unit is new to exactly one of them, and is there once."""
    processes = [process(place, 100) for _ in range(2)]
    told = await asyncio.gather(
        *(asyncio.to_thread(one.communicate, "go\n", timeout=60) for one in processes)
    )
    new = Counter(line for out, _ in told for line in out.split() if line != "known")
    units = [f"u{number}" for number in range(100)]
    assert new == Counter(units)
    async with opened(place) as log:
        assert Counter(await exposed(log)) == Counter(units)


async def test_a_writer_that_is_killed(place: tuple[str, str, str]) -> None:
    """What was acknowledged is there; others go on writing."""
    victim = process(place, 100_000)
    assert victim.stdin is not None
    assert victim.stdout is not None
    victim.stdin.write("go\n")
    victim.stdin.flush()
    told = [victim.stdout.readline().strip() for _ in range(50)]
    victim.kill()
    told += victim.stdout.read().split()
    victim.communicate()
    async with opened(place) as log:
        units = await exposed(log)
        # The one that was under way may be there as well.
        assert units[: len(told)] == told
        assert len(units) <= len(told) + 1
        assert await log.expose(sample_exposure("afterwards"))


async def test_a_redis_that_is_gone_and_comes_back(mortal_redis: Any) -> None:
    """Requests go on, what happened meanwhile is written when it is back, and the late counted."""
    async with RedisLog(mortal_redis.url, budget="10s") as log:
        assert await log.expose(sample_exposure("before"))
        mortal_redis.kill()
        log.add([sample_answer("meanwhile")])
        with pytest.raises(ServerUnavailable):
            await log.control("e")
        await until(lambda: log.counters["failures"] > 0)
        # Known to fail: nobody waits for it, though the budget is 10 s.
        assert await asyncio.wait_for(log.expose(sample_exposure("u1")), 5)
        assert log.counters["late"] == 1
        mortal_redis.start()
        await log.flush()
        events = [event async for event in log.events("e")]
        assert [event.unit for event in events if not hasattr(event, "name")] == ["meanwhile", "u1"]
        assert log.counters["lost"] == 0


async def test_a_redis_that_hangs(mortal_redis: Any) -> None:
    """An exposure waits for the budget, then the request goes on; what hung is written once."""
    async with RedisLog(mortal_redis.url, budget="20ms") as log:
        await log.flush()
        mortal_redis.freeze()
        assert await asyncio.wait_for(log.expose(sample_exposure("u1")), 5)
        assert log.counters["late"] == 1
        log.add([sample_answer("u1")])
        await until(lambda: log.counters["failures"] > 0)
        mortal_redis.thaw()
        await log.flush()
        kinds = [type(event) async for event in log.events("e")]
        assert kinds == [Exposure, Answer]


async def test_who_asks_a_silent_redis_takes_no_thread_of_others(mortal_redis: Any) -> None:
    """The event loop has 32 at most; what else needs one, such as a name's look-up, has it."""
    async with RedisLog(mortal_redis.url) as log:
        mortal_redis.freeze()
        asking = [asyncio.create_task(log.control("e")) for _ in range(33)]
        await asyncio.sleep(0)
        try:
            assert await asyncio.wait_for(asyncio.to_thread(int), 10) == 0
        finally:
            mortal_redis.thaw()
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)


def test_a_batch_that_comes_again(redis_server: Any) -> None:
    """Whenever that is, and behind later ones as well: it is there once, and still new."""
    backend = RedisLog(redis_server.url)._backend()()
    first = [sample_exposure(), sample_answer()]
    for batch, events in (("w-9", first), ("w-10", [sample_answer()]), ("w-9", first)):
        assert backend.write(batch, events, {}) == [True] * len(events)
    assert backend.write("other-9", first, {}) == [False, True]
    backend.close()
    with redis_server.client() as client:
        assert client.xlen("{tritonkit}:experiments:events:e") == 4
        # Longer than any outage through which a process holds events.
        assert min(client.ttl(key) for key in client.keys("*batch:*")) > 500_000


async def test_what_there_is_no_room_for(mortal_redis: Any) -> None:
    """It is counted here, and by arm where all can see it once Redis is back."""
    mortal_redis.kill()
    async with RedisLog(mortal_redis.url, room=2) as log:
        for number in range(5):
            arm = "b" if number >= 3 else "a"
            assert await log.expose(sample_exposure(f"u{number}", arm=arm))
        log.add([sample_answer(f"u{number}") for number in range(3)])
        assert log.counters["lost"] == 4
        mortal_redis.start()
        await log.flush()
        # What was lost is written behind what was not.
        await log.aclose()
        async with RedisLog(mortal_redis.url) as other:
            assert await other.losses() == {
                Loss("e", "v1", "a", "exposure"): 1,
                Loss("e", "v1", "b", "exposure"): 2,
                Loss("e", "v1", "a", "answer"): 1,
            }
            assert await exposed(other) == ["u0", "u1"]


async def test_the_oldest_make_room(redis_server: Any) -> None:
    """What a full stream forgets is counted by arm, in one experiment and among outcomes."""
    async with RedisLog(redis_server.url, max_events=4, budget="20s") as log:
        for number in range(3):
            assert await log.expose(sample_exposure(f"u{number}", arm='Zoë"\\'))
        await log.flush()
        with redis_server.client() as client:
            # Nobody knows what it is.
            client.xadd("{tritonkit}:experiments:events:e", {"e": "x"})
        log.add([sample_answer(f"u{number}") for number in range(6)])
        log.add([sample_outcome() for _ in range(5)])
        assert await log.expose(sample_exposure("u9", experiment="f"))
        await log.flush()
        assert [event.answer async for event in log.events("f")]
        assert await log.losses() == {
            Loss("e", "v1", 'Zoë"\\', "exposure"): 3,
            Loss("e", "v1", "a", "answer"): 2,
            Loss("", "", "", "outcome"): 1,
        }
        left = [event async for event in log.events("e")]
        assert [event.unit for event in left if isinstance(event, Answer)] == [
            f"u{number}" for number in range(2, 6)
        ]


async def test_a_file_that_another_holds(tmp_path: Path) -> None:
    """A request does not wait longer than its budget; the event is written afterwards."""
    path = tmp_path / "events.db"
    async with SqliteLog(path, budget="10ms") as log:
        await log.flush()
        await log.steer("e", await log.control("e"))
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        assert await asyncio.wait_for(log.expose(sample_exposure()), 5)
        assert log.counters["late"] == 1
        holder.execute("COMMIT")
        holder.close()
        await log.flush()
        assert await exposed(log) == ["u1"]


async def test_a_file_that_others_open_for_the_first_time(tmp_path: Path) -> None:
    """Whoever comes second waits."""
    path = tmp_path / "events.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as first:
        first.execute("CREATE TABLE other (a)")
        first.execute("BEGIN IMMEDIATE")
        async with SqliteLog(path) as log:
            asking = asyncio.create_task(log.control("e"))
            await asyncio.sleep(0.1)
            first.execute("COMMIT")
            assert await asking == Control()


async def test_a_file_that_is_removed(tmp_path: Path) -> None:
    """Another one is begun, which others see; nothing goes where nobody looks."""
    path = tmp_path / "events.db"
    async with SqliteLog(path, budget="30s") as log, SqliteLog(path) as other:
        for unit in ("before", "after"):
            assert await log.expose(sample_exposure(unit))
            await log.control("e")
            assert await exposed(other) == [unit]
            for file in (path, *tmp_path.glob("events.db-*")):  # noqa: ASYNC240, it is a test's
                file.unlink()


async def test_a_process_that_goes_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file stays where it was named."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    async with SqliteLog("events.db", budget="30s") as log:
        monkeypatch.chdir("elsewhere")
        assert await log.expose(sample_exposure())
        assert await exposed(log) == ["u1"]
    assert not list((tmp_path / "elsewhere").iterdir())


async def test_a_file_that_is_none(tmp_path: Path) -> None:
    """It says so, and the requests go on."""
    path = tmp_path / "events.db"
    path.write_bytes(b"no database at all, but long enough to be looked at" * 100)
    log = SqliteLog(path)
    assert await asyncio.wait_for(log.expose(sample_exposure()), 5)
    with pytest.raises(ServerUnavailable, match="not a database"):
        await log.read("e")
    await log.aclose()
    assert log.counters["lost"] == 1


@pytest.mark.parametrize("value", [10**30, np.float32(0.5), np.int64(3), Fraction(1, 2)])
async def test_any_number_is_an_outcome(place: tuple[str, str, str], value: Any) -> None:
    """It is kept as a float, and what follows it is written."""
    async with opened(place) as log:
        log.add([Outcome(answer=new_answer_id(), name="paid", value=value, at=4 * 10**9)])
        assert await log.expose(sample_exposure())
        [outcome] = [event async for event in log.events("e") if isinstance(event, Outcome)]
        assert (type(outcome.value), outcome.value, outcome.at) == (float, float(value), 4e9)


@pytest.mark.parametrize("value", [10**400, float("nan"), True, "1"])
def test_what_is_no_number(value: Any) -> None:
    with pytest.raises(ConfigError, match="value must be a finite number"):
        Outcome(answer=new_answer_id(), name="paid", value=value, at=1)


def test_milliseconds_are_no_time() -> None:
    """An event of the year 50,000 would be kept for ever, and all that is behind it."""
    with pytest.raises(ConfigError, match="at must be seconds since 1970"):
        Outcome(answer=new_answer_id(), name="paid", value=1, at=wall_clock() * 1000)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_an_event_that_no_file_holds(tmp_path: Path) -> None:
    """Its batch is lost and counted, by arm as well; what comes after it is written."""
    async with SqliteLog(tmp_path / "events.db", room=2, budget="30s") as log:
        for _ in range(3):
            log.add([replace(sample_answer(), cost=2**70)])
        await until(lambda: log.counters["lost"] == 3)
        log.add([sample_answer(), sample_answer()])
        await log.flush()
        # What was lost is written behind what was not.
        await log.aclose()
        assert log.counters["lost"] == 3
        assert await log.losses() == {Loss("e", "v1", "a", "answer"): 3}


async def test_what_a_closed_log_gave_up(mortal_redis: Any) -> None:
    """Used again, it tells all what was lost when it closed."""
    mortal_redis.kill()
    log = RedisLog(mortal_redis.url)
    assert await log.expose(sample_exposure())
    await until(lambda: log.counters["failures"] > 0)
    await log.aclose()
    assert log.counters["lost"] == 1
    mortal_redis.start()
    assert await log.expose(sample_exposure("u2"))
    await log.flush()
    await log.aclose()
    assert await log.losses() == {Loss("e", "v1", "a", "exposure"): 1}
    await log.aclose()


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
async def test_what_is_too_old_is_forgotten(kind: str, tmp_path: Path, redis_server: Any) -> None:
    """The next that is written takes it away; a forgotten exposure may happen again."""

    def make() -> EventLog:
        if kind == "sqlite":
            return SqliteLog(tmp_path / "events.db", max_age="1d")
        return RedisLog(redis_server.url, max_age="1s")

    old = replace(sample_exposure("old"), at=wall_clock() - 90_000)
    async with make() as log:
        assert await log.expose(old)
    if kind == "redis":
        await asyncio.sleep(1.1)
    async with make() as log:
        await log.expose(sample_exposure("new"))
        await log.aclose()
        assert await exposed(log) == ["new"]
        assert await log.expose(replace(old, at=wall_clock()))


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork(place: tuple[str, str, str]) -> None:
    """Parent and child go on with connections of their own."""
    log = opened(place)
    assert asyncio.run(log.expose(sample_exposure("before")))
    # The writer is at work meanwhile.
    log.add([sample_answer(f"u{number}") for number in range(3000)])
    child = os.fork()
    if child == 0:
        done = 1
        try:
            known = asyncio.run(log.expose(sample_exposure("before")))
            new = asyncio.run(log.expose(sample_exposure("child")))
            done = 0 if new and not known else 1
        finally:
            os._exit(done)
    assert os.waitpid(child, 0)[1] == 0
    assert asyncio.run(log.expose(sample_exposure("parent")))
    assert asyncio.run(exposed(log)) == ["before", "child", "parent"]
    asyncio.run(log.aclose())


def test_a_log_that_nobody_closes(tmp_path: Path) -> None:
    """The end of the process writes what waits."""
    path = tmp_path / "events.db"
    code = f"""
from tritonkit.client.experiments.sqlite import SqliteLog
from tritonkit.client.testing.event_logs import sample_answer
SqliteLog({str(path)!r}).add([sample_answer()])
log = SqliteLog({str(path)!r})
log.add([sample_answer()])
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

    async def count() -> int:
        async with SqliteLog(path) as log:
            return len([event async for event in log.events("e")])

    assert asyncio.run(count()) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"room": 0}, "room must be at least 1, but got room=0"),
        ({"budget": "1"}, "budget needs a unit"),
        ({"max_age": "10ms"}, "max_age must be 1s or more, but got '10ms'"),
    ],
)
def test_arguments(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        SqliteLog(tmp_path / "events.db", **options)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110, nothing tells
            await asyncio.sleep(0.01)
