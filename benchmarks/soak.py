"""
The load generator for half an hour, while its server dies, stands still and loses its model.

    python benchmarks/soak.py

`tritonkit bench run` sends requests in open loop to an embedded Triton, as a user would
have it. Once a minute, or once in a shorter run, the same befalls the server:

    stop      it gets SIGSTOP, and SIGCONT later
    slow      it takes 500 ms longer for every batch
    unload    it unloads the model
    kill      it is killed with SIGKILL, and started again, with the model
    reload    it unloads the model and loads it again

Looked at from outside: how much memory the generator's processes hold. Checked at the
end: every request of the schedule was answered, failed or dropped, failures are counted
by kind, and memory is flat, by the second half of the run. Shown beside it are the slope
of a straight line through that half, and what the failures were.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any

import numpy as np
from chaos import MODEL, Replica, write_repository
from rich.console import Console

from tritonkit.bench.measurement import Measurement, percentile_name
from tritonkit.bench.observe.processes import Reading, read_process, trees
from tritonkit.bench.report.json import read, write
from tritonkit.errors import TritonkitError
from tritonkit.machine import Machine, package_versions
from tritonkit.units import format_duration

RESULT = Path(__file__).parent / "results" / "soak.json"
RATE = 300
TIMEOUT = 2.0
WARMUP = 1.0
CYCLE = 60.0
"""Seconds in which everything happens once."""

ROOM = 8.0
"""Megabytes that the second half may add: a tenth of what the process holds at its start."""


def faults(replica: Replica) -> Sequence[tuple[float, Callable[[], None]]]:
    """What happens in a cycle, and when, as a share of it."""
    return [
        (0.05, replica.stand_still),
        (0.12, replica.go_on),
        (0.15, replica.slow_down),
        (0.20, replica.speed_up),
        (0.25, replica.unload),
        # Started again it has all of its models.
        (0.35, replica.kill),
        (0.40, replica.start),
        (0.75, replica.unload),
        (0.80, replica.load),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--seconds", type=float, default=1800.0)
    parser.add_argument("--rate", type=int, default=RATE, help="requests a second")
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    console = Console(highlight=False)
    found = soak(arguments.seconds, arguments.rate)
    report(console, found)
    arguments.output.parent.mkdir(exist_ok=True)
    write(
        arguments.output,
        {
            "benchmark": "soak",
            "machine": asdict(Machine.here()),
            "versions": package_versions(("tritonkit", "uvloop", "numpy", "hdrhistogram")),
            "command": f"benchmarks/soak.py --seconds {arguments.seconds:g} "
            f"--rate {arguments.rate}",
            **found,
        },
    )
    console.print(f"written to {arguments.output}")
    sys.exit(0 if found["goal"]["kept"] else 1)


def soak(seconds: float, rate: int) -> dict[str, Any]:
    """Everything that is reported of one run."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        replica = Replica(write_repository(Path(folder) / "0"))
        replica.start()
        stack.callback(replica.stop)
        output = Path(folder) / "run.json"
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tritonkit", "bench", "run", MODEL),
                *("--url", replica.server.http_url, "--rate", str(rate), "--arrivals", "constant"),
                *("--duration", f"{seconds:g}s", "--warmup", f"{WARMUP:g}s"),
                *("--timeout", f"{TIMEOUT:g}s", "--output", str(output)),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        stack.callback(process.kill)
        ended = Event()
        memory: list[tuple[float, float]] = []
        # Four looks a second at the shortest, for each is at every process.
        interval = max(0.25, seconds / 200)
        watcher = Thread(target=watch, args=(process.pid, ended, memory, interval))
        watcher.start()
        try:
            start = happen(replica, seconds, process)
            told, _ = process.communicate(timeout=60 + 10 * TIMEOUT)
        finally:
            ended.set()
            watcher.join()
        if process.returncode:
            sys.exit(f"error: the run ended with {process.returncode}:\n{told}")
        (run,) = read(output).measurements
    return result(seconds, rate, run, np.array(memory) - (start, 0.0))


