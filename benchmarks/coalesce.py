"""
What joining saves: many callers of one row each, against a small network on the embedded server.

The network is 256-1024-128, in onnxruntime, one instance on every core. It is served twice: as a
model that runs each request by itself, and with Triton's dynamic batcher, which joins requests
behind the protocol where Coalesce joins them before it. All drivers run in this process on the
same event loop and take turns in every round; a ratio is taken within a round.

    http.aio    tritonclient.http.aio, one row a call, inputs built once
    grpc.aio    tritonclient.grpc.aio, likewise
    client      tritonkit.client.AsyncClient: checks the inputs, decodes the outputs
    coalesce    the same with the layer Coalesce()
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
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import onnx
import tritonclient.grpc.aio
import tritonclient.http.aio
import uvloop
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tritonkit.bench.report.json import write
from tritonkit.client import AsyncClient, Layer
from tritonkit.client.layers.coalesce.coalesce import Coalesce
from tritonkit.errors import TritonkitError
from tritonkit.machine import Machine, package_versions
from tritonkit.server import EmbeddedServer

RESULT = Path(__file__).parent / "results" / "coalesce.json"
SIZES = (256, 1024, 128)
MAX_BATCH_SIZE = 64
CALLERS = 64
MODELS = {"single": "", "batched": "dynamic_batching { }"}
"""Further configuration by name of the model."""
RIVALS = ("http.aio", "grpc.aio")
GOAL = 10.0
"""Times the rows a second of tritonclient on the model that runs each request by itself."""
WARMUP = 0.3
SEED = 0

CONFIG = f"""\
backend: "onnxruntime"
max_batch_size: {MAX_BATCH_SIZE}
input [ {{ name: "x", data_type: TYPE_FP32, dims: [ {SIZES[0]} ] }} ]
output [ {{ name: "y", data_type: TYPE_FP32, dims: [ {SIZES[-1]} ] }} ]
instance_group [ {{ count: 1, kind: KIND_CPU }} ]
"""

Call = Callable[[int], Awaitable[object]]
"""Sends the row of that number."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, further in MODELS.items():
            version = Path(folder) / name / "1"
            version.mkdir(parents=True)
            onnx.save(network(), version / "model.onnx")
            (version.parent / "config.pbtxt").write_text(CONFIG + further)
        with EmbeddedServer(Path(folder)) as server:
            rates = uvloop.run(measure(server, arguments.rounds, arguments.seconds))
    report(rates, arguments.rounds, arguments.seconds)


def network() -> onnx.ModelProto:
    random = np.random.default_rng(SEED)
    nodes, weights, name = [], [], "x"
    for layer, (rows, columns) in enumerate(pairwise(SIZES)):
        weight = random.standard_normal((rows, columns), dtype=np.float32) / np.sqrt(rows)
        weights.append(numpy_helper.from_array(weight.astype(np.float32), f"w{layer}"))
        last = layer == len(SIZES) - 2
        nodes.append(
            helper.make_node("MatMul", [name, f"w{layer}"], ["y" if last else f"m{layer}"])
        )
        if not last:
            nodes.append(helper.make_node("Relu", [f"m{layer}"], [f"r{layer}"]))
            name = f"r{layer}"
    graph = helper.make_graph(
        nodes,
        "dense",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", SIZES[0]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", SIZES[-1]])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


async def measure(
    server: EmbeddedServer, rounds: int, seconds: float
) -> dict[str, dict[str, list[float]]]:
    """Rows a second by model and driver, a value for each round."""
    rows = np.random.default_rng(SEED).standard_normal((CALLERS, SIZES[0]), dtype=np.float32)
    rates: dict[str, dict[str, list[float]]] = {}
    for number in range(rounds):
        for model in MODELS:
            async with AsyncExitStack() as stack:
                http, grpc = server.http_url, server.grpc_url
                calls = {
                    "http.aio": await theirs(stack, tritonclient.http, http, model, rows),
                    "grpc.aio": await theirs(stack, tritonclient.grpc, grpc, model, rows),
                    "client": await ours(stack, http, model, rows),
                    "coalesce": await ours(stack, http, model, rows, Coalesce()),
                }
                by_driver = rates.setdefault(model, {name: [] for name in calls})
                # Every driver is first in some round.
                names = list(calls)
                for name in names[number % len(names) :] + names[: number % len(names)]:
                    by_driver[name].append(await drive(calls[name], seconds))
    return rates


