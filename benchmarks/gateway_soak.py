"""
Ten minutes of traffic through a gateway, while everything behind and beside it fails.

    python benchmarks/gateway_soak.py

Two gateway workers stand in front of two embedded Tritons and share a Redis that keeps what it
has answered. Traffic comes by Zipf's law and on its own schedule. Once a minute, or once in a
shorter run, the same befalls them:

    kill      a Triton is killed with SIGKILL, and started again on its port
    slow      the accurate model takes 600 ms longer for every batch, on both Tritons
    redis     Redis is killed, and started again
    worker    a worker of the gateway is killed, always the second one
    burst     five times as many requests come, for five seconds
    still     the other Triton gets SIGSTOP, and SIGCONT later

Beside that, malformed requests come all the time.

Checked at the end. Every request was answered, unless the policy's deadline passed, as it may
for one in a hundred, and rightly: the model tells of each text what only it can, and what is
degraded says so. A request whose connection broke with the killed worker was sent once more, and
counted. Malformed requests got a 4xx, a closed connection, the 500 that Triton has for JSON that
is none, or were told that no Triton is there.

The budget held: the ledger never had more than its limit, no row was computed that was not
charged, and no answer cost more than was charged. While things fail more is charged than
answers tell, for what was computed for callers that had given up, or for nobody. Afterwards,
in a quiet time, the ledger charges to the millionth what the answers cost.

Memory of the gateway is flat, by the second half of the run, in the worker that is never
killed and the process above it.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import numpy as np
import uvloop
from chaos import MODEL
from gateway_callers import Callers, Tally, malform
from gateway_rig import BRIEF, ROW, WHOLE, Rig, faults
from rich.console import Console

from tritonkit.bench.observe.processes import read_process
from tritonkit.bench.report.json import write
from tritonkit.client import Budget, Costs, Price
from tritonkit.client.layers.budget.limits import MICRO
from tritonkit.client.ledgers.redis import RedisLedger
from tritonkit.errors import RequestError, TritonkitError
from tritonkit.gateway.demo.texts import questions
from tritonkit.gateway.demo.traffic import Flow, Traffic
from tritonkit.machine import Machine, package_versions

RESULT = Path(__file__).parent / "results" / "gateway_soak.json"
RATE = 60.0
CYCLE = 60.0
"""Seconds in which everything happens once."""

REFUSALS = ("closed", "500 as Triton", "502", "503", "504")
"""What a malformed request may get beside a 4xx."""

SETTLED = 2.0
"""Seconds after the last answer in which all that is under way is settled."""

LATE = 0.01
"""Of the requests: whose deadline may pass, which a busy machine does by itself."""

SHARE = 0.10
"""Of what the processes hold at first: what the second half of the run may add to it."""


async def happen(rig: Rig, traffic: Traffic, seconds: float) -> int:
    """Let it all happen; how many cycles."""
    cycles = max(1, round(seconds / CYCLE))
    start = monotonic()
    for cycle in range(cycles):
        for share, _, fault in faults(rig, traffic):
            at = start + (cycle + share) * seconds / cycles
            await asyncio.sleep(max(0.0, at - monotonic()))
            await asyncio.to_thread(fault)
    return cycles


@dataclass
class Looks:
    """What was seen from outside, at times since the start."""

    memory: list[tuple[float, float]] = field(default_factory=list)
    fullest: int = 0
    """The most that the brief quota had settled and reserved."""
    reads: int = 0


@asynccontextmanager
async def looking(rig: Rig, looks: Looks, interval: float) -> AsyncIterator[Budget]:
    """Look at memory and ledger all the time."""
    ledger = RedisLedger(rig.redis.url, budget="2s")
    budget = Budget(BRIEF, WHOLE, ledger=ledger, costs=Costs(default=Price()))
    start = monotonic()

    async def look() -> None:
        while True:
            await asyncio.sleep(interval)
            processes = await asyncio.to_thread(rig.processes)
            held = [read_process(processes[name]) for name in ("0", "above") if name in processes]
            if len(held) == 2 and None not in held:
                total = sum(reading.rss_bytes for reading in held if reading is not None)
                looks.memory.append((monotonic() - start, total / 1e6))
            with suppress(RequestError):
                brief, _ = await budget.usage(model=MODEL)
                looks.fullest = max(looks.fullest, brief.settled + brief.reserved)
                looks.reads += 1

    task = asyncio.create_task(look())
    try:
        yield budget
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await budget.aclose()


async def soak(rig: Rig, seconds: float, rate: float) -> dict[str, Any]:
    """Everything that is reported of one run."""
    tally, looks = Tally(), Looks()
    flow = Flow(rate=rate, batch=0.1)
    traffic = Traffic(flow, len(questions()), now=monotonic())
    callers = Callers(rig.address, traffic, tally)
    async with AsyncExitStack() as stack:
        budget = await stack.enter_async_context(looking(rig, looks, max(0.5, seconds / 200)))
        nonsense = asyncio.create_task(malform(rig.address, tally))
        happening = asyncio.create_task(happen(rig, traffic, seconds))
        stack.push_async_callback(callers.aclose)
        await callers.run(seconds)
        cycles = await happening
        nonsense.cancel()
        charged, computed = await charges(budget), rig.computed() * ROW
        # As often as the machine bears without anybody giving up.
        traffic.steer(replace(flow, rate=rate / 3))
        callers.tally = quiet = Tally()
        await callers.run(max(5.0, seconds / 20))
        later = await charges(budget) - charged
    return result(rig, tally, looks, cycles, Spent(charged, computed), quiet, later)


class Spent(NamedTuple):
    """Until the quiet time, in millionths: by the ledger, and by the model's own account."""

    charged: int
    computed: int


