"""
What the load generator can do, against a server that does nothing.

The server answers every request with the same 64 floats, so that the generator's own
work is most of what is measured. Closed loop: plain sockets, as HttpTarget has them,
against a connection of the event loop and a task for each slot, which TLS takes; they
take turns in every round, and a ratio is taken within a round. Open loop: the rate that
was asked for and the one that was sent, and how late requests started.
"""

from __future__ import annotations

import argparse
import math
import select
import socket
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import uvloop
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tritonkit.bench.inputs.workload import Item, Workload
from tritonkit.bench.load.closed import ClosedLoop
from tritonkit.bench.load.open import OpenLoop
from tritonkit.bench.load.requests import Requests
from tritonkit.bench.record.recorder import SLICE_SECONDS, Recorder
from tritonkit.bench.record.summary import cut
from tritonkit.bench.report.json import write
from tritonkit.bench.schedule.parse import parse_arrivals
from tritonkit.bench.targets.http import HttpTarget
from tritonkit.bench.targets.target import Target
from tritonkit.machine import Machine, package_versions

RESULT = Path(__file__).parent / "results" / "load.json"
CONCURRENCIES = (1, 16, 64)
ARRIVALS = ("constant:500", "poisson:500", "constant:5000", "poisson:5000")
WARMUP = 0.25
SEED = 1
WORKLOAD = Workload(items=[Item(inputs={"x": np.ones((1, 64), np.float32)})] * 64)
TENSOR = b'{"name":"y","datatype":"FP32","shape":[1,64],"parameters":{"binary_data_size":256}}'
HEADER = b'{"model_name":"m","model_version":"1","outputs":[%s]}' % TENSOR
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
    b"Inference-Header-Content-Length: %d\r\nContent-Length: %d\r\n\r\n%s"
) % (len(HEADER), len(HEADER) + 256, HEADER + bytes(256))


