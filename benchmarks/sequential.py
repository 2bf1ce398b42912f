"""
What looking at an experiment after every unit costs, in false alarms and in units.

Simulated streams with fixed seeds; nothing here depends on the machine but the last table.

    false alarms    shares of A/A experiments that are ever called different, at alpha 0.05,
                    and of samples whose mean ever leaves a sequence of its own
    units           until an effect is seen: a test of one look at the end, the plan, and
                    what simulated experiments took, the median and nine of ten
    verdicts        rows until a shadow's rate of disagreement is known to be above or
                    below what is tolerated
    widths          of intervals, beside those of one look
    a look          microseconds that one takes
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from math import exp, log, sqrt
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tritonkit.bench.report.json import write
from tritonkit.client.statistics.means import (
    LEAST,
    difference_sequence,
    difference_variance,
    radius,
)
from tritonkit.client.statistics.moments import Moments
from tritonkit.client.statistics.planning import plan_mean, plan_threshold
from tritonkit.client.statistics.proportions import (
    critical_above,
    critical_below,
    evidence_above,
    proportion_sequence,
)
from tritonkit.client.statistics.quantiles import quantile_difference, quantile_sequence
from tritonkit.client.statistics.rates import Trials, rate_difference
from tritonkit.client.statistics.sample_ratio import sample_ratios
from tritonkit.errors import TritonkitError
from tritonkit.machine import Machine, package_versions

RESULT = Path(__file__).parent / "results" / "sequential.json"
ALPHA = 0.05
UNITS = 10_000
CHUNK = 50
"""Streams simulated together, so that memory stays small."""

Floats = NDArray[np.float64]
Rows = dict[str, dict[str, float]]

DRAWS: Mapping[str, Callable[[np.random.Generator, tuple[int, int]], Floats]] = {
    "normal": lambda chance, shape: chance.normal(size=shape),
    "rate of 5 %": lambda chance, shape: (chance.random(shape) < 0.05).astype(float),
    "rate of 0.5 %": lambda chance, shape: (chance.random(shape) < 0.005).astype(float),
    "lognormal, sigma 1": lambda chance, shape: chance.lognormal(size=shape),
    "lognormal, sigma 2": lambda chance, shape: chance.lognormal(sigma=2.0, size=shape),
}

MEANS = {
    "normal": 0.0,
    "rate of 5 %": 0.05,
    "rate of 0.5 %": 0.005,
    "lognormal, sigma 1": exp(0.5),
    "lognormal, sigma 2": exp(2.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--runs", type=int, default=1000, help="streams of each simulation")
    options = parser.parse_args()
    console = Console(width=110, highlight=False)
    result: dict[str, Any] = {
        "false_alarms": false_alarms(options.runs),
        "units": units(options.runs),
        "verdicts": verdicts(options.runs),
        "sample_ratio": splits(options.runs),
        "widths": widths(),
        "look_us": looks(),
    }
    report(console, result, options.runs)


def false_alarms(runs: int) -> Rows:
    """Of two equal arms, by a test at each look and by the sequence."""
    found: Rows = {}
    for name, draw in DRAWS.items():
        chance = np.random.default_rng(1)
        ever = {
            "one look": 0,
            "20 looks": 0,
            "every unit": 0,
            "sequence": 0,
            "a tenth treated": 0,
            "one mean": 0,
        }
        for _ in range(0, runs, CHUNK):
            values = draw(chance, (CHUNK, UNITS))
            off, raw, variance, ready = difference(values, chance.random(values.shape) < 0.5)
            score = np.where(ready, off**2 / np.maximum(raw, 1e-300), 0)
            n = np.arange(1, UNITS + 1)
            reach = radius(n, n * variance, alpha=ALPHA, tuned_for=UNITS)
            called = score > 1.96**2
            ever["one look"] += int(called[:, -1].sum())
            ever["20 looks"] += int(called[:, UNITS // 20 - 1 :: UNITS // 20].any(axis=1).sum())
            ever["every unit"] += int(called.any(axis=1).sum())
            ever["sequence"] += int(((abs(off) > reach) & ready).any(axis=1).sum())
            ever["a tenth treated"] += int(tenth(values, chance).sum())
            ever["one mean"] += int(outside(values, MEANS[name]).sum())
        found[name] = {way: count / runs for way, count in ever.items()}
    return found


def tenth(values: Floats, chance: np.random.Generator) -> NDArray[np.bool_]:
    """Whether the sequence ever calls a tenth of the units different from the others."""
    off, _, variance, ready = difference(values, chance.random(values.shape) < 0.1)
    n = np.arange(1, UNITS + 1)
    called = (abs(off) > radius(n, n * variance, alpha=ALPHA, tuned_for=UNITS)) & ready
    return np.asarray(called.any(axis=1))


def outside(values: Floats, true: float) -> NDArray[np.bool_]:
    """Whether the mean of all units is ever outside of a sequence of its own."""
    n = np.arange(1, UNITS + 1)
    mean = np.cumsum(values, axis=1) / n
    squares = np.cumsum(values**2, axis=1) - n * mean**2
    reach = radius(n, np.maximum(squares, 0) / np.maximum(n - 1, 1), alpha=ALPHA, tuned_for=UNITS)
    missed = (abs(mean - true) > reach) & (squares > 1e-9) & (n >= LEAST)
    return np.asarray(missed.any(axis=1))


def difference(
    values: Floats, treated: NDArray[np.bool_]
) -> tuple[Floats, Floats, Floats, NDArray[np.bool_]]:
    """After each unit: of the means, the variance by a test and by the sequence, and if any is."""
    counts, means, spreads, ready = [], [], [], np.ones(values.shape, np.bool_)
    for kept in (treated, ~treated):
        n = np.cumsum(kept, axis=1)
        some = np.maximum(n, 2)
        mean = np.cumsum(np.where(kept, values, 0), axis=1) / some
        squares = np.cumsum(np.where(kept, values**2, 0), axis=1)
        spreads.append(np.maximum(squares - some * mean**2, 0) / (some - 1))
        counts.append(some)
        ready &= n >= LEAST
        means.append(mean)
    first_arm, second_arm = difference_variance((counts[0], counts[1]), (spreads[0], spreads[1]))
    variance = first_arm + second_arm
    raw = spreads[0] / counts[0] + spreads[1] / counts[1]
    return means[0] - means[1], raw, variance, ready & (variance > 0)


def units(runs: int) -> Rows:
    """Until a tenth of a deviation is seen that was planned for, and until others are."""
    plan = plan_mean(0.1, 1.0, alpha=ALPHA)
    found: Rows = {}
    for effect in (0.1, 0.15, 0.2, 0.3):
        chance = np.random.default_rng(2)
        taken: list[int] = []
        pairs = 3 * plan.units // 2
        n = np.arange(1, pairs + 1)
        for _ in range(0, runs, CHUNK):
            apart = chance.normal(effect, sqrt(2), (CHUNK, pairs))
            mean = np.cumsum(apart, axis=1) / n
            variance = np.maximum(np.cumsum(apart**2, axis=1) / n - mean**2, 0)
            seen = abs(mean) > radius(n, variance, alpha=ALPHA, tuned_for=plan.tuned_for / 2)
            seen[:, : LEAST - 1] = False
            taken += (2 * first(seen)).tolist()
        fixed = plan_mean(effect, 1.0, alpha=ALPHA)
        found[f"{effect:g}"] = {
            "fixed": fixed.fixed,
            "plan": fixed.units,
            "median": float(np.median(taken)),
            "nine_of_ten": float(np.quantile(taken, 0.9)),
        }
        if effect == 0.1:
            found["0.1"]["seen_by_the_plan"] = float(np.mean(np.array(taken) <= plan.units))
    with_past = plan_mean(0.1, 1.0, alpha=ALPHA, correlation=0.7)
    found["0.1, CUPED at rho 0.7"] = {"fixed": with_past.fixed, "plan": with_past.units}
    return found


def verdicts(runs: int) -> Rows:
    """Rows until 1 % of disagreement is known to be kept, or not to be."""
    tolerated = 0.01
    found: Rows = {}
    for rate in (0.0, 0.002, 0.005, 0.02, 0.03, 0.1):
        plan = plan_threshold(rate, tolerated, alpha=ALPHA)
        n = np.arange(1, 4 * plan.units + 1)
        chance = np.random.default_rng(3)
        taken: list[int] = []
        right = critical_above if rate > tolerated else critical_below
        border = right(n, tolerated, alpha=ALPHA)
        for _ in range(0, runs, CHUNK):
            counts = np.cumsum(chance.random((CHUNK, len(n))) < rate, axis=1)
            taken += first(counts >= border if rate > tolerated else counts <= border).tolist()
        found[f"{rate:.1%}"] = {
            "fixed": plan.fixed,
            "plan": plan.units,
            "median": float(np.median(taken)),
            "nine_of_ten": float(np.quantile(taken, 0.9)),
        }
    n = np.arange(1, UNITS + 1)
    counts = np.cumsum(np.random.default_rng(4).random((runs, UNITS)) < tolerated, axis=1)
    for name, wrong in (
        ("promoted", counts <= critical_below(n, tolerated, alpha=ALPHA)),
        ("rejected", counts >= critical_above(n, tolerated, alpha=ALPHA)),
    ):
        found[f"wrongly {name} at 1.0%"] = {"share": float(wrong.any(axis=1).mean())}
    return found


def splits(runs: int) -> Rows:
    """Units until a wrong split is called so, at alpha 0.001; and how often a right one is."""
    found: Rows = {}
    most = 60_000
    n = np.arange(1, most + 1)
    for share in (0.5, 0.49, 0.48, 0.45):
        chance = np.random.default_rng(5)
        taken: list[int] = []
        for _ in range(0, runs, CHUNK):
            one = np.cumsum(chance.random((CHUNK, most)) < share, axis=1)
            evidence = sample_ratios(np.stack([one, n - one], axis=-1), (1, 1))
            taken += first(evidence >= log(1000)).tolist()
        called = float(np.mean(np.array(taken) <= most))
        found[f"{share:.0%}"] = {f"called_by_{most}": called}
        if called > 0.9:
            found[f"{share:.0%}"] |= {
                "median": float(np.median(taken)),
                "nine_of_ten": float(np.quantile(taken, 0.9)),
            }
    return found


def first(seen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """At which unit each stream is decided; beyond the last where it is not."""
    at: NDArray[np.int64] = np.where(seen.any(axis=1), seen.argmax(axis=1) + 1, seen.shape[1] + 1)
    return at


def widths() -> dict[str, Rows]:
    """Of the sequence, as multiples of what an interval for one look has."""
    chance = np.random.default_rng(6)
    found: dict[str, Rows] = {"mean": {}, "rate": {}, "difference of rates": {}, "p95": {}}
    for n in (200, 1000, 10_000, 100_000):
        once = 2 * 1.96 / sqrt(n)
        found["mean"][f"{n}"] = {
            f"tuned for {tuned}": float(2 * radius(n, 1.0, alpha=ALPHA, tuned_for=tuned)) / once
            for tuned in (1000, 10_000, 100_000)
        }
        rate = 2 * 1.96 * sqrt(0.1 * 0.9 / n)
        exact = proportion_sequence(n // 10, n, alpha=ALPHA)
        found["rate"][f"{n}"] = {"exact": exact.width / rate}
        arms = Trials(n // 10, n), Trials(n // 10, n)
        moments = [Moments.of_counts(int(arm.successes), n) for arm in arms]
        asymptotic = difference_sequence(moments[0], moments[1], alpha=ALPHA, tuned_for=2 * n)
        found["difference of rates"][f"{n}"] = {
            "exact": rate_difference(*arms, alpha=ALPHA).width / rate / sqrt(2),
            "tuned for it": asymptotic.width / rate / sqrt(2),
        }
        values = np.sort(chance.lognormal(0, 0.5, n))
        spread = 1.96 * sqrt(0.95 * 0.05 * n)
        ends = values[[int(0.95 * n - spread), min(n - 1, int(0.95 * n + spread))]]
        one = quantile_sequence(values, 0.95, alpha=ALPHA)
        found["p95"][f"{n}"] = {"exact": one.width / float(ends[1] - ends[0])}
    return found


def looks() -> dict[str, float]:
    """The fastest of 50 of each, in microseconds, at 10,000 units an arm."""
    chance = np.random.default_rng(7)
    first_arm, second_arm = chance.lognormal(size=(2, 10_000))
    moments = Moments.of(first_arm), Moments.of(second_arm)
    arms = Trials(1000, 10_000), Trials(1100, 10_000)
    calls: dict[str, Callable[[], object]] = {
        "rate": lambda: proportion_sequence(1000, 10_000),
        "evidence of a rate": lambda: evidence_above(1000, 10_000, 0.09),
        "difference of means": lambda: difference_sequence(*moments),
        "difference of rates, exact": lambda: rate_difference(*arms),
        "p95": lambda: quantile_sequence(first_arm, 0.95),
        "difference of p95": lambda: quantile_difference(first_arm, second_arm, 0.95),
        "sample ratio": lambda: sample_ratios((5000, 5100), (1, 1)),
    }
    found = {}
    for name, call in calls.items():
        took = []
        for _ in range(50):
            start = perf_counter_ns()
            call()
            took.append((perf_counter_ns() - start) / 1000)
        found[name] = min(took)
    return found


def report(console: Console, result: Mapping[str, Any], runs: int) -> None:
    titles = {
        "false_alarms": f"A/A experiments called different, {UNITS:,} units, alpha {ALPHA:g}",
        "units": "Units until an effect is seen, in standard deviations; planned for 0.1",
        "verdicts": "Rows until a rate of disagreement is known to be above or below 1 %",
        "sample_ratio": "Units until a split meant to be 50 % is called wrong, alpha 0.001",
    }
    for key, title in titles.items():
        show(console, title, result[key])
    for name, rows in result["widths"].items():
        show(console, f"Width of {name} by units of an arm, one look = 1", rows)
    show(
        console,
        "A look, at 10,000 units an arm",
        {k: {"us": v} for k, v in result["look_us"].items()},
    )
    RESULT.parent.mkdir(exist_ok=True)
    write(
        RESULT,
        {
            "benchmark": "sequential",
            "command": "python benchmarks/sequential.py",
            "machine": asdict(Machine.here()),
            "versions": package_versions(("tritonkit", "numpy")),
            "alpha": ALPHA,
            "runs": runs,
            "units_of_false_alarms": UNITS,
            **result,
        },
    )
    console.print(f"written to {RESULT}")


def show(console: Console, title: str, rows: Rows) -> None:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    for column in ("", *columns):
        table.add_column(column.replace("_", " "), justify="right" if column else "left")
    for name, row in rows.items():
        table.add_row(name, *(number(row[c]) if c in row else "" for c in columns))
    console.print(table)


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    try:
        main()
    except TritonkitError as error:
        sys.exit(f"error: {error}")
