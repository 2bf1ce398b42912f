"""`tritonkit bench tune`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from tritonkit.bench.commands.input_options import input_options
from tritonkit.bench.commands.search_options import search_options
from tritonkit.bench.commands.settings_options import SettingsChoice, settings_options
from tritonkit.bench.commands.target_options import TargetChoice, target_options
from tritonkit.bench.commands.tuning import Tuning, run_tuning
from tritonkit.bench.inputs.choice import InputChoice
from tritonkit.bench.load.event_loops import event_loops
from tritonkit.bench.load.shape import Closed, Load, Open
from tritonkit.bench.measurement import PERCENTILES, Point
from tritonkit.bench.plan import Plan
from tritonkit.bench.report import json as report
from tritonkit.bench.schedule.poisson import Poisson
from tritonkit.bench.search.apply import plan_changes, write_changes
from tritonkit.bench.search.found import summary
from tritonkit.bench.search.objective import Objective
from tritonkit.bench.search.space import DEFAULT_CONCURRENCY
from tritonkit.bench.search.target import Target, parse_target
from tritonkit.bench.search.trial import Budget
from tritonkit.bench.sweep.journal import journal_path
from tritonkit.bench.sweep.settings import MODEL
from tritonkit.errors import ConfigError, RequestError
from tritonkit.extras import require
from tritonkit.options import DURATION, RANGE, SHARE
from tritonkit.units import parse_duration

__all__ = ["parse_budget", "tune"]

_INTERRUPTED = 130
_NOT_FOUND = 1


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
    "--tolerance",
    type=SHARE,
    default="2%",
    show_default=True,
    help="By how much another configuration may be better.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Of inputs, their order, and the choice of what to measure.",
)
@input_options
@search_options
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
    --model-control-mode explicit. The default budget takes some minutes; --dry-run says
    how many. The exit code is 1 where nothing keeps the target.
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
    search = Tuning(
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
            run_tuning(
                search, target, settings, inputs,
                batch_size=batch_size, dry_run=dry_run, resume=resume, metrics=metrics,
                output=output,
            )
        )  # fmt: skip
    if not dry_run:
        best = _end(search, output)
        if apply and repository is not None:
            _apply(search, best, repository)


def _end(search: Tuning, output: Path | None) -> Point:
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


def _apply(search: Tuning, best: Point, repository: Path) -> None:
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
