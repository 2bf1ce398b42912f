"""
Whether `tritonkit bench tune` finds what a full grid finds, with a quarter of its measurements.

For each of three models on the embedded server every point of a grid is measured once: batch
windows times instances times callers. The target is the median of the grid's p95, so half of the
grid keeps it. Then a search has the same points and a quarter of as many measurements. At the end
the best of either is measured in turn, three times each, since the best of many noisy figures is
flattered by its noise: the share is that of these runs.

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
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop
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
from tritonkit.machine import Machine
from tritonkit.server import EmbeddedServer
from tritonkit.units import format_duration

RESULT = Path(__file__).parent / "results" / "tune.json"
WINDOWS = ("0", "500us", "1ms", "2ms", "5ms")
INSTANCES = ("1", "2")
CALLERS = (1, 4, 8, 16, 32, 64, 128, 256)
DUELS = 3
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
class Outcome:
    """What one model gave; rates in infer/s."""

    model: str
    target: str
    points: int
    grid_best: str
    grid_rate: float
    tune_best: str
    share_of_best: float
    share_of_measurements: float
    sure: float
    predicted: float | None
    verified: float | None
    grid_holds: bool
    tune_holds: bool


def main() -> None:
    """Serve, measure the grid, search, compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--quick", action="store_true", help="two models and few points")
    quick = parser.parse_args().quick
    console = Console(width=110, highlight=False)
    add_fraud()
    add_known()
    short = Plan(duration=0.5 if quick else 1.0, warmup=0.2 if quick else 0.3)
    plans = {"fraud": short, "known": short}
    if not quick:
        add_minilm(console)
        plans["minilm"] = Plan(duration=1.5, warmup=0.5)
    callers = (1, 8, 32, 128) if quick else CALLERS
    windows = WINDOWS[::2] if quick else WINDOWS
    try:
        with EmbeddedServer(REPOSITORY, model_control_mode="explicit", load_models=["*"]) as server:
            outcomes = [
                uvloop.run(compare(console, model, plan, server.http_url, windows, callers))
                for model, plan in plans.items()
            ]
    except TritonkitError as error:
        sys.exit(f"error: {error}")
    for outcome in outcomes:
        console.print(
            f"{outcome.model}: {100 * outcome.share_of_best:.1f} % of the grid's best under "
            f"{outcome.target}, with {100 * outcome.share_of_measurements:.0f} % of its "
            f"measurements"
        )
    if quick:
        return
    machine = asdict(Machine.here())
    write(RESULT, {"machine": machine, "outcomes": [asdict(outcome) for outcome in outcomes]})
    console.print(f"\nwritten to {RESULT}")


def add_known() -> None:
    """The model whose time is known, as the server finds it."""
    folder = REPOSITORY / "known"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "model.py").write_text(KNOWN)
    (folder / "config.pbtxt").write_text(CONFIG)


async def compare(
    console: Console,
    model: str,
    plan: Plan,
    url: str,
    windows: Sequence[str],
    callers: Sequence[int],
) -> Outcome:
    """The grid, the search, and the best of both in turn."""
    async with Stage(Blueprint(model=model, url=url), plan) as stage:
        loads = [Closed(number) for number in callers]
        grid = make_grid(
            {"max_queue_delay": windows, "instances": INSTANCES}, loads, check=stage.fits
        )
        measured = [
            outcome.entry.measurement
            async for outcome in sweep(grid, stage.measure, stage)
            if outcome.entry.measurement is not None
        ]
        target = median_target(measured)
        objective = Objective(target=target)
        kept = [one for one in measured if target.holds(one)]
        best = max(kept, key=objective.value)
        console.print(
            f"\n{model}: {len(measured)} points, {len(kept)} keep {target}; the best is "
            f"{best.point}, {objective.show(objective.value(best))}"
        )
        found = await search(console, stage, grid, objective)
        if found.best is None:
            sys.exit(f"error: the search of {model} found nothing that keeps {target}")
        ours, theirs = await duel(stage, found.best, best.point)
        share = statistics.median(
            objective.value(a) / objective.value(b) for a, b in zip(ours, theirs, strict=True)
        )
        verified = None if found.measurement is None else objective.value(found.measurement)
        return Outcome(
            model=model,
            target=str(target),
            points=grid.size,
            grid_best=str(best.point),
            grid_rate=statistics.median(map(objective.value, theirs)),
            tune_best=str(found.best),
            share_of_best=1.0 if found.best == best.point else share,
            share_of_measurements=found.spent / grid.size,
            sure=found.sure,
            predicted=found.predicted,
            verified=verified,
            grid_holds=sum(map(target.holds, theirs)) > DUELS / 2,
            tune_holds=sum(map(target.holds, ours)) > DUELS / 2,
        )


def median_target(measured: Sequence[Measurement]) -> Target:
    """A limit that half of the grid keeps, in whole tenths of a millisecond."""
    middle = statistics.median(one.latency.percentiles_us[95.0] for one in measured)
    return parse_target(f"p95 < {round(middle / 100) / 10}ms")


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
        budget=Budget(measurements=grid.size / 4),
        seconds=plan.duration,
        change_seconds=RELOAD_SECONDS,
        warmup=plan.warmup,
    )

    async def measure(point: Point, seconds: float) -> Measurement:
        return await stage.measure(point, seconds=seconds)

    async for told in drive_tuner(tuner, measure, stage):
        if told.measurement is not None:
            p95 = format_duration(told.measurement.latency.percentiles_us[95.0] / 1e6)
            shown = objective.show(objective.value(told.measurement))
            console.print(f"  {told.trial.purpose:7} {told.trial.point}: {shown}, p95 {p95}")
    return tuner.found()


async def duel(
    stage: Stage, ours: Point, theirs: Point
) -> tuple[list[Measurement], list[Measurement]]:
    """Both in turn, for twice as long as a point of the grid."""
    found: tuple[list[Measurement], list[Measurement]] = ([], [])
    assert stage.plan.duration is not None
    seconds = 2 * stage.plan.duration
    for _ in range(DUELS):
        for runs, point in zip(found, (ours, theirs), strict=True):
            await stage.apply(point.settings)
            runs.append(await stage.measure(point, seconds=seconds))
    return found


if __name__ == "__main__":
    main()
