"""
The load generator of `tritonkit bench` beside NVIDIA's perf_analyzer, on one embedded server.

Both are run as their users run them, as programs of their own, in turn; a ratio is taken
within a round. perf_analyzer issues requests synchronously (a thread each) or
asynchronously; both ways are measured, and the one that got more answers counts.

    cached   the answer comes from Triton's response cache: how much load each can make
    compute  a model that takes 5 ms: whether both report the same latency

CPU is that of the whole program, start included, for each request that the server counted.
perf_analyzer is set up by bench/perf_analyzer/set_up.py.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tritonkit.bench.report.json import write
from tritonkit.errors import TritonkitError
from tritonkit.machine import Machine, package_versions
from tritonkit.server import EmbeddedServer

RESULT = Path(__file__).parent / "results" / "perf_analyzer.json"
SET_UP = Path(__file__).parents[1] / "bench" / "perf_analyzer" / "set_up.py"
SIZE = 64
PROTOCOLS = ("http", "grpc")
CONCURRENCIES = (1, 16, 64, 256)
COMPUTE_CONCURRENCIES = (1, 4)
COMPUTE_SECONDS = 0.005
WINDOWS = 3
"""Of perf_analyzer; it joins the last three, each longer by a fifth than what it is told."""

HANGS = 10.0
"""Seconds beyond the measurement after which a program is taken to hang. perf_analyzer does
at times, from 16 in flight on; such a run counts as none, and is told."""
TRIES = 3
"""Of a round in which perf_analyzer hangs in both of its modes."""

CODE = """\
import time

import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        time.sleep({seconds} * len(requests))
        return [
            pb.InferenceResponse(
                [pb.Tensor("y", pb.get_input_tensor_by_name(request, "x").as_numpy())]
            )
            for request in requests
        ]
"""
CONFIG = """\
backend: "python"
max_batch_size: 8
input [ {{ name: "x", data_type: TYPE_FP32, dims: [ {size} ] }} ]
output [ {{ name: "y", data_type: TYPE_FP32, dims: [ {size} ] }} ]
instance_group [ {{ count: {instances} kind: KIND_CPU }} ]
{more}
"""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one program reported, and what it took."""

    tool: str
    requests_per_second: float
    p50_us: float
    p99_us: float
    cpu_us: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    perf_analyzer = subprocess.run(
        [sys.executable, str(SET_UP)], check=True, capture_output=True, text=True
    ).stdout.strip()
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        repository = folder / "repository"
        add_model(repository, "cached", 0.0, 1, "response_cache { enable: true }")
        add_model(repository, "compute", COMPUTE_SECONDS, max(COMPUTE_CONCURRENCIES))
        with EmbeddedServer(repository, cache_size=64 * 10**6) as server:
            bench = Bench(server, perf_analyzer, folder, arguments.seconds)
            cells = [
                *((m, c) for m in ("cached",) for c in CONCURRENCIES),
                *((m, c) for m in ("compute",) for c in COMPUTE_CONCURRENCIES),
            ]
            rows = [
                row
                for protocol in PROTOCOLS
                for model, concurrency in cells
                for row in bench.cell(protocol, model, concurrency, arguments.rounds)
            ]
    report(rows, arguments.rounds, arguments.seconds)


def add_model(repository: Path, name: str, seconds: float, instances: int, more: str = "") -> None:
    version = repository / name / "1"
    version.mkdir(parents=True)
    (version / "model.py").write_text(CODE.format(seconds=seconds))
    (version.parent / "config.pbtxt").write_text(
        CONFIG.format(size=SIZE, instances=instances, more=more)
    )


