"""
Overlapping batches from every side at once: threads, processes and an asyncio app.

    python benchmarks/hammer.py --seconds 60

A real tritonserver computes; each process has one Cache over a memory of its own
and a Redis that all share. The rows asked for come from a window that moves on, so
that there is always something missing, and something that several ask for at once.
Checked: every answer, that no process computes a row twice, that memory stays flat.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import resource
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from redis_server import redis_server

from tritonkit.client import (
    AsyncClient,
    Cache,
    Client,
    InferRequest,
    InferResponse,
    Layer,
    Memory,
    Redis,
    Service,
)
from tritonkit.server import EmbeddedServer

MODEL = "doubles"
WIDTH = 16
WINDOW = 400
"""Distinct rows that are asked for at one time."""

STEP = 0.005
"""Seconds after which the window has moved on by one row."""

PATIENCE = 60.0
"""Seconds that a process may take to start, or to end."""

ROOM = 24 * 10**6
"""Bytes of each process's memory; the rows of two minutes fit into it."""

CODE = """
import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        return [
            pb.InferenceResponse(
                [pb.Tensor("y", pb.get_input_tensor_by_name(r, "x").as_numpy() * 2 + 1)]
            )
            for r in requests
        ]
"""
CONFIG = f"""
backend: "python"
max_batch_size: 32
input [ {{ name: "x", data_type: TYPE_FP32, dims: [ {WIDTH} ] }} ]
output [ {{ name: "y", data_type: TYPE_FP32, dims: [ {WIDTH} ] }} ]
dynamic_batching {{ }}
parameters {{ key: "tritonkit.model_digest" value {{ string_value: "doubles, first" }} }}
parameters {{ key: "tritonkit.batch_invariant" value {{ string_value: "true" }} }}
"""


@dataclass
class Tally:
    """What one process saw."""

    who: str
    calls: int = 0
    rows: int = 0
    wrong: int = 0
    computed: int = 0
    computed_twice: int = 0
    origins: dict[str, int] = field(default_factory=dict)
    megabytes: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class Counting(Layer):
    """Counts which rows reach the server."""

    def __init__(self) -> None:
        self.rows: Counter[float] = Counter()

    async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
        response = await inner(request)
        self.rows.update(request.inputs["x"][:, 0].tolist())
        return response


class Hammer:
    """One process's share: a client, and what it is asked."""

    def __init__(self, who: str, redis: str) -> None:
        self.tally = Tally(who)
        self.counting = Counting()
        # Room for every row, and patience: what is evicted or missed is computed again.
        self.cache = Cache(Memory(ROOM), Redis(redis, budget="2s"), ttl="1h")
        self.layers: Sequence[Layer] = (self.cache, self.counting)
        self._started = monotonic()
        self._lock = threading.Lock()

    def batch(self, chance: random.Random) -> np.ndarray[Any, Any]:
        """1 to 16 rows of the window, repeats among them."""
        low = int((monotonic() - self._started) / STEP)
        ids = [low + chance.randrange(WINDOW) for _ in range(chance.choice((1, 1, 2, 5, 16)))]
        return np.repeat(np.array(ids, dtype=np.float32)[:, None], WIDTH, axis=1)

    def check(self, x: np.ndarray[Any, Any], response: InferResponse) -> None:
        """Count an answer, and whether it is right."""
        right = np.array_equal(response["y"], x * 2 + 1)
        with self._lock:
            self.tally.calls += 1
            self.tally.rows += len(x)
            self.tally.wrong += not right

    def finish(self) -> Tally:
        """What this process saw, once it is done."""
        counts = self.counting.rows
        self.tally.computed = sum(counts.values())
        self.tally.computed_twice = sum(count - 1 for count in counts.values())
        self.tally.origins = dict(self.cache.counts)
        return self.tally

    def weigh(self) -> None:
        """Note how large this process is."""
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self.tally.megabytes.append(round(pages * resource.getpagesize() / 1e6, 1))


