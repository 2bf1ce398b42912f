"""
Budgets under fire: eight processes spend from one Redis ledger, and are killed, as it is.

    python benchmarks/budgets.py --seconds 60

Each process has several coroutines that reserve random amounts for a user, his tenant and
everybody, write down what they spend in the moment that they spend it, and then settle
it, settle it twice, release it, or forget it. Every process believes in another time of day.
Processes are killed (kill -9) and started again all the time, and so is Redis, which keeps
what it has answered (appendonly yes, appendfsync always).

Checked afterwards, from what was written down: in no window of any scope, wherever it
begins, was more spent than its limit; nothing stays reserved; and most of the limit
was there to be spent all the same.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from tritonkit.client.ledgers.ledger import Claim, Grant, Usage
from tritonkit.client.ledgers.redis import RedisLedger
from tritonkit.client.testing.redis_server import RedisServer

PROCESSES = 8
COROUTINES = 4
USERS, TENANTS = 5, 2
TTL = 1.0
SECOND = 10**6
LIMITS = {"user": (120, SECOND), "tenant": (250, 3 * SECOND // 2), "all": (600, 2 * SECOND)}
"""By kind of scope: the limit, and the window in microseconds."""

KILL_EVERY = 0.4
RESTART_EVERY = 2.5

_real_time = time.time_ns


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0].strip())
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as redis:
        run = drive(redis, Path(folder), arguments.seconds, random.Random(arguments.seed))
        reserved = asyncio.run(left_open(redis))
        events = read(Path(folder))
    problems = [*check(events), *(f"{scope} stays reserved: {n}" for scope, n in reserved.items())]
    if len(events) < 20 * arguments.seconds:
        problems.append(f"only {len(events)} were spent in {arguments.seconds:g} s")
    print(
        f"{len(events)} reservations spent in {arguments.seconds:g} s by {PROCESSES} processes, "
        f"{run.killed} of them killed, over {run.restarts} restarts of Redis"
    )
    for kind, (limit, _) in LIMITS.items():
        print(f"{kind:>8}: fullest window {fullest(events, kind) / limit:.1%} of its limit")
    if problems:
        sys.exit("\n".join(problems))
    print("no window holds more than its limit; nothing stays reserved")


@contextmanager
def server(folder: Path) -> Iterator[RedisServer]:
    """One that may be killed and loses nothing."""
    redis = RedisServer(folder, "--appendonly", "yes", "--appendfsync", "always", tcp=False)
    redis.start()
    try:
        yield redis
    finally:
        redis.stop()


@dataclass
class Run:
    killed: int = 0
    restarts: int = 0


def drive(redis: RedisServer, folder: Path, seconds: float, chance: random.Random) -> Run:
    """Keep eight processes going, and kill what there is to kill."""
    context, run = multiprocessing.get_context("fork"), Run()
    number = 0
    workers: list[BaseProcess] = []

    def start() -> None:
        nonlocal number
        number += 1
        log = folder / f"{number}.log"
        worker = context.Process(target=work, args=(str(redis.socket), log, chance.random()))
        worker.start()
        workers.append(worker)

    for _ in range(PROCESSES):
        start()
    begun = time.monotonic()
    restarted = begun
    try:
        while time.monotonic() - begun < seconds:
            time.sleep(chance.uniform(0, 2 * KILL_EVERY))
            victim = workers.pop(chance.randrange(len(workers)))
            end(victim)
            run.killed += 1
            start()
            if time.monotonic() - restarted > RESTART_EVERY:
                redis.kill()
                time.sleep(chance.uniform(0, 0.2))
                redis.start()
                restarted = time.monotonic()
                run.restarts += 1
    finally:
        for worker in workers:
            end(worker)
    return run


def end(worker: BaseProcess) -> None:
    if worker.pid is not None:
        os.kill(worker.pid, signal.SIGKILL)
    worker.join()


def work(path: str, log: Path, seed: float) -> None:
    # That Redis is away is no news here.
    logging.disable()
    chance = random.Random(seed)
    # Another time of day in each process: nothing of ours may go by it.
    skew = chance.uniform(-86_400, 86_400)
    real = time.time  # noqa: TID251, that is the case
    time.time = lambda: real() + skew  # noqa: TID251
    time.time_ns = lambda: _real_time() + int(skew * 1e9)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    asyncio.run(spend(path, file, chance))


async def spend(path: str, file: int, chance: random.Random) -> None:
    ledger = RedisLedger(f"unix://{path}", budget=1)
    await asyncio.gather(*(caller(ledger, file, chance) for _ in range(COROUTINES)))


async def caller(ledger: RedisLedger, file: int, chance: random.Random) -> None:
    while True:
        amount, id = chance.randint(0, 12), os.urandom(8).hex()
        claims = claims_of(chance.randrange(USERS), amount)
        begun = time.monotonic()
        if not isinstance(await ledger.reserve(id, claims, TTL), Grant):
            await asyncio.sleep(chance.uniform(0, 0.06))
            continue
        what = chance.random()
        if what < 0.05:
            await ledger.release(id)
            await ledger.settle(id, [amount] * len(claims))
            continue
        await asyncio.sleep(chance.uniform(0, 0.02))
        actual = amount if what < 0.5 else chance.randint(0, amount)
        now = _real_time() // 1000
        if time.monotonic() - begun > TTL:
            # Too late to spend: it counts as spent already.
            continue
        line = json.dumps([now, actual, [claim.scope for claim in claims]]) + "\n"
        os.write(file, line.encode())
        await asyncio.sleep(chance.uniform(0, 0.02))
        if what > 0.1:
            await ledger.settle(id, [actual] * len(claims))
        if what > 0.9:
            await asyncio.gather(
                ledger.settle(id, [0] * len(claims)), ledger.release(id), ledger.release(id)
            )


def claims_of(user: int, amount: int) -> list[Claim]:
    scopes = {"user": f"user:{user}", "tenant": f"tenant:{user % TENANTS}", "all": "all:"}
    return [Claim(scopes[kind], *LIMITS[kind], amount) for kind in LIMITS]


async def left_open(redis: RedisServer) -> dict[str, int]:
    """What is still reserved when all that may be has expired; by scope."""
    await asyncio.sleep(TTL + 0.1)
    ledger = RedisLedger(redis.url, budget=5)
    claims = {claim.scope: claim for user in range(USERS) for claim in claims_of(user, 0)}
    found: list[Usage] = await ledger.usage(list(claims.values()))
    await ledger.aclose()
    return {scope: u.reserved for scope, u in zip(claims, found, strict=True) if u.reserved}


Event = tuple[int, int, list[str]]


def read(folder: Path) -> list[Event]:
    events: list[Event] = []
    for log in folder.glob("*.log"):
        for line in log.read_text().splitlines():
            moment, amount, scopes = json.loads(line)
            events.append((moment, amount, scopes))
    return sorted(events)


def windows(events: list[Event]) -> Iterator[tuple[str, int, int]]:
    """For each scope, and each event as the end of a window: when, and what the window holds."""
    spent: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for moment, amount, scopes in events:
        for scope in scopes:
            spent[scope].append((moment, amount))
    for scope, items in spent.items():
        length = LIMITS[scope.partition(":")[0]][1]
        first = held = 0
        for moment, amount in items:
            held += amount
            while items[first][0] < moment - length:
                held -= items[first][1]
                first += 1
            yield scope, moment, held


def fullest(events: list[Event], kind: str) -> int:
    found = [held for scope, _, held in windows(events) if scope.partition(":")[0] == kind]
    return max(found, default=0)


def check(events: list[Event]) -> list[str]:
    problems = []
    for scope, moment, held in windows(events):
        limit, length = LIMITS[scope.partition(":")[0]]
        if held > limit:
            problems.append(f"{scope}: {held} of {limit} in the {length} us until {moment}")
    return problems


if __name__ == "__main__":
    main()
