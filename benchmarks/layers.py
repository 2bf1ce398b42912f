"""
What each layer costs on a call that it passes through, and all of them together.

Every call asks for a row that nobody asked for before: a miss of every cache, no
failure, nothing to wait for. Each layer stands alone over the service; "all" is the stack
of all of them, in the order in which they belong. Over two services:

    nothing     a function that answers after one turn of the event loop
    Triton      an embedded tritonserver over HTTP, a model that copies its input

Each takes a call in turn, in a new order each time, so what disturbs one disturbs all. What
a layer costs is the difference of two medians of one round: of the calls through it, and of
those through none.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from statistics import median
from time import perf_counter_ns
from typing import Any

import numpy as np
import uvloop
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

import tritonkit.client
from tritonkit.bench.report.json import write
from tritonkit.client import InferRequest, InferResponse, Layer, Route, Stack
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.client.transports.http import HttpTransport
from tritonkit.errors import TritonkitError
from tritonkit.machine import Machine, package_versions
from tritonkit.server import EmbeddedServer

RESULT = Path(__file__).parent / "results" / "layers.json"
MODEL = "same"
SIZE = 64
GOAL_US = 60.0
GOAL_OF = "Triton"
BARE, ALL = "no layer", "all"

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
dynamic_batching {{ }}
parameters {{ key: "tritonkit.model_digest" value {{ string_value: "same" }} }}
parameters {{ key: "tritonkit.batch_invariant" value {{ string_value: "true" }} }}
"""

LAYERS: Mapping[str, Callable[[], Layer]] = {
    "Deadline": lambda: the("Deadline")("30s"),
    "Shadow": lambda: the("Shadow")(Route("candidate"), until_decided=False),
    "Tiers": lambda: the("Tiers")(Route("first"), Route("second")),
    "Cache": lambda: the("Cache")(),
    "Coalesce": lambda: the("Coalesce")(),
    # Named, so that it hedges over HTTP too.
    "Hedge": lambda: the("Hedge")(models=[MODEL]),
    "Retry": lambda: the("Retry")(),
    "Budget": lambda: the("Budget")(the("Quota", "budget.limits")("1000000000 calls", window="1h")),
    "Limit": lambda: the("Limit")(),
    "Breaker": lambda: the("Breaker")(),
}
"""From the outermost to the innermost; those that do not exist are left out."""


class Missing(Exception):
    """There is no such class."""


def the(name: str, module: str = "") -> Any:
    """The class of this name."""
    found = getattr(tritonkit.client, name, None)
    lower = name.lower()
    for path in (module, f"{lower}.{lower}", lower):
        if found is None and path:
            try:
                found = getattr(importlib.import_module(f"tritonkit.client.layers.{path}"), name)
            except (AttributeError, ModuleNotFoundError):
                continue
    if found is None:
        raise Missing(name)
    return found


class Nothing(FakeTransport):
    """Answers after one turn of the event loop, and remembers nothing."""

    cancels = True

    def __init__(self) -> None:
        parameters = {
            "tritonkit.model_digest": {"string_value": "same"},
            "tritonkit.batch_invariant": {"string_value": "true"},
        }
        super().__init__(
            lambda request: {},
            inputs={"x": (SIZE,)},
            outputs={"y": (SIZE,)},
            max_batch_size=8,
            config={"parameters": parameters, "dynamic_batching": {}},
        )

    async def __call__(self, request: InferRequest, /) -> InferResponse:
        await asyncio.sleep(0)
        return InferResponse(model=request.model, version="1", outputs={"y": request.inputs["x"]})


Drivers = Mapping[str, Stack]
"""By layer."""