class Channels(HttpTarget):
    """As a target without seats of its own is driven."""

    seats = Target.seats


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument(
        "--seconds", type=float, default=1.0, help="of each measurement, rounded up to quarters"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve()
        return
    # A window is cut out by slices.
    seconds = math.ceil(arguments.seconds / SLICE_SECONDS) * SLICE_SECONDS
    with server() as url:
        found = uvloop.run(measure(url, arguments.rounds, seconds))
    report(found, arguments.rounds, seconds)


def serve() -> None:
    """Answer on a port that is printed, until the standard input ends."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(listening.getsockname()[1], flush=True)
    epoll = select.epoll()
    connections: dict[int, socket.socket] = {}
    for descriptor in (listening.fileno(), sys.stdin.fileno()):
        epoll.register(descriptor, select.EPOLLIN)
    while True:
        for descriptor, _ in epoll.poll():
            if descriptor == sys.stdin.fileno():
                return
            if descriptor == listening.fileno():
                connection, _ = listening.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connections[connection.fileno()] = connection
                epoll.register(connection.fileno(), select.EPOLLIN)
            elif connections[descriptor].recv(65536):
                connections[descriptor].send(ANSWER)
            else:
                connections.pop(descriptor).close()


@contextmanager
def server() -> Iterator[str]:
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.stdin.close()


async def measure(url: str, rounds: int, seconds: float) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {"closed": [], "open": []}
    targets = {"channels": Channels(url, "m"), "sockets": HttpTarget(url, "m")}
    for concurrency in CONCURRENCIES:
        rates: dict[str, list[float]] = {name: [] for name in targets}
        costs: dict[str, list[float]] = {name: [] for name in targets}
        for number in range(rounds):
            # Each is first in some round.
            for name in sorted(targets, reverse=bool(number % 2)):
                rate, cost = await closed(targets[name], concurrency, seconds)
                rates[name].append(rate)
                costs[name].append(cost)
        found["closed"].append(
            {"concurrency": concurrency, "requests_per_second": rates, "cpu_us": costs}
        )
    for text in ARRIVALS:
        found["open"] += [
            {"arrivals": text, **await opened(targets["sockets"], text, seconds)}
            for _ in range(rounds)
        ]
    return found


async def closed(target: Target, concurrency: int, seconds: float) -> tuple[float, float]:
    """Requests a second, and microseconds of processor time for each."""
    requests = Requests.prepare(target, WORKLOAD)
    async with ClosedLoop(requests, concurrency=concurrency, timeout=30.0) as load:
        started_ns, first, cpu = await load.until(WARMUP), load.ended, process_time()
        ended_ns = await load.until(WARMUP + seconds)
        ended, cpu = load.ended - first, process_time() - cpu
    return ended / (ended_ns - started_ns) * 1e9, cpu / ended * 1e6


async def opened(target: Target, text: str, seconds: float) -> dict[str, float]:
    arrivals = parse_arrivals(text)
    edges = round(WARMUP * 1e9), round((WARMUP + seconds) * 1e9)
    load = OpenLoop(
        Requests.prepare(target, WORKLOAD),
        arrivals=arrivals,
        timeout=30.0,
        seed=SEED,
        recorder=Recorder(origin=WARMUP),
    )
    async with load:
        cpu = process_time()
        await load.until(WARMUP + seconds)
        cpu = process_time() - cpu
        await load.settle()
    record = cut(load.recorder, *edges)
    intended = 0
    for chunk in arrivals.offsets(SEED):
        intended += int(((chunk >= edges[0]) & (chunk < edges[1])).sum())
        if chunk[-1] >= edges[1]:
            break
    return {
        "intended": intended,
        "answered": record.latency.count,
        "late_p50_us": record.late.percentile_ns(50) / 1e3,
        "late_p99_us": record.late.percentile_ns(99) / 1e3,
        "late_max_us": record.late.max_ns / 1e3,
        "cores": cpu / (WARMUP + seconds),
    }


def report(found: Mapping[str, Sequence[Mapping[str, Any]]], rounds: int, seconds: float) -> None:
    console = Console(highlight=False)
    table = Table(
        title=f"closed loop, median of {rounds} interleaved rounds of {seconds:g} s",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for column in ("concurrency", "way", "requests/s", "CPU (us)", "ratio of requests/s"):
        table.add_column(column, justify="right")
    for row in found["closed"]:
        rates, costs = row["requests_per_second"], row["cpu_us"]
        ratios = [a / b for a, b in zip(rates["sockets"], rates["channels"], strict=True)]
        for name in rates:
            ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
            table.add_row(
                str(row["concurrency"]),
                name,
                f"{statistics.median(rates[name]):,.0f}",
                f"{statistics.median(costs[name]):.1f}",
                ratio if name == "sockets" else "",
            )
        table.add_section()
    console.print(table)
    table = Table(
        title=f"open loop, median of {rounds} runs of {seconds:g} s",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    columns = ("arrivals", "intended", "answered", "late p50 (us)", "p99 (us)", "max", "cores")
    for column in columns:
        table.add_column(column, justify="right")
    for text in ARRIVALS:
        rows = [row for row in found["open"] if row["arrivals"] == text]
        middle = {
            name: statistics.median(row[name] for row in rows)
            for name in rows[0]
            if name != "arrivals"
        }
        table.add_row(
            text,
            f"{middle['intended']:,.0f}",
            f"{middle['answered']:,.0f}",
            *(f"{middle[f'late_{name}_us']:,.0f}" for name in ("p50", "p99", "max")),
            f"{middle['cores']:.2f}",
        )
    console.print(table)
    RESULT.parent.mkdir(exist_ok=True)
    write(
        RESULT,
        {
            "benchmark": "load",
            "machine": asdict(Machine.here()),
            "versions": package_versions(("tritonkit", "uvloop", "numpy")),
            "rounds": rounds,
            "seconds": seconds,
            **found,
        },
    )
    console.print(f"written to {RESULT}")


if __name__ == "__main__":
    main()
