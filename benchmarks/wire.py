"""
How much our wire costs, against NVIDIA's clients, on a server that has nothing to compute.

The model's answer comes from Triton's response cache, so the calls a second are
bounded by the protocol, by the server's front end and by the client. All four
drivers send the same 64 floats, run in this process on the same event loop, and
take turns in every round; a ratio is taken within a round.

    generator   the load generator of `tritonkit bench`: raw exchanges, status checked
    client      tritonkit.client.AsyncClient: checks the inputs, decodes the outputs
    http.aio    tritonclient.http.aio, inputs built once
    grpc.aio    tritonclient.grpc.aio, inputs built once
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import tritonclient.grpc.aio
import tritonclient.http.aio
import uvloop
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tritonkit.bench.inputs.workload import Item, Workload
from tritonkit.bench.load.closed import ClosedLoop
from tritonkit.bench.load.requests import Requests
from tritonkit.bench.record.summary import cut, failures_of
from tritonkit.bench.report.json import write
from tritonkit.bench.targets.http import HttpTarget
from tritonkit.client import AsyncClient
from tritonkit.errors import TritonkitError
from tritonkit.machine import Machine, package_versions
from tritonkit.server import EmbeddedServer

RESULT = Path(__file__).parent / "results" / "wire.json"
MODEL = "cached"
SIZE = 64
CONCURRENCIES = (1, 64)
GOALS = {"http.aio": 3.0, "grpc.aio": 2.0}
WARMUP = 0.2

CODE = """\
import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        return [
            pb.InferenceResponse(
                [pb.Tensor("y", pb.get_input_tensor_by_name(request, "x").as_numpy())]
            )
            for request in requests
        ]
"""
CONFIG = f"""\
backend: "python"
max_batch_size: 8
input [ {{ name: "x", data_type: TYPE_FP32, dims: [ {SIZE} ] }} ]
output [ {{ name: "y", data_type: TYPE_FP32, dims: [ {SIZE} ] }} ]
response_cache {{ enable: true }}
"""

Driver = Callable[[int, float], Awaitable[float]]
"""Concurrency and seconds in, calls a second out."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        version = Path(folder) / MODEL / "1"
        version.mkdir(parents=True)
        (version / "model.py").write_text(CODE)
        (version.parent / "config.pbtxt").write_text(CONFIG)
        with EmbeddedServer(Path(folder), cache_size=64 * 10**6) as server:
            rates = uvloop.run(measure(server, arguments.rounds, arguments.seconds))
    report(rates, arguments.rounds, arguments.seconds)


async def measure(
    server: EmbeddedServer, rounds: int, seconds: float
) -> dict[int, dict[str, list[float]]]:
    """Calls a second by concurrency and driver, a value for each round."""
    array = np.arange(SIZE, dtype=np.float32).reshape(1, SIZE)
    async with AsyncExitStack() as stack:
        drivers: dict[str, Driver] = {
            "generator": generator(server.http_url, array),
            "client": await ours(stack, server.http_url, array),
            "http.aio": await theirs(stack, tritonclient.http, server.http_url, array),
            "grpc.aio": await theirs(stack, tritonclient.grpc, server.grpc_url, array),
        }
        rates: dict[int, dict[str, list[float]]] = {
            concurrency: {name: [] for name in drivers} for concurrency in CONCURRENCIES
        }
        for number in range(rounds):
            for concurrency, by_driver in rates.items():
                # Every driver is first in some round.
                names = list(drivers)
                for name in names[number % len(names) :] + names[: number % len(names)]:
                    by_driver[name].append(await drivers[name](concurrency, seconds))
    return rates


def generator(url: str, array: np.ndarray[Any, Any]) -> Driver:
    requests = Requests.prepare(HttpTarget(url, MODEL), Workload(items=[Item(inputs={"x": array})]))

    async def drive(concurrency: int, seconds: float) -> float:
        load = ClosedLoop(requests, concurrency=concurrency, timeout=30.0)
        async with load:
            started_ns = await load.until(WARMUP)
            first = load.ended
            ended_ns = await load.until(WARMUP + seconds)
            ended = load.ended - first
        record = cut(load.recorder, 0, ended_ns)
        if record.failures:
            raise RuntimeError(f"requests failed: {failures_of(load.recorder, record)}")
        return ended / ((ended_ns - started_ns) / 1e9)

    return drive