Medians = dict[str, dict[str, list[float]]]
"""By service and layer: microseconds of a call, a median for each round."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=500, help="of each stack in a round")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        version = Path(folder) / MODEL / "1"
        version.mkdir(parents=True)
        (version / "model.py").write_text(CODE)
        (version.parent / "config.pbtxt").write_text(CONFIG)
        with EmbeddedServer(Path(folder)) as server:
            medians, missing = uvloop.run(
                measure(server.http_url, arguments.rounds, arguments.calls)
            )
    report(medians, missing, arguments.rounds, arguments.calls)


async def measure(url: str, rounds: int, calls: int) -> tuple[Medians, list[str]]:
    """The medians, and the names of the layers that do not exist."""
    async with AsyncExitStack() as stack:
        services: dict[str, Drivers] = {}
        for service, transport in (("nothing", Nothing), ("Triton", lambda: HttpTransport(url))):
            drivers, missing = stacks(transport)
            services[service] = drivers
            for driver in drivers.values():
                stack.push_async_callback(driver.aclose)
        chance = np.random.default_rng(0)
        for drivers in services.values():
            # Layers that learn have learned by then.
            await taken(drivers, 300, chance)
        medians: Medians = {
            service: {name: [] for name in drivers} for service, drivers in services.items()
        }
        for _ in range(rounds):
            for service, drivers in services.items():
                for name, times in (await taken(drivers, calls, chance)).items():
                    medians[service][name].append(median(times))
    return medians, missing


def stacks(transport: Callable[[], Any]) -> tuple[Drivers, list[str]]:
    """One for each layer, each over a transport of its own, and the layers there are not."""
    drivers, missing = {BARE: Stack(transport())}, []
    for name, make in LAYERS.items():
        try:
            drivers[name] = Stack(transport(), [make()])
        except Missing:
            missing.append(name)
    every = [make() for name, make in LAYERS.items() if name in drivers]
    return {**drivers, ALL: Stack(transport(), every)}, missing


async def taken(
    drivers: Drivers, calls: int, chance: np.random.Generator
) -> dict[str, list[float]]:
    """Microseconds of each call, by driver."""
    names = list(drivers)
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(calls):
        for name in chance.permutation(names).tolist():
            request = InferRequest(
                model=MODEL, inputs={"x": chance.random((1, SIZE), dtype=np.float32)}
            )
            began = perf_counter_ns()
            await drivers[name](request)
            times[name].append((perf_counter_ns() - began) / 1e3)
            # What was left for the next turn of the event loop is not the next one's.
            await asyncio.sleep(0)
    return times


def differences(by_name: Mapping[str, Sequence[float]], name: str) -> list[float]:
    return [it - bare for it, bare in zip(by_name[name], by_name[BARE], strict=True)]


def report(medians: Medians, missing: Sequence[str], rounds: int, calls: int) -> None:
    table = Table(
        title=f"on top of a call, us: median (least to most) of {rounds} rounds of {calls} calls",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("layer")
    for service in medians:
        table.add_column(f"over {service}", justify="right")
    for name in next(iter(medians.values())):
        if name == ALL:
            table.add_section()
        cells = []
        for by_name in medians.values():
            if name == BARE:
                cells.append(f"({median(by_name[BARE]):.1f})")
                continue
            found = differences(by_name, name)
            cells.append(f"{median(found):.1f} ({min(found):.1f} to {max(found):.1f})")
        table.add_row(name, *cells)
    console = Console(highlight=False)
    console.print(table)
    if missing:
        console.print(f"not there: {', '.join(missing)}")
    console.print(f"goal for all layers over {GOAL_OF}: under {GOAL_US:g} us")
    RESULT.parent.mkdir(exist_ok=True)
    write(
        RESULT,
        {
            "benchmark": "layers",
            "machine": asdict(Machine.here()),
            "versions": package_versions(("tritonkit", "uvloop", "numpy")),
            "model": f"Python backend, {SIZE} floats in and out; a call of one row, one at a time",
            "rounds": rounds,
            "calls": calls,
            "layers": [name for name in LAYERS if name not in missing],
            "call_us": medians,
            "on_top_us": {
                service: {
                    name: median(differences(by_name, name)) for name in by_name if name != BARE
                }
                for service, by_name in medians.items()
            },
            "goal_us": GOAL_US,
        },
    )
    console.print(f"written to {RESULT}")


if __name__ == "__main__":
    try:
        main()
    except TritonkitError as error:
        sys.exit(f"error: {error}")
