"""
When to send what has gathered: the schedule of Coalesce against simulated servers.

The schedule takes its clock as an argument, so thousands of seconds of traffic pass in seconds,
with no noise of a machine. Calls of one row arrive by chance (Poisson). A server has instances
that take requests in the order in which they came; a request of n rows takes a fixed time and
a time for each row. What is reported is latency, from the arrival, of the same arrivals under
each rule.

    window 0        everything goes at once: no joining but of what waits for a full one
    in flight 1     Nagle's rule: wait for the answer that is on its way, or for a full request
    in flight 2..   up to so many are on their way, a window apart, before one waits for an answer
    unlimited       the window alone
"""

from __future__ import annotations

import argparse
import heapq
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tritonkit.bench.report.json import write
from tritonkit.client.layers.coalesce.gathering import Gathering
from tritonkit.errors import TritonkitError
from tritonkit.machine import Machine, package_versions

RESULT = Path(__file__).parent / "results" / "gathering.json"
MAX_ROWS = 64
UNLIMITED = 10**6
SEED = 0


@dataclass(frozen=True)
class Server:
    """A simulated model: seconds of a request, and of each of its rows."""

    name: str
    instances: int
    request: float
    row: float

    def capacity(self, rows: int) -> float:
        """Rows a second where every request has so many."""
        return self.instances * rows / (self.request + self.row * rows)


SERVERS = (
    Server("small network", 1, 0.8e-3, 10e-6),
    Server("encoder on a GPU", 1, 6e-3, 0.2e-3),
    Server("encoder, 4 GPUs", 4, 6e-3, 0.2e-3),
    Server("encoder on a CPU", 1, 2e-3, 5e-3),
)
LOADS = (0.02, 0.3, 0.6, 0.9)
"""Shares of what the server could do with full requests."""

RULES = (
    (0.0, UNLIMITED),
    (2e-3, UNLIMITED),
    (2e-3, 1),
    (2e-3, 2),
    (2e-3, 4),
    (2e-3, 8),
    (0.5e-3, 4),
    (5e-3, 4),
    (20e-3, 4),
)
"""Window in seconds, and max_in_flight."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--calls", type=int, default=10_000, help="of each simulation")
    calls = parser.parse_args().calls
    console = Console(width=120, highlight=False)
    found = []
    for server in SERVERS:
        table = Table(
            title=f"{server.name}: {server.instances} instance(s), {server.request * 1e3:g} ms a "
            f"request and {server.row * 1e3:g} ms a row; p50 / p95 latency in ms, rows a request",
            title_justify="left",
            box=SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
        )
        for column in ("window", "in flight", *(f"load {load:g}" for load in LOADS)):
            table.add_column(column, justify="right")
        for window, in_flight in RULES:
            cells = []
            for load in LOADS:
                rate = load * server.capacity(MAX_ROWS)
                arrivals = np.cumsum(np.random.default_rng(SEED).exponential(1 / rate, calls))
                latencies, requests = simulate(server, arrivals, window, in_flight)
                p50, p95 = np.percentile(latencies, (50, 95)).tolist()
                lost = overloaded(latencies, arrivals[-1])
                found.append(
                    {
                        "server": server.name,
                        "window_seconds": window,
                        "max_in_flight": None if in_flight == UNLIMITED else in_flight,
                        "load": load,
                        "rows_per_second": rate,
                        "p50_seconds": p50,
                        "p95_seconds": p95,
                        "rows_per_request": calls / requests,
                        "overloaded": bool(lost),
                    }
                )
                cells.append(
                    "overloaded"
                    if lost
                    else f"{p50 * 1e3:.1f} / {p95 * 1e3:.1f}, {calls / requests:.1f}"
                )
            shown = "unlimited" if in_flight == UNLIMITED else str(in_flight)
            table.add_row(f"{window * 1e3:g} ms", shown, *cells)
        console.print(table)
    RESULT.parent.mkdir(exist_ok=True)
    write(
        RESULT,
        {
            "benchmark": "gathering",
            "machine": asdict(Machine.here()),
            "versions": package_versions(("tritonkit", "numpy")),
            "servers": [asdict(server) for server in SERVERS],
            "max_rows": MAX_ROWS,
            "calls": calls,
            "seed": SEED,
            "simulations": found,
        },
    )
    console.print(f"written to {RESULT}")


def overloaded(latencies: NDArray[np.float64], seconds: float) -> bool:
    """Whether the queue grows for as long as calls arrive."""
    parts = [float(np.median(part)) for part in np.array_split(latencies, 10)]
    return parts[-1] > 1.3 * parts[4] and parts[-1] > 0.02 * seconds


def simulate(
    server: Server, arrivals: Sequence[float] | NDArray[np.float64], window: float, in_flight: int
) -> tuple[NDArray[np.float64], int]:
    """Latency of each call in seconds, and how many requests were sent."""
    gathering: Gathering[int] = Gathering(max_rows=MAX_ROWS, window=window, max_in_flight=in_flight)
    moments = np.asarray(arrivals)
    times = moments.tolist()
    latencies = np.empty(len(times))
    free = [0.0] * server.instances
    ends: list[float] = []
    requests = arrived = 0
    last, never = 0.0, float("inf")
    while arrived < len(times) or not gathering.idle:
        due = gathering.due()
        arrival = times[arrived] if arrived < len(times) else never
        now = min(arrival, ends[0] if ends else never, never if due is None else due)
        if due is not None and due <= now:
            # What is due at once became so by the event before.
            now = max(now, last)
            for items in gathering.take(now):
                requests += 1
                start = max(now, heapq.heappop(free))
                end = start + server.request + server.row * len(items)
                heapq.heappush(free, end)
                heapq.heappush(ends, end)
                latencies[items] = end - moments[items]
        elif now == arrival:
            gathering.add(arrived, 1, now)
            arrived += 1
        else:
            heapq.heappop(ends)
            gathering.ended()
        last = now
    return latencies, requests


if __name__ == "__main__":
    try:
        main()
    except TritonkitError as error:
        sys.exit(f"error: {error}")
