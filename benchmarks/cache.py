"""
What a hit costs, and what a miss costs on top, against what people use today.

One model answers 64 floats with 384 (the size of a small embedding). A hit is an
answer to a request that was asked before, of 1 row and of 32:

    memory            tritonkit's Cache over Memory, AsyncClient
    memory, guarded   the same below Deadline and Tiers of two routes
    memory, sync      the same by Client, in the caller's thread
    redis             Cache over Redis alone, so that every hit is fetched
    server, http      Triton's own response cache, by tritonclient.http
    server, http.aio  the same by tritonclient.http.aio
    server, grpc.aio  the same by tritonclient.grpc.aio
    cashews, aiocache the same arrays in their memory, under a key of the input's bytes

A miss is a row that nobody asked for before, with Triton's cache switched off:

    bare              AsyncClient without layers
    cache             Cache over Memory
    full stack        Cache over Memory, and Coalesce below it
    with redis        Cache over Memory and Redis, which is asked on the way, and Coalesce

All take turns, a few hundred calls each; every call is timed, and a ratio or a
difference is taken between medians of one round.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from statistics import median
from time import perf_counter_ns
from typing import Any

import aiocache
import numpy as np
import tritonclient.grpc.aio
import tritonclient.http.aio
import uvloop
from cashews.wrapper import Cache as Cashews
from redis_server import redis_server
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tritonkit.bench.report.json import write
from tritonkit.client import (
    AsyncClient,
    Cache,
    Client,
    Coalesce,
    Deadline,
    Memory,
    Redis,
    Route,
    Tiers,
)
from tritonkit.errors import TritonkitError
from tritonkit.machine import Machine, package_versions
from tritonkit.server import EmbeddedServer

RESULT = Path(__file__).parent / "results" / "cache.json"
SIZE, WIDTH = 64, 384
ROWS = (1, 32)
RIVALS = ("server, http", "server, http.aio", "server, grpc.aio")
GOAL_HIT_US = 25.0
GOAL_TIMES = 15.0
GOAL_MISS_US = 60.0

CODE = f"""\
import numpy as np
import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        answers = []
        for request in requests:
            x = pb.get_input_tensor_by_name(request, "x").as_numpy()
            y = np.tile(x, (1, {WIDTH // SIZE}))
            answers.append(pb.InferenceResponse([pb.Tensor("y", y)]))
        return answers
"""
CONFIG = f"""\
backend: "python"
max_batch_size: 32
input [ {{ name: "x", data_type: TYPE_FP32, dims: [ {SIZE} ] }} ]
output [ {{ name: "y", data_type: TYPE_FP32, dims: [ {WIDTH} ] }} ]
parameters {{ key: "tritonkit.model_digest" value {{ string_value: "tile" }} }}
parameters {{ key: "tritonkit.batch_invariant" value {{ string_value: "true" }} }}
"""

Call = Callable[[np.ndarray[Any, Any]], Awaitable[object]]
Samples = dict[str, list[float]]
"""By driver: the medians of its rounds, in microseconds."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=300, help="of each driver in a round")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, redis_server() as redis:
        for name, more in (("tile", ""), ("cached", "response_cache { enable: true }\n")):
            version = Path(folder) / name / "1"
            version.mkdir(parents=True)
            (version / "model.py").write_text(CODE)
            (version.parent / "config.pbtxt").write_text(CONFIG + more)
        with (
            EmbeddedServer(Path(folder), cache_size=64 * 10**6) as server,
            Client(server.http_url, [Cache()]) as sync_client,
        ):
            hits, misses = uvloop.run(
                measure(server, sync_client, redis, arguments.rounds, arguments.calls)
            )
    report(hits, misses, arguments.rounds, arguments.calls)


async def measure(
    server: EmbeddedServer, sync_client: Client, redis: str, rounds: int, calls: int
) -> tuple[dict[int, Samples], dict[int, Samples]]:
    """Medians of hits and of misses, by rows and driver."""
    async with AsyncExitStack() as stack:
        hitting = await hit_drivers(stack, server, sync_client, redis)
        missing = await miss_drivers(stack, server, redis)
        hits: dict[int, Samples] = {rows: {name: [] for name in hitting} for rows in ROWS}
        misses: dict[int, Samples] = {rows: {name: [] for name in missing} for rows in ROWS}
        chance = np.random.default_rng(0)
        for number in range(rounds):
            for rows in ROWS:
                asked = chance.random((rows, SIZE), dtype=np.float32)
                for name in turned(hitting, number):
                    await hitting[name](asked)
                    await asyncio.sleep(0.3 if name == "redis" else 0)
                    times = [await timed(hitting[name], asked) for _ in range(calls)]
                    hits[rows][name].append(median(times))
                # A call each in turn: what disturbs one disturbs all.
                taken: dict[str, list[float]] = {name: [] for name in missing}
                for _ in range(calls):
                    for name in turned(missing, number):
                        new = chance.random((rows, SIZE), dtype=np.float32)
                        taken[name].append(await timed(missing[name], new))
                for name, times in taken.items():
                    misses[rows][name].append(median(times))
    return hits, misses


async def timed(call: Call, rows: np.ndarray[Any, Any]) -> float:
    began = perf_counter_ns()
    await call(rows)
    return (perf_counter_ns() - began) / 1e3


def turned(drivers: Mapping[str, Call], number: int) -> Iterator[str]:
    """Every driver is first in some round."""
    names = list(drivers)
    first = number % len(names)
    yield from names[first:] + names[:first]


async def hit_drivers(
    stack: AsyncExitStack, server: EmbeddedServer, sync_client: Client, redis: str
) -> dict[str, Call]:
    memory = await stack.enter_async_context(AsyncClient(server.http_url, [Cache()]))
    guarded = await stack.enter_async_context(
        AsyncClient(
            server.http_url, [Deadline("10s"), Tiers(Route("first"), Route("second")), Cache()]
        )
    )
    from_redis = await stack.enter_async_context(
        AsyncClient(server.http_url, [Cache(Redis(redis, budget="1s"))])
    )
    bare = await stack.enter_async_context(AsyncClient(server.http_url))
    theirs = tritonclient.http.InferenceServerClient(server.http_url.removeprefix("http://"))
    stack.callback(theirs.close)
    cashews = Cashews()
    cashews.setup("mem://")
    simple = aiocache.SimpleMemoryCache()

    async def by_memory(rows: np.ndarray[Any, Any]) -> object:
        return await memory.infer("tile", {"x": rows})

    async def by_memory_guarded(rows: np.ndarray[Any, Any]) -> object:
        return await guarded.infer("tile", {"x": rows})

    async def by_memory_sync(rows: np.ndarray[Any, Any]) -> object:
        return sync_client.infer("tile", {"x": rows})

    async def by_redis(rows: np.ndarray[Any, Any]) -> object:
        return await from_redis.infer("tile", {"x": rows})

    async def by_server(rows: np.ndarray[Any, Any]) -> object:
        x = tritonclient.http.InferInput("x", rows.shape, "FP32")
        x.set_data_from_numpy(rows)
        return theirs.infer("cached", [x]).as_numpy("y")

    async def asynchronously(module: Any, url: str) -> Call:
        client = module.aio.InferenceServerClient(url)
        stack.push_async_callback(client.close)

        async def call(rows: np.ndarray[Any, Any]) -> object:
            x = module.InferInput("x", rows.shape, "FP32")
            x.set_data_from_numpy(rows)
            return (await client.infer("cached", [x])).as_numpy("y")

        return call

    async def by_cashews(rows: np.ndarray[Any, Any]) -> object:
        key = rows.tobytes().hex()
        found = await cashews.get(key)
        if found is None:
            found = dict(await bare.infer("tile", {"x": rows}))
            await cashews.set(key, found)
        return found

    async def by_aiocache(rows: np.ndarray[Any, Any]) -> object:
        key = rows.tobytes()
        found = await simple.get(key)
        if found is None:
            found = dict(await bare.infer("tile", {"x": rows}))
            await simple.set(key, found)
        return found

    return {
        "memory": by_memory,
        "memory, guarded": by_memory_guarded,
        "memory, sync": by_memory_sync,
        "redis": by_redis,
        "server, http": by_server,
        "server, http.aio": await asynchronously(
            tritonclient.http, server.http_url.removeprefix("http://")
        ),
        "server, grpc.aio": await asynchronously(tritonclient.grpc, server.grpc_url),
        "cashews": by_cashews,
        "aiocache": by_aiocache,
    }


async def miss_drivers(
    stack: AsyncExitStack, server: EmbeddedServer, redis: str
) -> dict[str, Call]:
    layers = {
        "bare": [],
        "cache": [Cache()],
        "full stack": [Cache(), Coalesce()],
        "with redis": [Cache(Memory("64MB"), Redis(redis)), Coalesce()],
    }

    async def driver(layers: Any) -> Call:
        client = await stack.enter_async_context(AsyncClient(server.http_url, layers))

        async def call(rows: np.ndarray[Any, Any]) -> object:
            return await client.infer("tile", {"x": rows})

        return call

    return {name: await driver(some) for name, some in layers.items()}


def report(
    hits: Mapping[int, Samples], misses: Mapping[int, Samples], rounds: int, calls: int
) -> None:
    console = Console(highlight=False)
    table = Table(
        title=f"a hit, us: median of {rounds} rounds of {calls} calls each",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for column in ("rows", "from", "us", *(f"{rival} / it" for rival in RIVALS)):
        table.add_column(column, justify="right")
    found = []
    for rows, by_driver in hits.items():
        for name, values in by_driver.items():
            faster = {
                rival: [theirs / it for theirs, it in zip(by_driver[rival], values, strict=True)]
                for rival in RIVALS
            }
            cells = [f"{median(times):.1f}" for times in faster.values()]
            table.add_row(str(rows), name, f"{median(values):.1f}", *cells)
            found.append({"rows": rows, "driver": name, "us": values, "times_faster": faster})
        table.add_section()
    console.print(table)
    console.print(
        f"goal for 1 row from memory: under {GOAL_HIT_US:g} us, "
        f"and {GOAL_TIMES:g} times faster than the server's cache by tritonclient"
    )
    table = Table(
        title=f"a miss, us: median of {rounds} rounds of {calls} calls each, in turn",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for column in ("rows", "with", "us", "on top of bare"):
        table.add_column(column, justify="right")
    added = []
    for rows, by_driver in misses.items():
        for name, values in by_driver.items():
            extra = [it - bare for it, bare in zip(values, by_driver["bare"], strict=True)]
            table.add_row(str(rows), name, f"{median(values):.1f}", f"{median(extra):.1f}")
            added.append({"rows": rows, "driver": name, "us": values, "added_us": extra})
        table.add_section()
    console.print(table)
    console.print(f"goal for 1 row: the full stack under {GOAL_MISS_US:g} us on top")
    RESULT.parent.mkdir(exist_ok=True)
    write(
        RESULT,
        {
            "benchmark": "cache",
            "command": "python benchmarks/cache.py",
            "machine": asdict(Machine.here()),
            "versions": package_versions(
                ("tritonkit", "tritonclient", "uvloop", "redis", "cashews", "aiocache", "numpy")
            ),
            "model": f"Python backend, {SIZE} floats in, {WIDTH} out",
            "rounds": rounds,
            "calls": calls,
            "goals": {"hit_us": GOAL_HIT_US, "times": GOAL_TIMES, "miss_us": GOAL_MISS_US},
            "hits": found,
            "misses": added,
        },
    )
    console.print(f"written to {RESULT}")


if __name__ == "__main__":
    try:
        main()
    except TritonkitError as error:
        sys.exit(f"error: {error}")
