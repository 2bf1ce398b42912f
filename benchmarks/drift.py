"""
Whether drift is found in the stated number of rows, how often in vain, and what a call pays.

    falls       an accuracy of 94 %, known from 5,000 labels, falls to 89 %; each seed has
                labels of its own, and 2,000 rows before the fall
    shifts      one of three inputs moves by half a standard deviation, at a random row
    streams     a million rows without drift each: independent ones, with an
                autocorrelation of 0.9, and with a season of half a standard deviation
    calls       a call through Drift and Cache on top of one through Cache: a row that
                nobody asked for before, and one that is kept, by a call and at once

Falls, shifts and streams go through the very classes that the layer drives.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict
from math import sqrt
from pathlib import Path
from statistics import median
from time import perf_counter_ns
from typing import Any

import numpy as np
import uvloop
from numpy.typing import NDArray
from rich.console import Console

from tritonkit.bench.report.json import write
from tritonkit.client import Cache, Drift, InferRequest, Layer, Profile, Stack
from tritonkit.client.drift.evidence import windows_to_find
from tritonkit.client.drift.rates import FallDetector, rows_to_find
from tritonkit.client.drift.watch import DROP, RUN_LENGTH, Watch
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.machine import Machine, package_versions

RESULT = Path(__file__).parent / "results" / "drift.json"
LABELS = 5000
BEFORE, AFTER = 0.94, 0.89
SHIFT = 0.5
SIZE = 64
SLICE = 5000

Floats = NDArray[np.float64]
Stream = Callable[[np.random.Generator, int], Floats]


def falls(seeds: int) -> dict[str, Any]:
    """All seeds at a time, as Accuracy has it."""
    chance = np.random.default_rng(1)
    stated = rows_to_find(BEFORE, AFTER, reference=LABELS)
    known = chance.binomial(LABELS, BEFORE, seeds) / LABELS
    rates = known - DROP - 1.645 * np.sqrt(known * (1 - known) / LABELS)
    bets = len(FallDetector(0.5).factors(np.ones(1))[0])
    right = np.stack([FallDetector(rate).factors(np.array([1.0, 0.0])) for rate in rates])
    evidence = np.zeros((seeds, bets))
    early, found = np.zeros(seeds, np.bool_), np.full(seeds, -1)
    before = 2000
    for row in range(before + 3 * stated):
        good = chance.random(seeds) < (BEFORE if row < before else AFTER)
        evidence = np.minimum(
            (evidence + 1) * np.where(good[:, None], right[:, 0], right[:, 1]), 1e100
        )
        reached = evidence.mean(axis=1) >= RUN_LENGTH
        if row < before:
            early |= reached
        found[(found < 0) & reached] = row + 1 - before
    late = np.where(found < 0, 3 * stated, found)
    return {
        "seeds": seeds,
        "stated_rows": stated,
        "found_within_stated": float((late <= stated).mean()),
        "rows_median": float(np.median(late)),
        "rows_p95": float(np.quantile(late, 0.95)),
        "alarms_before": int(early.sum()),
    }


def independent(chance: np.random.Generator, rows: int) -> Floats:
    return chance.standard_normal((rows, 3))


def autocorrelated(chance: np.random.Generator, rows: int) -> Floats:
    found = chance.standard_normal((rows, 3)) * sqrt(1 - 0.9**2)
    for row in range(1, rows):
        found[row] += 0.9 * found[row - 1]
    return found


def seasonal(chance: np.random.Generator, rows: int) -> Floats:
    season = SHIFT * np.sin(2 * np.pi * np.arange(rows) / 1000)
    return season[:, None] + chance.standard_normal((rows, 3))


STREAMS: Mapping[str, Stream] = {
    "independent": independent,
    "autocorrelated": autocorrelated,
    "seasonal": seasonal,
}


def classes(x: Floats) -> Floats:
    """What the model answers: two classes."""
    one = 1 / (1 + np.exp(-3 * x[:, :1]))
    return np.concatenate([one, 1 - one], axis=1)


def profile_of(stream: Stream, seed: int) -> Profile:
    chance = np.random.default_rng(seed)
    x = stream(chance, LABELS)
    p = classes(x)
    labels = np.where(chance.random(LABELS) < p[:, 0], 0, 1)
    return Profile.of("m", {"x": x}, {"p": p}, labels=labels)


def shifts(seeds: int) -> dict[str, Any]:
    delays = []
    early = 0
    profiles = [profile_of(independent, 100 + number) for number in range(5)]
    scales = profiles[0].scales
    features = len(profiles[0].watched)
    stated = int(windows_to_find(RUN_LENGTH / scales[0], features, len(scales))) * scales[0]
    for seed in range(seeds):
        chance = np.random.default_rng(1000 + seed)
        watch = Watch(profiles[seed % len(profiles)])
        before = int(chance.integers(1000, 2000))
        early += len(seen(watch, independent(chance, before)))
        delay = 0
        while delay < 3 * stated:
            x = independent(chance, 20)
            x[:, 1] += SHIFT
            delay += 20
            if any(alert.feature == "input x[1]" for alert in seen(watch, x)):
                break
        delays.append(delay)
    return {
        "seeds": seeds,
        "deviations": SHIFT,
        "features": features,
        "stated_rows": stated,
        "found_within_stated": float((np.array(delays) <= stated).mean()),
        "rows_median": float(np.median(delays)),
        "rows_max": max(delays),
        "alarms_before": early,
    }


def seen(watch: Watch, x: Floats) -> list[Any]:
    return watch.see({"x": x}, {"p": classes(x)}, np.ones(len(x), np.bool_), 1.0)


def streams(rows: int, seeds: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, stream in STREAMS.items():
        alerts = []
        for seed in range(seeds):
            chance = np.random.default_rng(10_000 + seed)
            watch = Watch(profile_of(stream, 20_000 + seed))
            live = stream(chance, rows)
            for start in range(0, rows, SLICE):
                alerts += [alert.feature for alert in seen(watch, live[start : start + SLICE])]
        found[name] = {"rows": rows, "seeds": seeds, "alerts": alerts}
    return found


class Nothing(FakeTransport):
    """Answers after one turn of the event loop, and remembers nothing."""

    def __init__(self) -> None:
        parameters = {
            "tritonkit.model_digest": {"string_value": "m"},
            "tritonkit.batch_invariant": {"string_value": "true"},
        }
        super().__init__(
            self.answer,
            inputs={"x": (SIZE,)},
            outputs={"y": (SIZE,)},
            config={"parameters": parameters},
        )

    async def answer(self, request: InferRequest) -> Mapping[str, Any]:
        await asyncio.sleep(0)
        self.requests.clear()
        return {"y": request.inputs["x"]}


async def calls(rounds: int, count: int) -> dict[str, Any]:
    x = np.random.default_rng(1).standard_normal((1000, SIZE)).astype(np.float32)
    profile = Profile.of("m", {"x": x}, {"y": x})
    layers: dict[str, list[Layer]] = {
        "Cache": [Cache()],
        "Drift 1 %, Cache": [Drift(profile), Cache()],
        "Drift all, Cache": [Drift(profile, share=1, most=1e9), Cache()],
    }
    stacks = {name: Stack(Nothing(), each) for name, each in layers.items()}
    chance = np.random.default_rng(2)
    kinds = ("miss", "hit", "hit at once")
    medians: dict[str, dict[str, list[float]]] = {
        kind: {name: [] for name in stacks} for kind in kinds
    }
    for number in range(rounds + 1):
        times: dict[str, dict[str, list[float]]] = {
            kind: {name: [] for name in stacks} for kind in kinds
        }
        for _ in range(count):
            for name in chance.permutation(list(stacks)).tolist():
                row = chance.standard_normal((1, SIZE), dtype=np.float32)
                request = InferRequest(model="m", inputs={"x": row})
                stack = stacks[name]
                for kind in kinds:
                    began = perf_counter_ns()
                    if kind == "hit at once":
                        stack.now(request)
                    else:
                        await stack(request)
                    times[kind][name].append((perf_counter_ns() - began) / 1e3)
        # The first round warms up.
        for kind in kinds if number else ():
            for name in stacks:
                medians[kind][name].append(median(times[kind][name]))
    for stack in stacks.values():
        await stack.aclose()
    on_top = {
        kind: {
            name: median(a - b for a, b in zip(of[name], of["Cache"], strict=True))
            for name in stacks
            if name != "Cache"
        }
        for kind, of in medians.items()
    }
    return {"rounds": rounds, "calls": count, "call_us": medians, "on_top_us": on_top}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--streams", type=int, default=3, help="of each kind")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=1000)
    arguments = parser.parse_args()
    console = Console(highlight=False)
    fallen = falls(arguments.seeds)
    console.print(
        f"accuracy {BEFORE:.0%} to {AFTER:.0%}: found within {fallen['stated_rows']} rows in "
        f"{fallen['found_within_stated']:.1%} of {fallen['seeds']} seeds (median "
        f"{fallen['rows_median']:.0f}); {fallen['alarms_before']} alarms before"
    )
    shifted = shifts(arguments.seeds // 5)
    console.print(
        f"a shift of {SHIFT} deviations: found within {shifted['stated_rows']} rows in "
        f"{shifted['found_within_stated']:.1%} of {shifted['seeds']} seeds (median "
        f"{shifted['rows_median']:.0f}, most {shifted['rows_max']}); "
        f"{shifted['alarms_before']} alarms before"
    )
    quiet = streams(arguments.rows, arguments.streams)
    for name, it in quiet.items():
        console.print(
            f"no drift, {name}: {len(it['alerts'])} alerts in {it['seeds']} streams of "
            f"{it['rows']:,} rows; stated: one in {RUN_LENGTH / it['rows']:.0f} streams at most"
        )
    overhead = uvloop.run(calls(arguments.rounds, arguments.calls))
    for kind, on_top in overhead["on_top_us"].items():
        parts = ", ".join(f"{name}: {micros:.1f} us" for name, micros in on_top.items())
        console.print(f"on top of a {kind}: {parts}")
    RESULT.parent.mkdir(exist_ok=True)
    write(
        RESULT,
        {
            "benchmark": "drift",
            "machine": asdict(Machine.here()),
            "versions": package_versions(("tritonkit", "uvloop", "numpy")),
            "run_length_rows": RUN_LENGTH,
            "reference_rows": LABELS,
            "fall": fallen,
            "shift": shifted,
            "no_drift": quiet,
            "calls": overhead,
        },
    )
    console.print(f"written to {RESULT}")


if __name__ == "__main__":
    main()