async def ours(stack: AsyncExitStack, url: str, array: np.ndarray[Any, Any]) -> Driver:
    client = await stack.enter_async_context(AsyncClient(url))
    inputs = {"x": array}
    answer = await client.infer(MODEL, inputs)
    np.testing.assert_array_equal(answer["y"], array)
    return calls(lambda: client.infer(MODEL, inputs))


async def theirs(
    stack: AsyncExitStack, module: Any, url: str, array: np.ndarray[Any, Any]
) -> Driver:
    # Each raises where the status is not OK, and decodes what it answers when asked.
    options = {"conn_limit": max(CONCURRENCIES)} if module is tritonclient.http else {}
    client = module.aio.InferenceServerClient(url.removeprefix("http://"), **options)
    stack.push_async_callback(client.close)
    x = module.InferInput("x", array.shape, "FP32")
    x.set_data_from_numpy(array)
    answer = await client.infer(MODEL, [x])
    np.testing.assert_array_equal(answer.as_numpy("y"), array)
    return calls(lambda: client.infer(MODEL, [x]))


def calls(call: Callable[[], Awaitable[object]]) -> Driver:
    """A closed loop of *call*, counted by the end of each call as the generator does."""

    async def drive(concurrency: int, seconds: float) -> float:
        ended = 0
        running = True

        async def slot() -> None:
            nonlocal ended
            while running:
                await call()
                ended += 1

        async with asyncio.TaskGroup() as slots:
            for _ in range(concurrency):
                slots.create_task(slot())
            await asyncio.sleep(WARMUP)
            first, started = ended, perf_counter()
            await asyncio.sleep(seconds)
            rate = (ended - first) / (perf_counter() - started)
            running = False
        return rate

    return drive


def ratios(by_driver: Mapping[str, Sequence[float]], ours: str, theirs: str) -> list[float]:
    return [a / b for a, b in zip(by_driver[ours], by_driver[theirs], strict=True)]


def report(rates: Mapping[int, Mapping[str, Sequence[float]]], rounds: int, seconds: float) -> None:
    table = Table(
        title=f"calls/s, median of {rounds} interleaved rounds of {seconds:g} s",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for column in ("concurrency", "driver", "calls/s"):
        table.add_column(column, justify="right")
    for rival in GOALS:
        table.add_column(f"/ {rival}", justify="right")
    found: list[dict[str, Any]] = []
    for concurrency, by_driver in rates.items():
        for name, values in by_driver.items():
            cells = []
            for rival, goal in GOALS.items():
                if name in GOALS:
                    cells.append("")
                    continue
                ratio = ratios(by_driver, name, rival)
                cells.append(f"{statistics.median(ratio):.2f} ({min(ratio):.2f}-{max(ratio):.2f})")
                found.append(
                    {
                        "concurrency": concurrency,
                        "driver": name,
                        "against": rival,
                        "ratios": ratio,
                        "median": statistics.median(ratio),
                        "goal": goal if concurrency == max(CONCURRENCIES) else None,
                    }
                )
            table.add_row(
                str(concurrency),
                name,
                f"{statistics.median(values):,.0f}",
                *cells,
            )
        table.add_section()
    console = Console(highlight=False)
    console.print(table)
    wanted = ", ".join(f"{goal:g} times {rival}" for rival, goal in GOALS.items())
    console.print(f"goal at concurrency {max(CONCURRENCIES)}: {wanted}")
    RESULT.parent.mkdir(exist_ok=True)
    write(
        RESULT,
        {
            "benchmark": "wire",
            "machine": asdict(Machine.here()),
            "versions": package_versions(
                ("tritonkit", "tritonclient", "uvloop", "aiohttp", "grpcio", "numpy")
            ),
            "model": f"Python backend, {SIZE} floats in and out, answered by the response cache",
            "rounds": rounds,
            "seconds": seconds,
            "calls_per_second": {str(c): dict(by_driver) for c, by_driver in rates.items()},
            "ratios": found,
        },
    )
    console.print(f"written to {RESULT}")


if __name__ == "__main__":
    try:
        main()
    except TritonkitError as error:
        sys.exit(f"error: {error}")
