"""
Whether `tritonkit bench tune` finds what a full grid finds, with a quarter of its measurements.

For each of three models on the embedded server every point of a grid is measured once: batch
windows times instances times callers. The target lies where no point that would matter under it
is near: those near it are measured twice more before it is fixed, since at its edge only luck
says what keeps it. Then a search has the same points and a quarter of as many measurements.

The best of many noisy figures is flattered by its noise. So at the end the grid's three best and
what the search chose are measured in turn, nine rounds, each with another one first. What breaks
the target there, by the median of its p95, is out. In each round the search's choice is compared
with whichever is the best by the other rounds; the share is the median of these ratios, and it is
shown with the second smallest and the second largest of them, which hold it with 96 %.

    fraud     256-1024-128, the shape of a network that scores a payment
    known     a Python model that takes 4 ms and 0.4 ms for each row
    minilm    all-MiniLM-L6-v2 as an ensemble of tokenizer and model
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import uvloop
from judging import Judgement, Ran, contenders, judged, limit_between
from rich.console import Console
from windows import REPOSITORY, add_fraud, add_minilm

from tritonkit.bench.load.shape import Closed
from tritonkit.bench.measurement import Measurement, Point
from tritonkit.bench.plan import Plan
from tritonkit.bench.report.json import write
from tritonkit.bench.search.drive import drive_tuner
from tritonkit.bench.search.objective import Objective
from tritonkit.bench.search.prior import ServicePrior
from tritonkit.bench.search.space import works_of
from tritonkit.bench.search.target import Target, parse_target
from tritonkit.bench.search.trial import Budget, Found
from tritonkit.bench.search.tune import Tuner
from tritonkit.bench.sweep.grid import RELOAD_SECONDS, Grid, make_grid
from tritonkit.bench.sweep.stage import Stage
from tritonkit.bench.sweep.sweep import sweep
from tritonkit.bench.targets.blueprint import Blueprint
from tritonkit.errors import TritonkitError
from tritonkit.machine import Machine, package_versions
from tritonkit.server import EmbeddedServer
from tritonkit.units import format_duration

RESULT = Path(__file__).parent / "results" / "tune.json"
WINDOWS = ("0", "500us", "2ms", "5ms")
INSTANCES = ("1", "2")
CALLERS = (1, 4, 8, 16, 32, 64, 128, 256)
FINALISTS = 3
ROUNDS = 9
LOOKS = 2
"""At each contender near the target, beyond the grid's."""
FEWEST = 0.98
MOST_MEASUREMENTS = 0.25
KNOWN = """\
import time

import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        xs = [pb.get_input_tensor_by_name(request, "x").as_numpy() for request in requests]
        time.sleep(0.004 + 0.0004 * sum(len(x) for x in xs))
        return [pb.InferenceResponse([pb.Tensor("y", x)]) for x in xs]
"""
CONFIG = """\
backend: "python"
max_batch_size: 64
input [ { name: "x", data_type: TYPE_FP32, dims: [ 4 ] } ]
output [ { name: "y", data_type: TYPE_FP32, dims: [ 4 ] } ]
dynamic_batching { }
instance_group [ { kind: KIND_CPU, count: 1 } ]
"""


@dataclass(frozen=True, slots=True)
class Subject:
    """
    What is searched.

    Args:
        plan: How each point is measured: long enough for the slowest answer.
        windows: To choose from.
        callers: To choose from.
        on: The part of an ensemble that is changed; empty for the model itself.
    """

    plan: Plan
    windows: Sequence[str] = WINDOWS
    callers: Sequence[int] = CALLERS
    on: str = ""


