"""`tritonkit bench tune`."""

from __future__ import annotations

import asyncio
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from tritonkit.bench.commands.event_loops import event_loops
from tritonkit.bench.commands.input_options import input_options
from tritonkit.bench.commands.progress import Progress
from tritonkit.bench.commands.search_conditions import conditions_of
from tritonkit.bench.commands.settings_options import SettingsChoice, settings_options
from tritonkit.bench.commands.target_options import TargetChoice, target_options
from tritonkit.bench.conditions import Conditions
from tritonkit.bench.inputs.choice import InputChoice
from tritonkit.bench.load.shape import Closed, Load, Open
from tritonkit.bench.measurement import PERCENTILES, Measurement, Point
from tritonkit.bench.observe.around import observers_of
from tritonkit.bench.plan import Plan
from tritonkit.bench.report import json as report
from tritonkit.bench.schedule.poisson import Poisson
from tritonkit.bench.search.apply import plan_changes, write_changes
from tritonkit.bench.search.drive import drive_tuner
from tritonkit.bench.search.found import summary, told_line
from tritonkit.bench.search.objective import Objective
from tritonkit.bench.search.prior import ServicePrior
from tritonkit.bench.search.space import DEFAULT_CONCURRENCY, default_space, works_of
from tritonkit.bench.search.target import Target, parse_target
from tritonkit.bench.search.trial import Budget
from tritonkit.bench.search.tune import MAX_CANDIDATES, Tuner
from tritonkit.bench.session import NothingMeasured, interrupted_by_sigint
from tritonkit.bench.sweep.grid import RELOAD_SECONDS, Grid, make_grid
from tritonkit.bench.sweep.journal import Journal, journal_path
from tritonkit.bench.sweep.settings import MODEL
from tritonkit.bench.sweep.stage import Stage
from tritonkit.errors import ConfigError, RequestError, ServerError, TritonkitError
from tritonkit.extras import require
from tritonkit.options import DURATION, RANGE, SHARE
from tritonkit.units import format_duration, parse_duration

__all__ = ["parse_budget", "tune"]

_INTERRUPTED = 130
_NOT_FOUND = 1


@dataclass(slots=True)
class _Search:
    """What is asked for, and what it came to."""

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


@click.command()
@target_options
@settings_options
@click.option(
    "--target",
    "wanted",
    default="",
    metavar="TARGET",
    help="What must hold: 'p99 < 50ms', 'p95 <= 20ms and error_rate < 1%'.",
)
@click.option(
    "--maximise",
    type=click.Choice(["throughput", "goodput"]),
    help="Rows a second, or those of them that came in time.  [default: throughput]",
)
@click.option("--minimise", type=click.Choice(["cost"]), help="In place of --maximise.")
@click.option(
    "--price",
    type=float,
    metavar="AN_HOUR",
    help="Of one core, for --minimise cost.  [default: core-seconds count]",
)
@click.option(
    "--concurrency",
    type=RANGE,
    help="Requests in flight to choose from, in a closed loop.  [default: 1:128:*2]",
)
@click.option("--rate", type=RANGE, help="Requests a second in place of it, in an open loop.")
@click.option(
    "--batch-size", type=click.IntRange(1), default=1, show_default=True, help="Rows of a request."
)
@click.option(
    "--budget",
    metavar="BUDGET",
    help="20m, or 30 for so many measurements.  [default: a quarter of the space]",
)
@click.option(
    "--duration", type=DURATION, default="5s", show_default=True, help="Of a first measurement."
)
@click.option(
    "--verify",
    type=DURATION,
    help="Length of the last run, of the best.  [default: twice --duration]",
)
@click.option(
    "--warmup", type=DURATION, default="1s", show_default=True, help="Load before each window."
)
@click.option(
    "--tolerance",
    type=SHARE,
    default="2%",
    show_default=True,
    help="By how much another configuration may be better.",
)
@click.option(
    "--processes",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="That send, where one core is not enough.",
)
@click.option(
    "--timeout", type=DURATION, default="60s", show_default=True, help="When a request fails."
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Of inputs, their order, and the choice of what to measure.",
)
@input_options
@click.option(
    "--metrics",
    metavar="URL",
    help="The server's Prometheus metrics, or off.  [default: looked for]",
)
@click.option("--output", type=click.Path(path_type=Path), help="Write every measurement there.")
@click.option("--resume", is_flag=True, help="Go on with the search that --output began.")
@click.option("--dry-run", is_flag=True, help="Show what there is to choose from, and end.")
@click.option("--apply", is_flag=True, help="Write the best settings into config.pbtxt.")
@click.option(
    "--repository",
    type=click.Path(path_type=Path, file_okay=False),
    help="The model repository that --apply writes into.",
)
def tune(
    target: TargetChoice,
    settings: SettingsChoice,
    wanted: str,
    maximise: str | None,
    minimise: str | None,
    price: float | None,
    concurrency: tuple[int, ...] | None,
    rate: tuple[int, ...] | None,
    batch_size: int,
    budget: str | None,
    duration: float,
    verify: float | None,
    warmup: float,
    tolerance: float,
    processes: int,
    timeout: float,
    seed: int,
    inputs: InputChoice,
    metrics: str | None,
    output: Path | None,
    resume: bool,
    dry_run: bool,
    apply: bool,
    repository: Path | None,
) -> None:
    """
    Find the best settings of MODEL under a target.

    Without values of its own for any setting it tries windows and instance counts that
    suit the model's configuration. Settings are changed on the running server and put
    back at the end, as by sweep; the server must have been started with
    --model-control-mode explicit. The exit code is 1 where nothing keeps the target.
    """
    require("hdrh.histogram", extra="bench")
    if maximise and minimise:
        raise ConfigError("--maximise and --minimise are two goals: leave one out.")
    if price is not None and not minimise:
        raise ConfigError("--price goes with --minimise cost.")
    if concurrency and rate:
        raise ConfigError("--concurrency is of a closed loop and --rate of an open one.")
    if apply and repository is None:
        raise ConfigError("--apply needs --repository, the folder that the model is in.")
    if repository is not None and not repository.is_dir():
        raise ConfigError(f"there is no model repository {repository}.")
    if resume and output is None:
        raise ConfigError("--resume goes on with the journal of --output: name the file.")
    if output is not None:
        report.check_writable(output)
    objective = Objective(
        target=parse_target(wanted) if wanted else Target(),
        goal="cost" if minimise else "goodput" if maximise == "goodput" else "throughput",
        price_per_hour=price,
    )
    loads: list[Load] = [Open(Poisson(each)) for each in rate or ()]
    search = _Search(
        objective=objective,
        plan=Plan(
            duration=duration,
            warmup=warmup,
            timeout=timeout,
            percentiles=tuple(sorted({*PERCENTILES, *objective.target.percentiles})),
            seed=seed,
            processes=processes,
        ),
        loads=loads or [Closed(each) for each in concurrency or DEFAULT_CONCURRENCY],
        budget=None if budget is None else parse_budget(budget),
        verify=verify,
        tolerance=tolerance,
    )
    with asyncio.Runner(loop_factory=event_loops()) as runner:
        runner.run(
            _search(
                search, target, settings, inputs,
                batch_size=batch_size, dry_run=dry_run, resume=resume, metrics=metrics,
                output=output,
            )
        )  # fmt: skip
    if not dry_run:
        best = _end(search, output)
        if apply and repository is not None:
            _apply(search, best, repository)


