"""
What callers notice while servers die, stand still, slow down and lose a model.

Three embedded Tritons serve one model of about 5 ms (a Python model that sleeps once for each
batch of its dynamic batcher). Requests come at a fixed rate, whatever happens, and each must be
answered within a deadline; latency counts from the moment that a request was due. The same faults
come at the same moments to every row, as shares of its time:

    kill      server 0 is killed with SIGKILL, and started again a third of the time later
    stop      server 1 gets SIGSTOP while server 0 is away, and SIGCONT later
    slow      server 2 takes 500 ms longer for every batch
    unload    server 1 unloads the model, and loads it again

A call that fails counts as one that took the whole deadline. Four rows:

    one server     AsyncClient(url): what one address gives
    round robin    a client for each server, each in its turn
    endpoints      AsyncClient([url, ...]): Endpoints with its defaults
    with layers    the same under Deadline, Tiers, Retry and Breaker; the second tier is a model
                   of 1 ms, whose answers count as degraded

The goal is no failed call, and a p99 within the deadline.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import logging
import os
import signal
import sys
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import uvloop
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tritonkit.bench.report.json import write
from tritonkit.client import (
    AsyncClient,
    Breaker,
    Deadline,
    InferResponse,
    Layer,
    Retry,
    Route,
    Tiers,
)
from tritonkit.errors import RequestError, TritonkitError
from tritonkit.machine import Machine, package_versions
from tritonkit.server import EmbeddedServer

RESULT = Path(__file__).parent / "results" / "chaos.json"
MODEL = "accurate"
FAST = "fast"
"""The same code, a fifth of the time for each batch."""
SERVERS = 3
COMPUTE = 0.005
SLOWER = 0.5
DEADLINE = 2.0
RATE = 200.0

CODE = f"""
import time
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb


class TritonPythonModel:
    def initialize(self, args):
        self.seconds = {COMPUTE} if args["model_name"] == "{MODEL}" else {COMPUTE} / 5
        self.server = Path(args["model_repository"]).parent
        self.number = np.array([[int(self.server.name)]], dtype=np.int32)

    def execute(self, requests):
        time.sleep(self.seconds + {SLOWER} * (self.server / "slow").exists())
        answers = []
        for request in requests:
            x = pb.get_input_tensor_by_name(request, "x").as_numpy()
            server = np.repeat(self.number, len(x), axis=0)
            answers.append(pb.InferenceResponse([pb.Tensor("server", server)]))
        return answers