async def charges(budget: Budget) -> int:
    """What the ledger has charged or reserved in all, once nothing is under way."""
    await asyncio.sleep(SETTLED)
    _, whole = await budget.usage(model=MODEL)
    # What a killed worker had reserved is charged later; the sum stays what it is.
    return whole.settled + whole.reserved


def result(
    rig: Rig, tally: Tally, looks: Looks, cycles: int, spent: Spent, quiet: Tally, later: int
) -> dict[str, Any]:
    """Sums, and whether they come out."""
    memory = np.array(looks.memory)
    half = memory[len(memory) // 2 :]
    tenth = max(1, len(half) // 10)
    growth = float(np.median(half[-tenth:, 1]) - np.median(half[:tenth, 1]))
    room = SHARE * float(memory[0, 1])
    bad = {
        kind: count
        for kind, count in tally.malformed.items()
        if kind not in REFUSALS and not kind.startswith("4")
    }
    # A deadline that passes is what the policy says, and is told all the same. It stays rare.
    both = tally.failed + quiet.failed
    failed = [why for why in both if not why.startswith("504 ")]
    late = sum(count for why, count in both.items() if why.startswith("504 "))
    most = LATE * (tally.answered.total() + quiet.answered.total())
    goals = {
        "no request failed but by the policy": not (failed or tally.dropped or quiet.dropped),
        "deadlines passed rarely": late <= most,
        "every answer is right": not (tally.wrong or quiet.wrong) and bool(tally.answered),
        "malformed requests are refused": not bad and bool(tally.malformed),
        "the ledger kept its limit": 0 < looks.fullest <= BRIEF.amount,
        "what was computed was charged": spent.computed <= spent.charged,
        "what was answered was charged": tally.cost <= spent.charged,
        "charges are exact in a quiet time": quiet.cost == later
        or (bool(quiet.gave_up) and quiet.cost < later),
        "memory is flat": growth <= room,
    }
    seconds = sorted(tally.seconds)
    return {
        "cycles": cycles,
        "answered": dict(tally.answered.most_common()),
        "failed": dict(tally.failed),
        "wrong": tally.wrong,
        "sent_again": tally.cut,
        "not_sent": tally.dropped,
        "killed_workers": rig.killed_workers,
        "malformed": dict(tally.malformed),
        "latency_ms": {
            f"p{share:g}": round(
                1000 * seconds[min(len(seconds) - 1, int(share / 100 * len(seconds)))], 2
            )
            for share in (50, 95, 99, 99.9)
        },
        "budget": {
            "limit": BRIEF.amount / MICRO,
            "fullest": looks.fullest / MICRO,
            "reads": looks.reads,
            "charged": spent.charged / MICRO,
            "by_traces": tally.cost / MICRO,
            "computed": spent.computed / MICRO,
            "quiet": {
                "answered": quiet.answered.total(),
                "charged": later / MICRO,
                "by_traces": quiet.cost / MICRO,
                "gave_up": quiet.gave_up,
            },
        },
        "memory_mb": {
            "start": round(float(memory[0, 1]), 1),
            "most": round(float(memory[:, 1].max()), 1),
            "end": round(float(memory[-1, 1]), 1),
            "second_half_growth": round(growth, 2),
            "room": round(room, 2),
        },
        "timeline_mb": [
            [round(float(at)), round(float(held), 1)]
            for at, held in memory[:: max(1, len(memory) // 60)]
        ],
        "goals": goals,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--rate", type=float, default=RATE, help="requests a second")
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        rig = Rig(Path(folder), stack)
        found = uvloop.run(soak(rig, arguments.seconds, arguments.rate))
        if not all(found["goals"].values()):
            console.print(rig.gateway.log_tail(50))
    report(console, found)
    arguments.output.parent.mkdir(exist_ok=True)
    write(
        arguments.output,
        {
            "benchmark": "gateway_soak",
            "machine": asdict(Machine.here()),
            "versions": package_versions(("tritonkit", "httptools", "uvloop", "redis", "numpy")),
            "command": f"benchmarks/gateway_soak.py --seconds {arguments.seconds:g} "
            f"--rate {arguments.rate:g}",
            "seconds": arguments.seconds,
            "rate": arguments.rate,
            **found,
        },
    )
    console.print(f"written to {arguments.output}")
    sys.exit(0 if all(found["goals"].values()) else 1)


def report(console: Console, found: dict[str, Any]) -> None:
    """In words."""
    answered = found["answered"]
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in answered.items())
    console.print(f"{sum(answered.values()):,} answered: {kinds}")
    failed = ", ".join(f"{count:,} {kind}" for kind, count in found["failed"].items())
    console.print(
        f"failed: {failed or 'none'}; wrong: {found['wrong']}; sent again: {found['sent_again']}, "
        f"by {found['killed_workers']} killed workers; not sent: {found['not_sent']}"
    )
    console.print(
        "malformed: " + ", ".join(f"{n:,} {kind}" for kind, n in found["malformed"].items())
    )
    console.print(f"latency in ms: {found['latency_ms']}")
    budget, memory = found["budget"], found["memory_mb"]
    console.print(
        f"budget: charged {budget['charged']:.3f}, answers cost {budget['by_traces']:.3f}, "
        f"computed {budget['computed']:.3f}; fullest {budget['fullest']:.3f} of "
        f"{budget['limit']:.3f} in {budget['reads']} looks"
    )
    quiet = budget["quiet"]
    console.print(
        f"in a quiet time: charged {quiet['charged']:.6f}, {quiet['answered']:,} answers cost "
        f"{quiet['by_traces']:.6f}, {quiet['gave_up']} callers gave up"
    )
    console.print(
        f"memory: {memory['start']:.1f} MB at first, {memory['most']:.1f} MB at most, "
        f"{memory['end']:.1f} MB at the end; {memory['second_half_growth']:+.2f} MB in the second "
        f"half, {memory['room']:.2f} MB allowed"
    )
    for goal, kept in found["goals"].items():
        console.print(f"{goal}: {'kept' if kept else 'MISSED'}")


if __name__ == "__main__":
    try:
        main()
    except TritonkitError as error:
        sys.exit(f"error: {error}")