def threads(who: str, url: str, redis: str, seconds: float, begin: Any, results: Any) -> None:
    """A process of eight threads over one Client."""
    begin.wait(timeout=PATIENCE)
    hammer = Hammer(who, redis)
    end = monotonic() + seconds

    def hit(client: Client, seed: int) -> None:
        chance = random.Random(seed)
        try:
            while monotonic() < end:
                x = hammer.batch(chance)
                hammer.check(x, client.infer(MODEL, {"x": x}, timeout="30s"))
        except Exception as error:  # whatever ends a thread is told at the end
            hammer.tally.errors.append(repr(error))

    with Client(url, hammer.layers) as client:
        crew = [threading.Thread(target=hit, args=(client, os.getpid() + n)) for n in range(8)]
        for thread in crew:
            thread.start()
        while monotonic() < end:
            hammer.weigh()
            threading.Event().wait(max(0.5, (end - monotonic()) / 10))
        for thread in crew:
            thread.join()
    hammer.weigh()
    results.put(asdict(hammer.finish()))


async def app(url: str, redis: str, seconds: float) -> Tally:
    """An asyncio app with sixteen callers."""
    hammer = Hammer("app", redis)
    end = monotonic() + seconds

    async def hit(client: AsyncClient, seed: int) -> None:
        chance = random.Random(seed)
        while monotonic() < end:
            x = hammer.batch(chance)
            hammer.check(x, await client.infer(MODEL, {"x": x}, timeout="30s"))

    async with AsyncClient(url, hammer.layers) as client, asyncio.TaskGroup() as callers:
        for seed in range(16):
            callers.create_task(hit(client, seed))
        while monotonic() < end:
            hammer.weigh()
            await asyncio.sleep(max(0.5, (end - monotonic()) / 10))
    hammer.weigh()
    return hammer.finish()


def hammer(url: str, redis: str, seconds: float, processes: int = 4) -> list[Tally]:
    """Hammer for so many seconds; what each process saw."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    # However long they need to start: all begin together.
    begin = context.Barrier(processes + 1)
    crew = [
        context.Process(
            target=threads,
            args=(f"process {n}", url, redis, seconds, begin, results),
            daemon=True,
        )
        for n in range(processes)
    ]
    for process in crew:
        process.start()
    begin.wait(timeout=PATIENCE)
    tallies = [asyncio.run(app(url, redis, seconds))]
    tallies += [Tally(**results.get(timeout=PATIENCE)) for _ in crew]
    for process in crew:
        process.join(timeout=30)
    return tallies


def write_model(repository: Path) -> None:
    """The model, whose answer to x is 2 x + 1."""
    folder = repository / MODEL / "1"
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(CODE)
    (folder.parent / "config.pbtxt").write_text(CONFIG)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--seconds", type=float, default=60.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, redis_server(maxmemory="64mb") as redis:
        write_model(Path(folder))
        with EmbeddedServer(Path(folder)) as server:
            tallies = hammer(server.http_url, redis, arguments.seconds)
    for tally in tallies:
        print(json.dumps(asdict(tally)))
    bad = [t.who for t in tallies if t.wrong or t.computed_twice or t.errors or not t.calls]
    # The store may fill up; nothing else may grow.
    grown = [
        t.who
        for t in tallies
        if t.megabytes[-1] - t.megabytes[len(t.megabytes) // 2] > ROOM / 1e6 / 2
    ]
    print(
        f"{sum(t.calls for t in tallies):,} calls, {sum(t.rows for t in tallies):,} rows, "
        f"{sum(t.computed for t in tallies):,} computed; "
        f"{'all right' if not bad else f'wrong: {bad}'}; "
        f"{'memory is flat' if not grown else f'memory grows: {grown}'}"
    )
    sys.exit(1 if bad or grown else 0)


if __name__ == "__main__":
    main()
