"""
What it costs to keep a budget, against a plain Redis round trip.

    GET                      one GET by redis-py, which is the round trip
    store's GET              the same by the cache's store: with its time limit and breaker
    redis ledger, N scopes   reserve and settle, a script and a trip each, by RedisLedger
    local ledger, N scopes   the same by LocalLedger
    Budget, local            the layer with three quotas around a service that does
    Budget, redis            nothing but hand over its answer, over either ledger

Every ledger remembers a full window, as it does in service. All take turns, every call is
timed, and a ratio is taken between medians of one round.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter_ns

import numpy as np
import redis.asyncio
import uvloop
from redis_server import redis_server
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tritonkit.bench.report.json import write
from tritonkit.client import InferRequest, InferResponse, Redis
from tritonkit.client.layers.budget.budget import Budget
from tritonkit.client.layers.budget.cost import Costs, Price
from tritonkit.client.layers.budget.limits import Quota
from tritonkit.client.ledgers.ledger import Claim, Grant, Ledger
from tritonkit.client.ledgers.local import LocalLedger
from tritonkit.client.ledgers.redis import RedisLedger
from tritonkit.errors import TritonkitError
from tritonkit.machine import Machine, package_versions

RESULT = Path(__file__).parent / "results" / "budget.json"
ROUND_TRIP = "GET"
SCOPES = (1, 3)
WINDOW = 2 * 10**6
"""Two seconds: filled within one round."""

Call = Callable[[], Awaitable[object]]
Samples = dict[str, list[float]]
"""By driver: the medians of its rounds, in microseconds."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=500, help="of each driver in a round")
    arguments = parser.parse_args()
    with redis_server() as url:
        samples = uvloop.run(measure(url, arguments.rounds, arguments.calls))
    report(samples, arguments.rounds, arguments.calls)


async def measure(url: str, rounds: int, calls: int) -> Samples:
    plain = redis.asyncio.Redis.from_url(url)
    shared, local = RedisLedger(url, budget="1s"), LocalLedger()
    store = Redis(url, budget="1s")
    drivers: dict[str, Call] = {
        ROUND_TRIP: lambda: plain.get("x"),
        "store's GET": lambda: store.get("m", [bytes(16)]),
    }
    for scopes in SCOPES:
        drivers[f"redis ledger, {scopes} scopes"] = cycle(shared, scopes)
        drivers[f"local ledger, {scopes} scopes"] = cycle(local, scopes)
    drivers["Budget, local"] = layered(local)
    drivers["Budget, redis"] = layered(shared)
    samples: Samples = {name: [] for name in drivers}
    for number in range(rounds + 1):
        taken: Samples = {name: [] for name in drivers}
        names = list(drivers)
        first = number % len(names)
        for _ in range(calls):
            # A call each in turn: what disturbs one disturbs all.
            for name in names[first:] + names[:first]:
                began = perf_counter_ns()
                await drivers[name]()
                taken[name].append((perf_counter_ns() - began) / 1e3)
        # The first round fills the windows.
        for name in names if number else ():
            samples[name].append(median(taken[name]))
    await store.aclose()
    await shared.aclose()
    await plain.aclose()
    return samples


def cycle(ledger: Ledger, scopes: int) -> Call:
    claims = [Claim(f"{scopes}:{n}", 10**12, WINDOW, 100) for n in range(scopes)]
    actual, ids = [70] * scopes, count()

    async def call() -> None:
        id = f"{scopes}:{next(ids)}"
        if not isinstance(await ledger.reserve(id, claims, 60.0), Grant):
            raise TritonkitError("a reservation was denied")
        await ledger.settle(id, actual)

    return call


def layered(ledger: Ledger) -> Call:
    quotas = [
        Quota("1000000 calls", per="user", window=2),
        Quota("100000", per="tenant", window=2),
        Quota("1000000", window=2),
    ]
    layer = Budget(*quotas, ledger=ledger, costs=Costs(default=Price(row="0.0001")))
    x = np.zeros((1, 64), np.float32)
    request = InferRequest(model="m", inputs={"x": x}, tags={"user": "u17"}, scope="t1")
    answer = InferResponse(model="m", outputs={"y": x})

    async def inner(request: InferRequest) -> InferResponse:
        return answer

    return lambda: layer(request, inner)


def report(samples: Samples, rounds: int, calls: int) -> None:
    trips = samples[ROUND_TRIP]
    table = Table(
        title=f"microseconds, median of {rounds} interleaved rounds of {calls} calls",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("")
    for column in ("us", f"/ {ROUND_TRIP} (least-most)"):
        table.add_column(column, justify="right")
    ratios = {
        name: [a / b for a, b in zip(values, trips, strict=True)]
        for name, values in samples.items()
    }
    for name, values in samples.items():
        ratio = ratios[name]
        cell = f"{median(ratio):.2f} ({min(ratio):.2f}-{max(ratio):.2f})"
        table.add_row(name, f"{median(values):.1f}", "" if name == ROUND_TRIP else cell)
    console = Console(highlight=False)
    console.print(table)
    RESULT.parent.mkdir(exist_ok=True)
    write(
        RESULT,
        {
            "benchmark": "budget",
            "machine": asdict(Machine.here()),
            "versions": package_versions(("tritonkit", "redis", "uvloop", "numpy")),
            "redis": "one server on a unix socket, windows of 2 s in 60 buckets, filled",
            "rounds": rounds,
            "calls": calls,
            "microseconds": samples,
            "times_a_round_trip": {name: median(values) for name, values in ratios.items()},
        },
    )
    console.print(f"written to {RESULT}")


if __name__ == "__main__":
    try:
        main()
    except TritonkitError as error:
        sys.exit(f"error: {error}")