class Bench:
    """Runs both programs against one server."""

    def __init__(
        self, server: EmbeddedServer, perf_analyzer: str, folder: Path, seconds: float
    ) -> None:
        self._urls = {"http": server.http_url, "grpc": f"grpc://{server.grpc_url}"}
        self._perf_analyzer = perf_analyzer
        self._folder = folder
        self._seconds = seconds

    def cell(
        self, protocol: str, model: str, concurrency: int, rounds: int
    ) -> Iterator[dict[str, Any]]:
        """Each round of one setting, a row for each; who is first changes from round to round."""
        for number in range(rounds):
            drivers: list[Callable[[], Run | None]] = [
                partial(self._ours, protocol, model, concurrency),
                partial(self._theirs, protocol, model, concurrency, "--sync"),
                partial(self._theirs, protocol, model, concurrency, "--async"),
            ]
            turn = number % len(drivers)
            for _ in range(TRIES):
                runs = [drive() for drive in drivers[turn:] + drivers[:turn]]
                (ours,) = (run for run in runs if run is not None and run.tool == "tritonkit")
                ended = [run for run in runs if run is not None and run is not ours]
                if ended:
                    break
            else:
                raise SystemExit(f"perf_analyzer hung {TRIES} times with {concurrency} in flight.")
            theirs = max(ended, key=lambda run: run.requests_per_second)
            yield {
                "protocol": protocol,
                "model": model,
                "concurrency": concurrency,
                "round": number,
                "ours": asdict(ours),
                "theirs": asdict(theirs),
                "hung": len(drivers) - 1 - len(ended),
            }
            print(
                f"{model}, {protocol}, concurrency {concurrency}: "
                f"{ours.requests_per_second:,.0f}/s to {theirs.requests_per_second:,.0f}/s "
                f"({theirs.tool})",
                file=sys.stderr,
            )

    def _ours(self, protocol: str, model: str, concurrency: int) -> Run:
        output = self._folder / "ours.json"
        cpu_us = self._cpu_us(
            model,
            [
                *(sys.executable, "-m", "tritonkit", "bench", "run", model),
                *("--url", self._urls[protocol], "--concurrency", str(concurrency)),
                *("--duration", f"{self._seconds}s", "--warmup", "1s", "--output", str(output)),
            ],
        )
        (measured,) = json.loads(output.read_text())["measurements"]
        if measured["failed"]:
            raise SystemExit(f"requests failed: {measured['failures']}")
        return Run(
            tool="tritonkit",
            requests_per_second=measured["requests_per_second"],
            p50_us=measured["latency"]["percentiles_us"]["p50"],
            p99_us=measured["latency"]["percentiles_us"]["p99"],
            cpu_us=cpu_us,
        )

    def _theirs(self, protocol: str, model: str, concurrency: int, mode: str) -> Run | None:
        """None where it hangs."""
        output = self._folder / "theirs.csv"
        interval_ms = self._seconds * 1000 / WINDOWS / 1.2
        command = [
            *(self._perf_analyzer, "-m", model, "-i", protocol),
            *("-u", self._urls[protocol].rpartition("/")[2]),
            *("--concurrency-range", str(concurrency), mode),
            *("--measurement-interval", str(round(interval_ms))),
            # Three windows, whatever they say: an unstable level would have no figures.
            *("--stability-percentage", "999", "--max-trials", str(WINDOWS)),
            *("-f", str(output)),
        ]
        try:
            cpu_us = self._cpu_us(model, command)
        except subprocess.TimeoutExpired:
            print(f"perf_analyzer {mode} hung with {concurrency} in flight", file=sys.stderr)
            return None
        with output.open() as file:
            (measured,) = csv.DictReader(file)
        return Run(
            tool=f"perf_analyzer {mode}",
            requests_per_second=float(measured["Inferences/Second"]),
            p50_us=float(measured["p50 latency"]),
            p99_us=float(measured["p99 latency"]),
            cpu_us=cpu_us,
        )

    def _cpu_us(self, model: str, command: Sequence[str]) -> float:
        """Run it; microseconds of CPU for each request that the server counted."""
        answered, used = self._answered(model), _cpu_of_children()
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=2 * self._seconds + HANGS,
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
        return (_cpu_of_children() - used) * 1e6 / (self._answered(model) - answered)

    def _answered(self, model: str) -> int:
        with urlopen(f"{self._urls['http']}/v2/models/{model}/stats") as reply:
            (stats,) = json.load(reply)["model_stats"]
        return int(stats["inference_stats"]["success"]["count"])


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def report(rows: Sequence[dict[str, Any]], rounds: int, seconds: float) -> None:
    cells = summed_up(rows)
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    table = Table(
        title="tritonkit bench / perf_analyzer, median of the rounds' ratios",
        title_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
    )
    for column in ("model", "protocol", "concurrency", "requests/s", "p50", "p99", "CPU/request"):
        table.add_column(column, justify="left" if column in ("model", "protocol") else "right")
    for cell in cells:
        ratios = cell["ratios"]
        table.add_row(
            *(cell["model"], cell["protocol"], str(cell["concurrency"])),
            *(f"{ratios[key]:.2f}" for key in ("requests_per_second", "p50_us", "p99_us")),
            f"{ratios['cpu_us']:.2f}",
        )
    console.print(table)
    write(
        RESULT,
        {
            "benchmark": "perf_analyzer",
            "command": f"benchmarks/perf_analyzer.py --rounds {rounds} --seconds {seconds:g}",
            "taken": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": asdict(Machine.here()),
            "versions": package_versions(("tritonkit", "numpy", "uvloop")),
            "perf_analyzer": "of tritonclient 2.50.0",
            "cells": cells,
            "rounds": list(rows),
        },
    )
    console.print(f"written to {RESULT}")


def summed_up(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A cell for each setting: medians of each program's figures and of the ratios."""
    grouped: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    for row in rows:
        key = (row["model"], row["protocol"], row["concurrency"])
        grouped.setdefault(key, []).append(row)
    figures = ("requests_per_second", "p50_us", "p99_us", "cpu_us")
    return [
        {
            **dict(zip(("model", "protocol", "concurrency"), key, strict=True)),
            **{
                tool: {f: statistics.median(row[tool][f] for row in cell) for f in figures}
                for tool in ("ours", "theirs")
            },
            "ratios": {
                f: statistics.median(row["ours"][f] / row["theirs"][f] for row in cell)
                for f in figures
            },
        }
        for key, cell in grouped.items()
    ]


if __name__ == "__main__":
    try:
        main()
    except TritonkitError as error:
        sys.exit(f"Error: {error}")