"""
CONFIG = """
backend: "python"
max_batch_size: 32
input [ { name: "x", data_type: TYPE_FP32, dims: [ 4 ] } ]
output [ { name: "server", data_type: TYPE_INT32, dims: [ 1 ] } ]
instance_group [ { count: 1, kind: KIND_CPU } ]
dynamic_batching { }
"""
X = np.zeros((1, 4), dtype=np.float32)

Call = Callable[[float], Awaitable[InferResponse]]
"""Makes a call that has so many seconds."""


@dataclass
class Replica:
    """A server that things happen to; each may happen again."""

    repository: Path
    server: EmbeddedServer = field(init=False)
    port: int = 0

    def start(self) -> None:
        self.server = EmbeddedServer(
            self.repository,
            http_port=self.port,
            model_control_mode="explicit",
            load_models=(MODEL, FAST),
            stop_timeout=0,
        )
        self.server.start()
        self.port = int(self.server.http_url.rpartition(":")[2])

    def stop(self) -> None:
        self.server.stop()

    def signal(self, number: signal.Signals) -> None:
        """To tritonserver itself, which has a keeper above it."""
        assert self.server._process is not None
        keeper = self.server._process._keeper.pid
        for child in Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split():
            os.kill(int(child), number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.server.wait(30)
        self.server.stop()

    def stand_still(self) -> None:
        self.signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.signal(signal.SIGCONT)

    def slow_down(self) -> None:
        (self.repository / "slow").touch()

    def speed_up(self) -> None:
        (self.repository / "slow").unlink()

    def unload(self) -> None:
        self._post("unload")

    def load(self) -> None:
        self._post("load")

    def _post(self, what: str) -> None:
        url = f"{self.server.http_url}/v2/repository/models/{MODEL}/{what}"
        with urllib.request.urlopen(urllib.request.Request(url, data=b"{}")):
            pass


def faults(replicas: Sequence[Replica]) -> list[tuple[float, Callable[[], None]]]:
    """What happens, and when, as a share of the time; everything is well again at the end."""
    zero, one, two = replicas
    return [
        (0.10, zero.kill),
        (0.20, one.stand_still),
        (0.35, one.go_on),
        (0.43, zero.start),
        (0.55, two.slow_down),
        (0.70, two.speed_up),
        (0.78, one.unload),
        (0.90, one.load),
    ]


def policy() -> list[Layer]:
    """What stands in front of Endpoints, the outermost first."""
    tiers = Tiers(Route("accurate", model=MODEL), Route("fast", model=FAST))
    return [Deadline(DEADLINE), tiers, Retry(), Breaker()]


@dataclass(frozen=True)
class Outcome:
    """How one call ended: seconds from its due time, who answered and how, or the error's name."""

    seconds: float
    server: int | None = None
    degraded: bool = False
    error: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--seconds", type=float, default=30.0, help="of each row")
    parser.add_argument("--rate", type=float, default=RATE, help="requests a second")
    arguments = parser.parse_args()
    # What Endpoints tells of each fault would come between the rows.
    logging.disable(logging.WARNING)
    console = Console(highlight=False)
    rows: dict[str, list[Outcome]] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as servers:
        replicas = [Replica(write_repository(Path(folder) / str(n))) for n in range(SERVERS)]
        for replica in replicas:
            replica.start()
            servers.callback(replica.stop)
        urls = [replica.server.http_url for replica in replicas]
        for name in ("one server", "round robin", "endpoints", "with layers"):
            console.print(f"{name}: {arguments.seconds:g} s")
            rows[name] = uvloop.run(row(name, urls, replicas, arguments.rate, arguments.seconds))
    report(console, rows, arguments.rate, arguments.seconds)


def write_repository(repository: Path) -> Path:
    for model in (MODEL, FAST):
        (repository / model / "1").mkdir(parents=True)
        (repository / model / "config.pbtxt").write_text(CONFIG)
        (repository / model / "1" / "model.py").write_text(CODE)
    return repository


async def row(
    name: str, urls: Sequence[str], replicas: Sequence[Replica], rate: float, seconds: float
) -> list[Outcome]:
    async with AsyncExitStack() as stack:
        call = await caller(name, urls, stack)
        # Connections, metadata and the servers' own first calls are not what is measured.
        await asyncio.gather(*(call(10.0) for _ in range(16 * SERVERS)))
        happening = asyncio.ensure_future(happen(replicas, seconds))
        outcomes = await load(call, rate, seconds)
        await happening
    return outcomes


async def caller(name: str, urls: Sequence[str], stack: AsyncExitStack) -> Call:
    if name == "one server":
        servers: list[str | Sequence[str]] = [urls[0]]
    elif name == "round robin":
        servers = list(urls)
    else:
        servers = [urls]
    layers = policy() if name == "with layers" else []
    clients = [await stack.enter_async_context(AsyncClient(server, layers)) for server in servers]
    turn = itertools.cycle(clients)
    return lambda timeout: next(turn).infer(MODEL, {"x": X}, timeout=timeout)


async def happen(replicas: Sequence[Replica], seconds: float) -> None:
    start = monotonic()
    for share, fault in faults(replicas):
        await asyncio.sleep(start + share * seconds - monotonic())
        await asyncio.to_thread(fault)


