"""
What the gateway costs, against asking Triton itself, and what its caches answer.

The model's answers come from Triton's response cache, so that there is nothing to
compute. The load generator keeps so many requests in flight, one row of 64 floats each,
on this machine, and asks in turn, in every round:

    direct        Triton
    forwarded     a gateway that hands requests on as they came: steps of a sequence
    no layers     a gateway without a policy: requests are read, measured and sent on
    all layers    one with deadline, cache, coalescing, retry, budget, limit and breaker, asked for
                  more rows than the cache holds
    memory        one with a cache in memory that has all the rows
    redis         one with a cache in Redis that has all the rows
    ... x2        the same with two workers

What is added is the difference of two medians of one round; a ratio is one of two rates of
one round. The load generator takes a core of its own, and so does Triton, Redis and each
worker while they are asked.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import uvloop
from redis_server import redis_server
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tritonkit.bench.inputs.workload import Item, Workload
from tritonkit.bench.load.closed import ClosedLoop
from tritonkit.bench.load.requests import Requests
from tritonkit.bench.record.summary import cut, failures_of
from tritonkit.bench.report.json import write
from tritonkit.bench.targets.http import HttpTarget
from tritonkit.client.wire.address import Address
from tritonkit.errors import TritonkitError
from tritonkit.gateway.demo.gateway import await_gateway, start_gateway
from tritonkit.machine import Machine, package_versions
from tritonkit.server import EmbeddedServer
from tritonkit.server.ports import choose_ports

RESULT = Path(__file__).parent / "results" / "gateway.json"
MODEL = "same"
SIZE = 64
CONCURRENCIES = (1, 64)
WARMUP = 0.3
MANY, FEW = 4_000, 100
"""Different rows: more than the small cache holds, and few enough for the others."""

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
parameters {{ key: "tritonkit.model_digest" value {{ string_value: "same" }} }}
parameters {{ key: "tritonkit.batch_invariant" value {{ string_value: "true" }} }}
"""

ALL_LAYERS = """
layers = [
    { type = "telemetry" },
    { type = "deadline", timeout = "30s" },
    { type = "cache", stores = [{ type = "memory", size = "64KB" }] },
    { type = "coalesce" },
    { type = "retry" },
    { type = "budget", quotas = [{ limit = "1000000000 calls", window = "1h" }] },
    { type = "limit" },
    { type = "breaker" },
]
"""
MEMORY = 'layers = [{ type = "cache" }]\n'
REDIS = 'layers = [{{ type = "cache", stores = [{{ type = "redis", url = "{url}" }}] }}]\n'


@dataclass(frozen=True)
class Way:
    """
    One way to an answer.

    Args:
        name: In tables.
        policy: Layers in TOML; None for no gateway at all.
        workers: Of the gateway.
        distinct: Rows that are asked for in turn.
        sequence: Whether requests are steps of a sequence, which no layer may touch.
    """

    name: str
    policy: str | None = ""
    workers: int = 1
    distinct: int = MANY
    sequence: bool = False


def ways(redis: str) -> list[Way]:
    kept = REDIS.format(url=redis)
    return [
        Way("direct", policy=None),
        Way("forwarded", sequence=True),
        Way("no layers"),
        Way("all layers", policy=ALL_LAYERS),
        Way("memory", policy=MEMORY, distinct=FEW),
        Way("memory x2", policy=MEMORY, distinct=FEW, workers=2),
        Way("redis", policy=kept, distinct=FEW),
        Way("redis x2", policy=kept, distinct=FEW, workers=2),
    ]


@dataclass(frozen=True)
class Round:
    """What one measurement found: requests a second, and microseconds of a request."""

    rate: float
    p50_us: float
    p99_us: float


