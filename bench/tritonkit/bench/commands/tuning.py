"""One search of `tritonkit bench tune`, from the open server to what was found."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from tritonkit.bench.commands.conditions_of import stage_conditions
from tritonkit.bench.commands.ending import ended_by_signals
from tritonkit.bench.commands.progress import Progress
from tritonkit.bench.commands.settings_options import SettingsChoice
from tritonkit.bench.commands.target_options import TargetChoice
from tritonkit.bench.conditions import Conditions
from tritonkit.bench.inputs.choice import InputChoice
from tritonkit.bench.load.shape import Load
from tritonkit.bench.measurement import Measurement, Point
from tritonkit.bench.observe.around import observers_of
from tritonkit.bench.plan import Plan
from tritonkit.bench.search.drive import drive_tuner
from tritonkit.bench.search.found import told_line
from tritonkit.bench.search.objective import Objective
from tritonkit.bench.search.prior import ServicePrior
from tritonkit.bench.search.space import default_space, works_of
from tritonkit.bench.search.trial import Budget
from tritonkit.bench.search.tune import MAX_CANDIDATES, Tuner
from tritonkit.bench.session import NothingMeasured, interrupted_by_sigint
from tritonkit.bench.sweep.grid import RELOAD_SECONDS, Grid, make_grid
from tritonkit.bench.sweep.journal import Journal, journal_path
from tritonkit.bench.sweep.settings import MODEL
from tritonkit.bench.sweep.stage import Stage
from tritonkit.errors import RequestError, ServerError, TritonkitError
from tritonkit.units import format_duration

__all__ = ["Tuning", "run_tuning"]


@dataclass(slots=True)
class Tuning:
    """
    What is asked for, and what it came to.

    Args:
        objective: What is to be best, and what must hold.
        plan: How each point is measured.
        loads: To choose from.
        budget: When to end at the latest; None for a quarter of the points.
        verify: Seconds of the last run; None for twice the plan's.
        tolerance: The share by which another point may be better.
        tuner: Asked and told.
        conditions: Of all measurements; None where nothing was to be measured.
        changed: The model whose settings change.
        configs: Of the model and of all models that it is composed of, by name.
        interrupted: Whether Ctrl-C ended it.
        ended: What else ended it before its time.
    """

    objective: Objective
    plan: Plan
    loads: list[Load]
    budget: Budget | None
    verify: float | None
    tolerance: float
    tuner: Tuner | None = None
    conditions: Conditions | None = None
    changed: str = ""
    configs: dict[str, Any] = field(default_factory=dict)
    interrupted: bool = False
    ended: TritonkitError | None = None


async def run_tuning(
    search: Tuning,
    target: TargetChoice,
    settings: SettingsChoice,
    inputs: InputChoice,
    *,
    batch_size: int,
    dry_run: bool,
    resume: bool,
    metrics: str | None,
    output: Path | None,
) -> None:
    """
    Search, and leave in *search* what came of it.

    Args:
        search: What is asked for.
        target: The model.
        settings: To choose from; what suits the model where there are none.
        inputs: What is sent.
        batch_size: Rows of a request.
        dry_run: Show the plan and end.
        resume: Go on from the journal.
        metrics: The server's Prometheus metrics; None to look for them.
        output: Beside it lies the journal; None to keep none.
    """
    await target.restore_left_over(settings.control_url)
    with interrupted_by_sigint() as interrupt, ended_by_signals(interrupt), ExitStack() as files:
        stage = Stage(
            target.blueprint,
            search.plan,
            inputs,
            models=settings.models,
            on=settings.on,
            control_url=settings.control_url,
            progress=Progress(sys.stderr),
            interrupt=interrupt,
        )
        async with stage:
            search.changed = stage.changed()
            search.configs = dict(stage.served().configs)
            values = settings.values
            if not values:
                values = default_space(search.configs[search.changed])
            grid = make_grid(
                values,
                search.loads,
                batch_sizes=(batch_size,),
                check=stage.fits,
                max_points=MAX_CANDIDATES,
            )
            tuner = search.tuner = _tuner(search, stage, grid)
            _show_plan(grid, values, tuner, err=not dry_run)
            if dry_run:
                return
            stage.observer = await observers_of(stage.served().address, metrics)
            search.conditions = stage_conditions(stage, batch_size, load="search")
            journal = None
            if output is not None:
                path = journal_path(output)
                journal = files.enter_context(
                    Journal(path, search.conditions, resume=resume, changed=search.changed)
                )

            async def measure(point: Point, seconds: float) -> Measurement:
                return await stage.measure(point, seconds=seconds)

            try:
                async for told in drive_tuner(
                    tuner, measure, stage, journal=journal, interrupted=interrupt.is_set
                ):
                    click.echo(told_line(told, search.objective), err=True)
            except NothingMeasured:
                pass
            except (RequestError, ServerError) as error:
                # What was measured until then is kept.
                search.ended = error
            search.interrupted = interrupt.is_set()


def _tuner(search: Tuning, stage: Stage, grid: Grid) -> Tuner:
    points = list(grid.points)
    works = works_of(points, lambda model: stage.served(model).configs[stage.changed(model)])
    prior = ServicePrior(
        works,
        points,
        search.objective,
        model="" if any(MODEL in point.settings for point in points) else search.changed,
        seed=search.plan.seed,
    )
    assert search.plan.duration is not None
    return Tuner(
        points,
        search.objective,
        prior=prior,
        budget=search.budget,
        seconds=search.plan.duration,
        change_seconds=RELOAD_SECONDS if grid.reloads else 0.0,
        warmup=search.plan.warmup,
        verify_seconds=search.verify,
        tolerance=search.tolerance,
        seed=search.plan.seed,
    )


def _show_plan(grid: Grid, values: dict[str, tuple[str, ...]], tuner: Tuner, *, err: bool) -> None:
    click.echo(f"{grid.size} points to choose from:", err=err)
    for name, texts in values.items():
        click.echo(f"  {name}: {', '.join(texts)}", err=err)
    loads = dict.fromkeys(str(point.load) for point in grid.points)
    click.echo(f"  load: {', '.join(loads)}", err=err)
    for skipped in grid.skipped:
        click.echo(f"left out: {skipped.what}: {skipped.reason}", err=err)
    if tuner.budget.seconds is not None:
        click.echo(f"at most {format_duration(tuner.budget.seconds)} of measuring", err=err)
    else:
        takes = format_duration(round(tuner.longest))
        count = tuner.budget.measurements
        click.echo(f"at most {count:.3g} measurements, {takes} if each changes settings", err=err)