SUBJECTS = {
    "fraud": Subject(Plan(duration=1.0, warmup=0.3)),
    "known": Subject(Plan(duration=1.0, warmup=0.3)),
    # Its answers take up to a second.
    "minilm": Subject(
        Plan(duration=1.5, warmup=0.7), ("0", "1ms", "5ms"), (1, 2, 4, 8, 12, 16, 24, 32)
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Final:
    """One of those that were measured in turn at the end; medians of its rounds."""

    point: str
    rate: float
    p95_ms: float
    holds: bool
    searched: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one model gave; rates in infer/s."""

    model: str
    target: str
    points: int
    keep_target: int
    share_of_best: float
    share_low: float
    share_high: float
    share_of_measurements: float
    sure: float
    predicted: float | None
    verified: float | None
    finals: list[Final]

    def __str__(self) -> str:
        met = self.share_of_best >= FEWEST and self.share_of_measurements <= MOST_MEASUREMENTS
        ending = "" if met else "  (MISSED)"
        if not any(final.holds for final in self.finals[:FINALISTS]):
            ending = "  (NO VERDICT: the grid's best break the target in turn; the machine is busy)"
        return (
            f"{self.model}: {100 * self.share_of_best:.1f} % of the grid's best "
            f"({100 * self.share_low:.1f} to {100 * self.share_high:.1f}) under {self.target}, "
            f"with {100 * self.share_of_measurements:.0f} % of its "
            f"{self.points} measurements{ending}"
        )


def main() -> None:
    """Serve, measure the grid, search, compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--quick", action="store_true", help="fewer points, two models, no proof")
    parser.add_argument("--model", action="append", choices=SUBJECTS, help="only this one; again")
    options = parser.parse_args()
    names = options.model or (["fraud", "known"] if options.quick else list(SUBJECTS))
    console = Console(width=110, highlight=False)
    add_fraud()
    add_known()
    subjects = {name: halved(name, options.quick) for name in names}
    if "minilm" in names:
        subjects["minilm"] = replace(subjects["minilm"], on=add_minilm(console))
    try:
        with EmbeddedServer(REPOSITORY, model_control_mode="explicit", load_models=names) as server:
            outcomes = [
                uvloop.run(compare(console, name, subject, server.http_url))
                for name, subject in subjects.items()
            ]
    except TritonkitError as error:
        sys.exit(f"error: {error}")
    console.print()
    for outcome in outcomes:
        console.print(str(outcome))
    if options.quick or options.model:
        return
    machine = asdict(Machine.here())
    write(
        RESULT,
        {
            "benchmark": "tune",
            "command": "make bench-tune",
            "machine": machine,
            "versions": package_versions(("tritonkit", "numpy", "uvloop")),
            "outcomes": [asdict(outcome) for outcome in outcomes],
        },
    )
    console.print(f"\nwritten to {RESULT}")


def halved(name: str, quick: bool) -> Subject:
    """What is searched, or where *quick* half of it."""
    found = SUBJECTS[name]
    if not quick:
        return found
    return Subject(replace(found.plan, duration=0.5), found.windows[::2], found.callers)


def add_known() -> None:
    """The model whose time is known, as the server finds it."""
    folder = REPOSITORY / "known"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "model.py").write_text(KNOWN)
    (folder / "config.pbtxt").write_text(CONFIG)


async def compare(console: Console, model: str, subject: Subject, url: str) -> Outcome:
    """The grid, the search, and the best of both in turn."""
    async with Stage(Blueprint(model=model, url=url), subject.plan, on=subject.on) as stage:
        loads = [Closed(number) for number in subject.callers]
        values = {"max_queue_delay": subject.windows, "instances": INSTANCES}
        grid = make_grid(values, loads, check=stage.fits)
        measured = [
            outcome.entry.measurement
            async for outcome in sweep(grid, stage.measure, stage)
            if outcome.entry.measurement is not None
        ]
        settled, target = await settle(stage, measured)
        objective = Objective(target=target)
        kept = sorted(filter(target.holds, settled), key=objective.value, reverse=True)
        console.print(f"\n{model}: {len(measured)} points, {len(kept)} keep {target}; the best are")
        for best in kept[:FINALISTS]:
            console.print(f"  {shown(best)}")
        console.print("searched:")
        found = await search(console, stage, grid, objective)
        points = [one.point for one in kept[:FINALISTS]]
        if found.best is not None and found.best not in points:
            points.append(found.best)
        runs = await in_turn(stage, points)
        finals = [
            Final(
                point=str(point),
                rate=statistics.median(map(objective.value, own)),
                p95_ms=statistics.median(map(p95, own)) / 1e3,
                holds=statistics.median(map(p95, own)) / 1e6 < target.named[0].limit,
                searched=point == found.best,
            )
            for point, own in zip(points, runs, strict=True)
        ]
        console.print("in turn:")
        for final in finals:
            console.print(
                f"  {final.point}: {final.rate:,.0f}/s, p95 {final.p95_ms:.1f} ms"
                f"{'' if final.holds else ', breaks the target'}"
                f"{', searched' if final.searched else ''}"
            )
        judgement = Judgement(0.0, 0.0, 0.0)
        if found.best is not None:
            rounds = [[ran(run) for run in own] for own in runs]
            at = points.index(found.best)
            others = [own for index, own in enumerate(rounds) if index != at]
            judgement = judged(rounds[at], others, target.named[0].limit * 1e6)
        return Outcome(
            model=model,
            target=str(target),
            points=grid.size,
            keep_target=len(kept),
            share_of_best=judgement.share,
            share_low=judgement.low,
            share_high=judgement.high,
            share_of_measurements=found.spent / grid.size,
            sure=found.sure,
            predicted=found.predicted,
            verified=None if found.measurement is None else objective.value(found.measurement),
            finals=finals,
        )


def p95(measurement: Measurement) -> float:
    """In microseconds."""
    return measurement.latency.percentiles_us[95.0]


def shown(measurement: Measurement) -> str:
    """The point with the figures that count."""
    rate = f"{measurement.inferences_per_second:,.0f}/s"
    return f"{measurement.point}: {rate}, p95 {format_duration(p95(measurement) / 1e6)}"


def ran(measurement: Measurement) -> Ran:
    """What the judgement is about."""
    return Ran(measurement.inferences_per_second, p95(measurement))


async def settle(stage: Stage, measured: Sequence[Measurement]) -> tuple[list[Measurement], Target]:
    """
    The grid with the middle one of three runs for what would matter near the target, and that.

    About half of the grid keeps it, and no contender is at its edge as far as can be seen.
    """
    settled = list(measured)
    values = sorted(map(p95, measured))
    lowest, highest = values[len(values) // 3], values[2 * len(values) // 3]
    limit = limit_between(list(map(ran, settled)), lowest, highest)
    near = contenders(list(map(ran, settled)), limit)
    looks = {index: [measured[index]] for index in near}
    for _ in range(LOOKS):
        for index in near:
            await stage.apply(measured[index].point.settings)
            looks[index].append(await stage.measure(measured[index].point))
    for index, own in looks.items():
        settled[index] = sorted(own, key=lambda one: one.inferences_per_second)[len(own) // 2]
    limit = limit_between(list(map(ran, settled)), limit / 1.5, limit * 1.5)
    return settled, parse_target(f"p95 < {limit / 1e3:.3g}ms")


async def search(console: Console, stage: Stage, grid: Grid, objective: Objective) -> Found:
    """As `tritonkit bench tune` does, with a quarter of the grid's measurements."""
    points = list(grid.points)
    changed = stage.changed()
    works = works_of(points, lambda _: stage.served().configs[changed])
    plan = stage.plan
    assert plan.duration is not None
    tuner = Tuner(
        points,
        objective,
        prior=ServicePrior(works, points, objective, model=changed),
        budget=Budget(measurements=MOST_MEASUREMENTS * grid.size),
        seconds=plan.duration,
        change_seconds=RELOAD_SECONDS,
        warmup=plan.warmup,
    )

    async def measure(point: Point, seconds: float) -> Measurement:
        return await stage.measure(point, seconds=seconds)

    async for told in drive_tuner(tuner, measure, stage):
        if told.measurement is not None:
            console.print(f"  {told.trial.purpose:7} {shown(told.measurement)}")
    return tuner.found()


async def in_turn(stage: Stage, points: Sequence[Point]) -> list[list[Measurement]]:
    """Each in every round, as long as a point of the grid."""
    runs: list[list[Measurement]] = [[] for _ in points]
    for number in range(ROUNDS):
        for at in range(len(points)):
            place = (number + at) % len(points)
            await stage.apply(points[place].settings)
            runs[place].append(await stage.measure(points[place]))
    return runs


if __name__ == "__main__":
    main()