Found = dict[int, dict[str, list[Round]]]
"""By concurrency and way, one for each round."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(
            EmbeddedServer(write_repository(folder), cache_size="64MB", stop_timeout=0)
        )
        asked = ways(stack.enter_context(redis_server()))
        urls = {way.name: started(way, server.http_url, folder, stack) for way in asked}
        found = uvloop.run(measure(asked, urls, arguments.rounds, arguments.seconds))
    report(found, arguments)


def write_repository(folder: Path) -> Path:
    repository = folder / "models"
    (repository / MODEL / "1").mkdir(parents=True)
    (repository / MODEL / "1" / "model.py").write_text(CODE)
    (repository / MODEL / "config.pbtxt").write_text(CONFIG)
    return repository


def started(way: Way, upstream: str, folder: Path, stack: ExitStack) -> str:
    """URL of a way; its gateway, if it has one, runs as long as *stack* is open."""
    if way.policy is None:
        return upstream
    (port,) = choose_ports("127.0.0.1", (0,))
    name = way.name.replace(" ", "-")
    arguments = ["--workers", str(way.workers)]
    if way.policy:
        file = folder / f"{name}.toml"
        file.write_text(f'server = "{upstream}"\n{way.policy}', encoding="utf-8")
        arguments += ["--policy", str(file)]
    else:
        arguments += ["--upstream", upstream]
    child = stack.enter_context(start_gateway(arguments, folder, port=port, name=name))
    address = Address("http", "127.0.0.1", port)
    await_gateway(child, address)
    return f"http://{address.authority}"


async def measure(
    asked: Sequence[Way], urls: Mapping[str, str], rounds: int, seconds: float
) -> Found:
    """Every way in every round, in another order each time."""
    loads = {way.name: prepared(way, urls[way.name]) for way in asked}
    for way in asked:
        # All rows once, on whatever worker: what is kept is kept, by Triton as well.
        await drive(way.name, loads[way.name], max(CONCURRENCIES), seconds=2.0)
    chance = np.random.default_rng(0)
    found: Found = {many: {way.name: [] for way in asked} for many in CONCURRENCIES}
    for _ in range(rounds):
        for many, by_way in found.items():
            for name in chance.permutation(list(loads)).tolist():
                by_way[name].append(await drive(name, loads[name], many, seconds))
    return found


def prepared(way: Way, url: str) -> Requests:
    rows = np.random.default_rng(7).random((way.distinct, 1, SIZE), dtype=np.float32)
    step: Mapping[str, int] = {"sequence_id": 1} if way.sequence else {}
    items = [Item(inputs={"x": row}, parameters=step) for row in rows]
    return Requests.prepare(HttpTarget(url, MODEL), Workload(items=items))


async def drive(name: str, requests: Requests, concurrency: int, seconds: float) -> Round:
    load = ClosedLoop(requests, concurrency=concurrency, timeout=30.0)
    async with load:
        started_ns = await load.until(WARMUP)
        first = load.ended
        ended_ns = await load.until(WARMUP + seconds)
        ended = load.ended - first
    record = cut(load.recorder, started_ns, ended_ns)
    if record.failures or not ended:
        told = failures_of(load.recorder, record) or "nothing was answered"
        raise TritonkitError(f"{name}: {told}; more --seconds may help on a slow machine.")
    return Round(
        ended / ((ended_ns - started_ns) / 1e9),
        record.latency.percentile_ns(50) / 1e3,
        record.latency.percentile_ns(99) / 1e3,
    )


def added(by_way: Mapping[str, Sequence[Round]], name: str) -> list[float]:
    """Microseconds on top of asking Triton itself, for each round."""
    pairs = zip(by_way[name], by_way["direct"], strict=True)
    return [one.p50_us - direct.p50_us for one, direct in pairs]


def ratios(by_way: Mapping[str, Sequence[Round]], name: str, other: str) -> list[float]:
    """Of the requests a second, for each round."""
    pairs = zip(by_way[name], by_way[other], strict=True)
    return [one.rate / against.rate for one, against in pairs]


def report(found: Found, arguments: argparse.Namespace) -> None:
    console = Console(highlight=False, width=120)
    for many, by_way in found.items():
        table = Table(
            title=f"{many} in flight, medians of {arguments.rounds} interleaved rounds of "
            f"{arguments.seconds:g} s",
            title_justify="left",
            box=SIMPLE_HEAD,
        )
        for column in ("", "requests/s", "of direct", "p50 us", "added us", "p99 us"):
            table.add_column(column, justify="right" if column else "left")
        for name, rounds in by_way.items():
            more = added(by_way, name)
            table.add_row(
                name,
                f"{median(each.rate for each in rounds):,.0f}",
                f"{median(ratios(by_way, name, 'direct')):.2f}",
                f"{median(each.p50_us for each in rounds):,.0f}",
                ""
                if name == "direct"
                else f"{median(more):,.0f} ({min(more):,.0f} to {max(more):,.0f})",
                f"{median(each.p99_us for each in rounds):,.0f}",
            )
        console.print(table)
    most = found[max(CONCURRENCIES)]
    two = {name: ratios(most, f"{name} x2", name) for name in ("memory", "redis")}
    for name, values in two.items():
        console.print(
            f"two workers against one, {name}: {median(values):.2f} times the requests/s "
            f"({min(values):.2f} to {max(values):.2f})"
        )
    result: dict[str, Any] = {
        "benchmark": "gateway",
        "machine": asdict(Machine.here()),
        "versions": package_versions(
            ("tritonkit", "httptools", "uvloop", "starlette", "redis", "numpy")
        ),
        "model": f"Python backend, {SIZE} floats in and out, answered by the response cache",
        "command": f"benchmarks/gateway.py --seconds {arguments.seconds:g} "
        f"--rounds {arguments.rounds}",
        "rounds": arguments.rounds,
        "seconds": arguments.seconds,
        "found": {
            str(many): {name: [asdict(each) for each in rounds] for name, rounds in ways.items()}
            for many, ways in found.items()
        },
        "added_us": {
            str(many): {name: median(added(by_way, name)) for name in by_way if name != "direct"}
            for many, by_way in found.items()
        },
        "two_workers": {name: median(values) for name, values in two.items()},
    }
    arguments.output.parent.mkdir(exist_ok=True)
    write(arguments.output, result)
    console.print(f"written to {arguments.output}")


if __name__ == "__main__":
    try:
        main()
    except TritonkitError as error:
        sys.exit(f"error: {error}")