async def ours(
    stack: AsyncExitStack, url: str, model: str, rows: NDArray[np.float32], *layers: Layer
) -> Call:
    client = await stack.enter_async_context(AsyncClient(url, layers))
    inputs = [{"x": row[None]} for row in rows]
    whole = await client.infer(model, {"x": rows})
    apart = await asyncio.gather(*(client.infer(model, row) for row in inputs))
    np.testing.assert_allclose(np.concatenate([a["y"] for a in apart]), whole["y"], atol=1e-4)
    return lambda number: client.infer(model, inputs[number])


async def theirs(
    stack: AsyncExitStack, module: Any, url: str, model: str, rows: NDArray[np.float32]
) -> Call:
    options = {"conn_limit": CALLERS} if module is tritonclient.http else {}
    client = module.aio.InferenceServerClient(url.removeprefix("http://"), **options)
    stack.push_async_callback(client.close)
    inputs = []
    for row in rows:
        x = module.InferInput("x", (1, SIZES[0]), "FP32")
        x.set_data_from_numpy(row[None])
        inputs.append([x])
    answer = await client.infer(model, inputs[0])
    assert answer.as_numpy("y").shape == (1, SIZES[-1])
    return lambda number: client.infer(model, inputs[number])


async def drive(call: Call, seconds: float, warmup: float = WARMUP) -> float:
    """A closed loop of CALLERS; rows a second, counted by the end of each call."""
    ended = 0
    running = True

    async def caller(number: int) -> None:
        nonlocal ended
        while running:
            await call(number)
            ended += 1

    async with asyncio.TaskGroup() as callers:
        for number in range(CALLERS):
            callers.create_task(caller(number))
        await asyncio.sleep(warmup)
        first, started = ended, perf_counter()
        await asyncio.sleep(seconds)
        while ended == first:  # noqa: ASYNC110, a slow model answers none in time
            await asyncio.sleep(seconds)
        rate = (ended - first) / (perf_counter() - started)
        running = False
    return rate


def ratios(by_driver: Mapping[str, Sequence[float]], ours: str, theirs: str) -> list[float]:
    return [a / b for a, b in zip(by_driver[ours], by_driver[theirs], strict=True)]


def report(rates: Mapping[str, Mapping[str, Sequence[float]]], rounds: int, seconds: float) -> None:
    table = Table(
        title=f"rows/s of {CALLERS} callers of one row, median of {rounds} interleaved rounds "
        f"of {seconds:g} s",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for column in ("model", "driver", "rows/s"):
        table.add_column(column, justify="right")
    for rival in RIVALS:
        table.add_column(f"/ {rival}", justify="right")
    found: list[dict[str, Any]] = []
    for model, by_driver in rates.items():
        for name, values in by_driver.items():
            cells = []
            for rival in RIVALS:
                if name in RIVALS:
                    cells.append("")
                    continue
                ratio = ratios(by_driver, name, rival)
                cells.append(f"{statistics.median(ratio):.2f} ({min(ratio):.2f}-{max(ratio):.2f})")
                goal = GOAL if (model, name) == ("single", "coalesce") else None
                found.append(
                    {
                        "model": model,
                        "driver": name,
                        "against": rival,
                        "ratios": ratio,
                        "median": statistics.median(ratio),
                        "goal": goal,
                    }
                )
            table.add_row(model, name, f"{statistics.median(values):,.0f}", *cells)
        table.add_section()
    console = Console(highlight=False)
    console.print(table)
    console.print(f"goal: {GOAL:g} times tritonclient's rows/s on the model without batching")
    RESULT.parent.mkdir(exist_ok=True)
    write(
        RESULT,
        {
            "benchmark": "coalesce",
            "machine": asdict(Machine.here()),
            "versions": package_versions(
                ("tritonkit", "tritonclient", "uvloop", "aiohttp", "grpcio", "numpy")
            ),
            "model": f"{'-'.join(map(str, SIZES))} FP32, onnxruntime, max_batch_size "
            f"{MAX_BATCH_SIZE}; single: no dynamic batching, batched: {MODELS['batched']}",
            "callers": CALLERS,
            "rows_per_call": 1,
            "rounds": rounds,
            "seconds": seconds,
            "seed": SEED,
            "rows_per_second": {model: dict(values) for model, values in rates.items()},
            "ratios": found,
        },
    )
    console.print(f"written to {RESULT}")


if __name__ == "__main__":
    try:
        main()
    except TritonkitError as error:
        sys.exit(f"error: {error}")