def happen(replica: Replica, seconds: float, process: subprocess.Popen[str]) -> float:
    """Let faults befall the server until the run is over; when its window began."""
    cycles = max(1, round(seconds / CYCLE))
    while process.poll() is None and not answered(replica.server.http_url):
        sleep(0.05)
    start = monotonic() + WARMUP
    for cycle in range(cycles):
        for share, fault in faults(replica):
            at = start + (cycle + share) * seconds / cycles
            try:
                process.wait(max(0.0, at - monotonic()))
            except subprocess.TimeoutExpired:
                fault()
            else:
                return start
    return start


def answered(url: str) -> int:
    """Requests so far."""
    with urllib.request.urlopen(f"{url}/v2/models/{MODEL}/stats") as reply:
        (stats,) = json.load(reply)["model_stats"]
    return int(stats["inference_stats"]["success"]["count"])


def watch(root: int, ended: Event, memory: list[tuple[float, float]], interval: float) -> None:
    """Note the time, and megabytes of the process and its children."""
    while not ended.wait(interval):
        readings: dict[int, Reading] = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and (found := read_process(int(folder.name))) is not None:
                readings[int(folder.name)] = found
        tree = trees([root], {pid: reading.parent for pid, reading in readings.items()})
        held = sum(readings[pid].rss_bytes for pid in tree)
        if held:
            memory.append((monotonic(), held / 1e6))


def result(seconds: float, rate: int, run: Measurement, memory: Any) -> dict[str, Any]:
    """Sums, and whether they come out."""
    failed = {failure.kind: failure.count for failure in run.failures}
    accounted = run.requests + run.failed + run.dropped
    # What comes before a steady state is cut off, so the window's own length counts.
    intended = rate * run.seconds
    # Of the process while it measures: it starts before, and reports afterwards.
    inside = memory[(memory[:, 0] > 0) & (memory[:, 0] < seconds)]
    half = inside[len(inside) // 2 :]
    slope, _ = np.polyfit(half[:, 0], half[:, 1], 1)
    tenth = max(1, len(half) // 10)
    growth = float(np.median(half[-tenth:, 1]) - np.median(half[:tenth, 1]))
    return {
        "seconds": seconds,
        "rate": rate,
        "timeout": TIMEOUT,
        "faults": [(share, fault.__name__) for share, fault in faults(Replica(Path()))],
        "cycles": max(1, round(seconds / CYCLE)),
        "requests": run.requests,
        "failed": failed,
        "dropped": run.dropped,
        "unstable": run.unstable,
        "latency_us": {
            percentile_name(p): round(value, 1) for p, value in run.latency.percentiles_us.items()
        },
        "client_cpu": round(run.client_cpu, 4),
        "memory_mb": {
            "start": round(float(inside[0, 1]), 1),
            "most": round(float(inside[:, 1].max()), 1),
            "end": round(float(inside[-1, 1]), 1),
            "second_half_growth": round(growth, 2),
            "second_half_slope_per_hour": round(float(slope) * 3600, 2),
        },
        "timeline_mb": [
            [round(float(at)), round(float(held), 1)]
            for at, held in inside[:: max(1, len(inside) // 60)]
        ],
        "goal": {
            "growth_mb": ROOM,
            "kept": bool(
                growth <= ROOM and abs(accounted - intended) <= 1 and run.requests and failed
            ),
            "accounted": accounted,
            "intended": round(intended),
        },
    }


def report(console: Console, found: dict[str, Any]) -> None:
    """In words."""
    memory, goal = found["memory_mb"], found["goal"]
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in found["failed"].items())
    console.print(
        f"{format_duration(found['seconds'])} at {found['rate']}/s: "
        f"{found['requests']:,} answered, {kinds or 'none failed'}, {found['dropped']:,} dropped: "
        f"{goal['accounted']:,} of {goal['intended']:,}"
    )
    console.print(
        f"memory of the generator: {memory['start']:.1f} MB at the start, "
        f"{memory['most']:.1f} MB at most, {memory['end']:.1f} MB at the end; in the second half "
        f"{memory['second_half_growth']:+.2f} MB, a slope of "
        f"{memory['second_half_slope_per_hour']:+.2f} MB an hour"
    )
    console.print(
        f"goal: all accounted for and memory flat: {'kept' if goal['kept'] else 'MISSED'}"
    )


if __name__ == "__main__":
    try:
        main()
    except TritonkitError as error:
        sys.exit(f"error: {error}")