async def _search(
    search: _Search,
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
    await target.restore_left_over(settings.control_url)
    with interrupted_by_sigint() as interrupt, ExitStack() as files:
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
            search.conditions = conditions_of(stage, batch_size, load="search")
            journal = None
            if output is not None:
                path = journal_path(output)
                journal = files.enter_context(Journal(path, search.conditions, resume=resume))

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


def _tuner(search: _Search, stage: Stage, grid: Grid) -> Tuner:
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


def _end(search: _Search, output: Path | None) -> Point:
    """Says what was found; does not return where nothing was."""
    assert search.tuner is not None
    found = search.tuner.found()
    measurements = [told.measurement for told in found.tried if told.measurement is not None]
    if found.tried:
        click.echo(summary(found, search.objective))
    if output is not None and measurements and search.conditions is not None:
        report.write(output, report.document(search.conditions, measurements))
        click.echo(f"written to {output}", err=True)
        if not search.interrupted and search.ended is None:
            journal_path(output).unlink(missing_ok=True)
    again = "; --resume goes on with it" if output is not None else ""
    if search.ended is not None:
        click.echo(f"ended early{again}", err=True)
        raise search.ended
    if search.interrupted:
        click.echo(f"interrupted{again}", err=True)
        raise SystemExit(_INTERRUPTED)
    if measurements and not any(measurement.requests for measurement in measurements):
        failures = measurements[-1].failures
        raise RequestError(
            f"every request failed: {failures[0].first}" if failures else "nothing was answered."
        )
    if found.best is None:
        raise SystemExit(_NOT_FOUND)
    return found.best


def _apply(search: _Search, best: Point, repository: Path) -> None:
    if MODEL in best.settings:
        raise ConfigError("--apply writes the settings of one model; leave --variant out.")
    changes = plan_changes(repository, search.configs, search.changed, best.settings)
    if not changes:
        click.echo("config.pbtxt says that already; nothing was written.")
        return
    for change in changes:
        click.echo(change.diff, nl=False)
        for comment in change.lost_comments:
            click.echo(f"this comment has no place in what is written: {comment}", err=True)
    for kept in write_changes(repository, changes):
        click.echo(f"written; what it said before is in {kept}")


def parse_budget(text: str) -> Budget:
    """
    Read a budget.

    Args:
        text: "20m", or "30" for so many measurements.

    Raises:
        ConfigError: If it is neither.
    """
    if text.strip().isdigit():
        return Budget(measurements=int(text))
    return Budget(seconds=parse_duration(text, name="budget"))


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
        click.echo(f"at most {tuner.budget.measurements:.3g} measurements", err=err)
