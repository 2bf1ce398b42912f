"""
What a Split costs on a call, and how much its logs take.

On a call: over a function that answers after one turn of the event loop, a Split of two arms
without a log, and with each kind of log, for users that were exposed before and for
users that never were; each takes a call in turn, in a new order each time. What it costs
is the difference of two medians of one round: of the calls through it, and of those without.

Throughput: exposures of new units from 64 at a time, each waiting until it is written;
outcomes from one thread, until the last of them is written; and all of them read back.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter, perf_counter_ns

import numpy as np
import uvloop
from layers import Nothing
from redis_server import redis_server
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tritonkit.bench.report.json import write
from tritonkit.client import Arm, EventLog, InferRequest, RedisLog, Split, SqliteLog, Stack
from tritonkit.client.testing.event_logs import sample_exposure, sample_outcome
from tritonkit.machine import Machine, package_versions

RESULT = Path(__file__).parent / "results" / "split.json"
BARE = "no layer"
CALLERS = 64
USERS = 1_000

Times = dict[str, list[float]]
"""By what was measured: a value for each round."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=500, help="of each kind in a round")
    parser.add_argument("--events", type=int, default=5_000, help="of each kind in a round")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, redis_server() as url:
        medians, rates = uvloop.run(measure(Path(folder), url, arguments))
    report(medians, rates, arguments)


async def measure(folder: Path, url: str, arguments: argparse.Namespace) -> tuple[Times, Times]:
    """Medians of calls in us, and events/s."""
    async with AsyncExitStack() as closing:
        logs: dict[str, EventLog] = {
            # Nobody is let through early: what is measured is the writing.
            "SQLite": SqliteLog(folder / "events.db", budget="10s"),
            "Redis": RedisLog(url, budget="10s"),
        }
        stacks = {BARE: Stack(Nothing()), "no log": stack(None)}
        for name, log in logs.items():
            await closing.enter_async_context(log)
            stacks[f"{name}, known users"] = stack(log)
            stacks[f"{name}, new users"] = stack(log)
        for made in stacks.values():
            closing.push_async_callback(made.aclose)
        chance = np.random.default_rng(0)
        new = count()
        # By then the known users are known.
        await taken(stacks, 2 * USERS, chance, new)
        medians: Times = {name: [] for name in stacks}
        rates: Times = {}
        for _ in range(arguments.rounds):
            for name, times in (await taken(stacks, arguments.calls, chance, new)).items():
                medians[name].append(median(times))
            for name, log in logs.items():
                for kind, rate in (await throughput(log, arguments.events, new)).items():
                    rates.setdefault(f"{name}: {kind}", []).append(rate)
    return medians, rates


def stack(log: EventLog | None) -> Stack:
    made = Stack(Nothing(), [Split("e", Arm("a", model="one"), Arm("b", model="two"))])
    if log is not None:
        made.record_to(log)
    return made


async def taken(
    stacks: Mapping[str, Stack], calls: int, chance: np.random.Generator, new: count[int]
) -> Times:
    """Microseconds of each call."""
    times: Times = {name: [] for name in stacks}
    x = np.zeros((1, 64), np.float32)
    for number in range(calls):
        for name in chance.permutation(list(stacks)).tolist():
            user = f"new{next(new)}" if name.endswith("new users") else f"u{number % USERS}"
            request = InferRequest(model="m", inputs={"x": x}, tags={"user": user})
            began = perf_counter_ns()
            await stacks[name](request)
            times[name].append((perf_counter_ns() - began) / 1e3)
            # What was left for the next turn of the event loop is not the next one's.
            await asyncio.sleep(0)
    return times


async def throughput(log: EventLog, events: int, new: count[int]) -> dict[str, float]:
    """Events/s of each kind."""
    exposures = iter([sample_exposure(f"new{next(new)}", experiment="f") for _ in range(events)])
    outcomes = [sample_outcome() for _ in range(events)]

    async def caller() -> None:
        for exposure in exposures:
            await log.expose(exposure)

    await log.flush()
    began = perf_counter()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    exposed = perf_counter()
    log.add(outcomes)
    await log.flush()
    recorded = perf_counter()
    read = len([event async for event in log.events("f")])
    return {
        f"exposures, {CALLERS} at a time": events / (exposed - began),
        "outcomes": events / (recorded - exposed),
        "read": read / (perf_counter() - recorded),
    }


def report(medians: Times, rates: Times, arguments: argparse.Namespace) -> None:
    console = Console(highlight=False)
    on_top = {
        name: [it - bare for it, bare in zip(found, medians[BARE], strict=True)]
        for name, found in medians.items()
        if name != BARE
    }
    rounds, calls = arguments.rounds, arguments.calls
    titles = {
        f"on top of a call, us: median (least to most) of {rounds} rounds of {calls} calls": on_top,
        f"events/s: median (least to most) of {rounds} rounds of {arguments.events}": rates,
    }
    for title, found in titles.items():
        console.print(title)
        table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_header=False)
        table.add_column()
        table.add_column(justify="right")
        for name, values in found.items():
            digits = ".1f" if found is on_top else ",.0f"
            table.add_row(
                name,
                f"{median(values):{digits}} ({min(values):{digits}} to {max(values):{digits}})",
            )
        console.print(table)
    RESULT.parent.mkdir(exist_ok=True)
    write(
        RESULT,
        {
            "benchmark": "split",
            "machine": asdict(Machine.here()),
            "versions": package_versions(("tritonkit", "uvloop", "numpy", "redis")),
            "rounds": rounds,
            "calls": calls,
            "events": arguments.events,
            "callers": CALLERS,
            "users": USERS,
            "call_us": medians,
            "on_top_us": {name: median(values) for name, values in on_top.items()},
            "events_per_s": rates,
        },
    )
    console.print(f"written to {RESULT}")


if __name__ == "__main__":
    main()
