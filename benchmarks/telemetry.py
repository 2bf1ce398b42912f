"""
What it costs to count, measure and trace calls, and to be scraped.

A memory hit of one row and of 32 rows of 4 kB, at once (`infer_now`, in the caller's thread)
and as a call of the event loop, and a miss that is answered after one turn of it. Over the
same cache, or none for the miss:

    bare        no telemetry
    counted     Telemetry()
    tokens      with tokens counted and watched, each request of one of 100 users
    spans off   with spans, of a process that samples none
    spans       with spans that the SDK keeps, and nobody exports

Each takes a call in turn, in a new order each time, so what disturbs one disturbs all. What
is added is the difference of two medians of one round. Of exact hits the goal is under 3 us
for what is counted, and under 50 us in all for the 32 rows.

A scrape is timed with many combinations of labels, and `record` of a latency alone.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from time import perf_counter_ns, process_time_ns
from typing import Any

import numpy as np
import uvloop
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from prometheus_client import CollectorRegistry, generate_latest
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tritonkit.bench.report.json import write
from tritonkit.client import (
    Cache,
    InferRequest,
    InferResponse,
    LatencySketch,
    Layer,
    Stack,
    Telemetry,
    Tokens,
    Trace,
)
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.machine import Machine, package_versions

RESULT = Path(__file__).parent / "results" / "telemetry.json"
BARE = "bare"
GOAL_US, GOAL_HIT_US = 3.0, 50.0
SERIES = (10, 100, 1000)
USERS = 100

Medians = dict[str, dict[str, list[float]]]
"""By kind of call and telemetry: microseconds of a call, a median for each round."""


class Nothing(FakeTransport):
    """Answers after one turn of the event loop, and remembers nothing."""

    def __init__(self) -> None:
        parameters = {
            "tritonkit.model_digest": {"string_value": "same"},
            "tritonkit.batch_invariant": {"string_value": "true"},
        }
        super().__init__(
            lambda request: {},
            inputs={"x": (-1,)},
            outputs={"y": (-1,)},
            config={"parameters": parameters},
        )

    async def __call__(self, request: InferRequest, /) -> InferResponse:
        await asyncio.sleep(0)
        return InferResponse(model=request.model, version="1", outputs={"y": request.inputs["x"]})


def layers() -> dict[str, list[Layer]]:
    """What stands outermost."""
    return {
        BARE: [],
        "counted": [Telemetry()],
        "tokens": [Telemetry(tokens=Tokens())],
        "spans off": [Telemetry(provider=TracerProvider(sampler=ALWAYS_OFF))],
        "spans": [Telemetry(provider=TracerProvider())],
    }


def requests(rows: int, size: int) -> list[InferRequest]:
    """One for each of many users, of the same rows."""
    x = np.random.default_rng(rows).random((rows, size), dtype=np.float32)
    return [
        InferRequest(model="same", inputs={"x": x}, tags={"user": f"u{number}"})
        for number in range(USERS)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=500, help="of each stack in a round")
    arguments = parser.parse_args()
    medians = uvloop.run(measure(arguments.rounds, arguments.calls))
    report(medians, scrapes(), recorded(), arguments.rounds, arguments.calls)


async def measure(rounds: int, calls: int) -> Medians:
    """Each kind of call in each round."""
    chance = np.random.default_rng(0)
    # A day, so that no hit asks which model is served.
    cached = {
        name: Stack(Nothing(), [*above, Cache(recheck="1d")]) for name, above in layers().items()
    }
    bare = {name: Stack(Nothing(), above) for name, above in layers().items()}
    kinds: list[tuple[str, Mapping[str, Stack], bool, list[InferRequest]]] = [
        ("hit of 1 row, at once", cached, True, requests(1, 1024)),
        ("hit of 32 rows of 4 kB, at once", cached, True, requests(32, 1024)),
        ("hit of 1 row, a call", cached, False, requests(1, 1024)),
        ("miss of 1 row, a call", bare, False, requests(1, 1024)),
    ]
    for stack in cached.values():
        for _, _, _, asked in kinds:
            await stack(asked[0])
    medians: Medians = {kind: {name: [] for name in cached} for kind, *_ in kinds}
    for number in range(rounds + 1):
        for kind, stacks, at_once, asked in kinds:
            times = await taken(stacks, at_once, asked, calls, chance)
            # The first round warms up.
            for name, each in times.items() if number else ():
                medians[kind][name].append(median(each))
    for stack in (*cached.values(), *bare.values()):
        await stack.aclose()
    return medians


async def taken(
    stacks: Mapping[str, Stack],
    at_once: bool,
    asked: Sequence[InferRequest],
    calls: int,
    chance: np.random.Generator,
) -> dict[str, list[float]]:
    """Microseconds of each call, by telemetry."""
    names = list(stacks)
    times: dict[str, list[float]] = {name: [] for name in names}
    for number in range(calls):
        request = asked[number % len(asked)]
        for name in chance.permutation(names).tolist():
            stack = stacks[name]
            began = perf_counter_ns()
            answer = stack.now(request) if at_once else await stack(request)
            times[name].append((perf_counter_ns() - began) / 1e3)
            assert answer is not None
        await asyncio.sleep(0)
    return times


def scrapes() -> dict[int, float]:
    """Milliseconds of CPU of a scrape, by the number of label combinations; the least of nine."""
    found = {}
    for series in SERIES:
        telemetry = Telemetry(most=series)
        (request, *_) = requests(1, 1)
        for number in range(series):
            tiers = Trace(tiers=(f"tier-{number % 10}",), origins=("memory",))
            named = replace(request, model=f"model-{number // 10}")
            for ns in range(10**6, 10**7, 10**5):
                telemetry._book.answered(named, tiers, ns, waited=False)
        registry = CollectorRegistry()
        registry.register(telemetry.collector())
        times = []
        for _ in range(9):
            began = process_time_ns()
            generate_latest(registry)
            times.append((process_time_ns() - began) / 1e6)
        found[series] = min(times)
    return found


def recorded() -> float:
    """Nanoseconds of one `LatencySketch.record`, the least of many short runs."""
    sketch, times = LatencySketch(), []
    for _ in range(300):
        began = perf_counter_ns()
        for ns in range(10**6, 10**6 + 1_000):
            sketch.record(ns)
        times.append((perf_counter_ns() - began) / 1_000)
    return min(times)


def added(by_name: Mapping[str, Sequence[float]], name: str) -> list[float]:
    return [it - bare for it, bare in zip(by_name[name], by_name[BARE], strict=True)]


def report(
    medians: Medians, scraped: Mapping[int, float], record_ns: float, rounds: int, calls: int
) -> None:
    table = Table(
        title=f"added to a call, us: median (least to most) of {rounds} rounds of {calls} calls",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("")
    names = [name for name in next(iter(medians.values())) if name != BARE]
    for name in ("(bare)", *names):
        table.add_column(name, justify="right")
    for kind, by_name in medians.items():
        cells = [f"({median(by_name[BARE]):.1f})"]
        for name in names:
            found = added(by_name, name)
            cells.append(f"{median(found):.1f} ({min(found):.1f} to {max(found):.1f})")
        table.add_row(kind, *cells)
    console = Console(highlight=False, width=120)
    console.print(table)
    for series, ms in scraped.items():
        console.print(f"a scrape of {series} combinations of labels: {ms:.1f} ms of CPU")
    console.print(f"one latency recorded: {record_ns:.0f} ns")
    console.print(
        f"goals for what is counted: under {GOAL_US:g} us added to a hit at once, "
        f"and 32 rows under {GOAL_HIT_US:g} us in all"
    )
    results: dict[str, Any] = {
        "benchmark": "telemetry",
        "machine": asdict(Machine.here()),
        "versions": package_versions(
            ("tritonkit", "uvloop", "numpy", "opentelemetry-sdk", "prometheus-client")
        ),
        "service": "a function that answers after one turn of the event loop",
        "rounds": rounds,
        "calls": calls,
        "call_us": medians,
        "added_us": {
            kind: {name: median(added(by_name, name)) for name in names}
            for kind, by_name in medians.items()
        },
        "scrape_cpu_ms": {str(series): ms for series, ms in scraped.items()},
        "record_ns": record_ns,
        "goal_us": GOAL_US,
        "goal_hit_us": GOAL_HIT_US,
    }
    RESULT.parent.mkdir(exist_ok=True)
    write(RESULT, results)
    console.print(f"written to {RESULT}")


if __name__ == "__main__":
    main()