async def load(call: Call, rate: float, seconds: float) -> list[Outcome]:
    """An open loop: each call is made when it is due, however many are under way."""

    async def one(due: float) -> Outcome:
        try:
            answer = await call(due + DEADLINE - monotonic())
        except RequestError as error:
            return Outcome(DEADLINE, error=type(error).__name__)
        seconds = monotonic() - due
        return Outcome(seconds, int(answer["server"][0, 0]), bool(answer.trace.degraded))

    calls = []
    start = monotonic()
    for number in range(int(rate * seconds)):
        due = start + number / rate
        if (wait := due - monotonic()) > 0:
            await asyncio.sleep(wait)
        calls.append(asyncio.ensure_future(one(due)))
    return await asyncio.gather(*calls)


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    seconds = [outcome.seconds for outcome in outcomes]
    answered = Counter(outcome.server for outcome in outcomes if not outcome.error)
    return {
        "calls": len(outcomes),
        "failed": dict(Counter(outcome.error for outcome in outcomes if outcome.error)),
        "degraded": sum(outcome.degraded for outcome in outcomes),
        "latency_ms": {
            name: round(1000 * float(np.percentile(seconds, percent, method="higher")), 3)
            for name, percent in (("p50", 50), ("p99", 99), ("max", 100))
        },
        "share_by_server": [round(answered[n] / len(outcomes), 4) for n in range(SERVERS)],
    }


def report(console: Console, rows: dict[str, list[Outcome]], rate: float, seconds: float) -> None:
    table = Table(
        title=f"{rate:g} requests/s for {seconds:g} s, {DEADLINE:g} s to answer each",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for column in (
        "",
        "calls",
        "failed",
        "degraded",
        "p50 ms",
        "p99 ms",
        "max ms",
        "by server %",
    ):
        table.add_column(column, justify="right" if column else "left")
    found = {name: summary(outcomes) for name, outcomes in rows.items()}
    for name, one in found.items():
        table.add_row(
            name,
            f"{one['calls']:,}",
            f"{sum(one['failed'].values()):,}",
            f"{one['degraded']:,}",
            *(f"{value:,.1f}" for value in one["latency_ms"].values()),
            "/".join(f"{100 * share:.0f}" for share in one["share_by_server"]),
        )
    console.print(table)
    for name, one in found.items():
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(one["failed"].items()))
        console.print(f"{name} failed: {kinds or 'none'}")
    best = found["with layers"]
    kept = not best["failed"] and best["latency_ms"]["p99"] <= 1000 * DEADLINE
    console.print(
        f"goal: with layers, no failed call and p99 within {DEADLINE:g} s: "
        f"{'kept' if kept else 'MISSED'}"
    )
    RESULT.parent.mkdir(exist_ok=True)
    write(
        RESULT,
        {
            "benchmark": "chaos",
            "machine": asdict(Machine.here()),
            "versions": package_versions(("tritonkit", "uvloop", "numpy")),
            "command": f"benchmarks/chaos.py --seconds {seconds:g} --rate {rate:g}",
            "model": f"python, {1000 * COMPUTE:g} ms a batch, max_batch_size 32, one instance, "
            "dynamic batching",
            "servers": SERVERS,
            "rate": rate,
            "seconds": seconds,
            "deadline": DEADLINE,
            "faults": _plan(),
            "rows": found,
            "goal": {"failed": 0, "p99_ms": 1000 * DEADLINE, "kept": kept},
        },
    )
    console.print(f"written to {RESULT}")


def _plan() -> list[tuple[float, str]]:
    """The faults in words."""
    replicas = [Replica(Path(str(n))) for n in range(SERVERS)]
    # A fault is a method of the replica that it befalls.
    return [
        (share, f"{fault.__name__} {fault.__self__.repository}")  # type: ignore[attr-defined]
        for share, fault in faults(replicas)
    ]


if __name__ == "__main__":
    try:
        main()
    except TritonkitError as error:
        sys.exit(f"error: {error}")
