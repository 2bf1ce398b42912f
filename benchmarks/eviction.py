"""
Which entries a small memory should keep: hit ratios and costs of eviction policies.

Every policy answers the same traces of keys; what it does not have is put. The
entries of all traces but the last have the size of a row of 384 floats, as
`Memory` counts it. Policies of this project get bytes and pay for the keys that
they only remember; libraries count entries, and what they remember is free.

    zipf S       key k is asked for in proportion to 1 / k**S
    scan         zipf 1.0, interrupted twenty times by as many keys that never return
    unique       zipf 1.0, and between any two of its requests one for a key that never returns
    loop         the same keys in the same order, over and over
    shift        zipf 1.0, whose popular keys are others ten times
    sizes        zipf 1.0, sizes log-normal around the same median

Libraries are compared where they are installed: theine, moka-py, cachebox, cachetools.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from time import monotonic, perf_counter

import numpy as np
from numpy.typing import NDArray
from policies import LIBRARIES, OURS, Policy
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tritonkit.bench.report.json import write
from tritonkit.client.stores.memory import PLACE, Memory
from tritonkit.client.stores.store import Entry
from tritonkit.errors import TritonkitError
from tritonkit.machine import Machine, package_versions

RESULT = Path(__file__).parent / "results" / "eviction.json"
CAPACITIES = (0.01, 0.05, 0.1)
SIZE = 2300
CALLS = 3000
PACKAGES = ("tritonkit", "numpy", "theine", "moka-py", "cachebox", "cachetools")

Keys = NDArray[np.int64]


@dataclass(frozen=True)
class Trace:
    """What is asked for, in order; a size for each key, all of one without."""

    keys: Sequence[int]
    sizes: Sequence[int] | None = None

    def footprint(self) -> tuple[int, float]:
        """How many keys there are, and the bytes of all of them."""
        distinct = set(self.keys)
        return len(distinct), sum(self.size(key) for key in distinct)

    def size(self, key: int) -> int:
        return SIZE if self.sizes is None else self.sizes[key]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One policy on one trace."""

    trace: str
    capacity: float
    policy: str
    hit_ratio: float
    us_per_request: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--requests", type=int, default=200_000, help="of each trace")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    console = Console(highlight=False)
    findings: list[Finding] = []
    for name, trace in traces(arguments.requests, arguments.seed).items():
        found = compare(name, trace)
        console.print(table(name, found))
        findings += found
    costs = hit_costs()
    costs_table = Table("a hit", "us", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name, us in costs.items():
        costs_table.add_row(name, f"{us:.2f}")
    console.print(costs_table)
    RESULT.parent.mkdir(exist_ok=True)
    write(
        RESULT,
        {
            "benchmark": "eviction",
            "machine": asdict(Machine.here()),
            "versions": package_versions(PACKAGES),
            "requests": arguments.requests,
            "seed": arguments.seed,
            "entry_bytes": SIZE,
            "ghost_bytes": PLACE,
            "capacity": "share of the bytes of all keys of the trace",
            "us_per_hit": costs,
            "findings": [asdict(finding) for finding in findings],
        },
    )
    console.print(f"written to {RESULT}")


def traces(requests: int, seed: int) -> dict[str, Trace]:
    """By name. There are a fifth as many keys as requests."""
    random = np.random.default_rng(seed)
    count = max(100, requests // 5)

    def zipf(s: float, asked: int) -> Keys:
        weights = 1 / np.arange(1, count + 1) ** s
        return random.permutation(count)[
            random.choice(count, asked, p=weights / weights.sum())
        ].astype(np.int64)

    popular = zipf(1.0, requests // 2)
    unique = count + np.arange(requests // 2)
    parts = zip(np.array_split(popular, 20), np.array_split(unique, 20), strict=True)
    scans = [part for pair in parts for part in pair]
    sizes = (SIZE * random.lognormal(0.0, 1.0, count)).astype(int) + PLACE
    return {
        **{f"zipf {s}": Trace(zipf(s, requests).tolist()) for s in (0.8, 1.0, 1.2)},
        "scan": Trace(np.concatenate(scans).tolist()),
        "unique": Trace(np.stack([popular, unique], axis=1).ravel().tolist()),
        "loop": Trace([number % (count // 5) for number in range(requests)]),
        "shift": Trace(np.concatenate([zipf(1.0, requests // 10) for _ in range(10)]).tolist()),
        "sizes": Trace(zipf(1.0, requests).tolist(), sizes.tolist()),
    }


def compare(name: str, trace: Trace) -> list[Finding]:
    entries, total = trace.footprint()
    findings = []
    for capacity in CAPACITIES:
        policies: dict[str, Policy] = {
            policy: make(int(total * capacity)) for policy, make in OURS.items()
        }
        if trace.sizes is None:
            policies |= {
                policy: make(max(1, int(entries * capacity))) for policy, make in LIBRARIES.items()
            }
        for policy, made in policies.items():
            ratio, seconds = replay(made, trace)
            findings.append(
                Finding(
                    trace=name,
                    capacity=capacity,
                    policy=policy,
                    hit_ratio=ratio,
                    us_per_request=seconds * 1e6,
                )
            )
    return findings


def replay(policy: Policy, trace: Trace) -> tuple[float, float]:
    """Hit ratio, and seconds of a request."""
    asked = [(key, trace.size(key)) for key in trace.keys]
    ask = policy.ask
    started = perf_counter()
    found = sum([ask(key, size) for key, size in asked])
    return found / len(asked), (perf_counter() - started) / len(asked)


def hit_costs() -> dict[str, float]:
    """Microseconds of a hit by policy, and of `Memory.now` by number of keys."""
    costs = {}
    for name, make in {**OURS, **LIBRARIES}.items():
        policy = make(1000 * SIZE)
        for key in range(100):
            policy.ask(key, SIZE)
        costs[name] = cost(partial(policy.ask, 50, SIZE))
    memory = Memory("1MB")
    array = np.zeros((1, 384), np.float32)
    entries = {number.to_bytes(16, "big"): Entry({"y": array}, monotonic()) for number in range(32)}
    asyncio.run(memory.put("model", entries, 3600.0))
    for count in (1, 32):
        costs[f"Memory.now, keys: {count}"] = cost(partial(memory.now, "model", [*entries][:count]))
    return costs


def cost(call: Callable[[], object]) -> float:
    """Microseconds of *call*: the median of 20 parts, what calls it included."""
    parts = []
    for _ in range(20):
        started = perf_counter()
        for _ in range(CALLS):
            call()
        parts.append((perf_counter() - started) / CALLS * 1e6)
    return statistics.median(parts)


def table(name: str, findings: Sequence[Finding]) -> Table:
    result = Table(title=name, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    result.add_column("policy")
    for capacity in CAPACITIES:
        result.add_column(f"hits at {capacity:.0%}", justify="right")
    result.add_column("us/request", justify="right")
    by_policy: dict[str, list[Finding]] = {}
    for finding in findings:
        by_policy.setdefault(finding.policy, []).append(finding)
    for policy, found in by_policy.items():
        cost = math.fsum(finding.us_per_request for finding in found) / len(found)
        ratios = (f"{finding.hit_ratio:.1%}" for finding in found)
        result.add_row(policy, *ratios, f"{cost:.2f}")
    return result


if __name__ == "__main__":
    try:
        main()
    except TritonkitError as error:
        sys.exit(f"error: {error}")
