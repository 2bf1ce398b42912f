"""`tritonkit bench sweep`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from tritonkit.bench.commands.conditions_of import stage_conditions
from tritonkit.bench.commands.ending import ended_by_signals
from tritonkit.bench.commands.input_options import input_options
from tritonkit.bench.commands.load_options import LoadChoice, load_options
from tritonkit.bench.commands.progress import Progress
from tritonkit.bench.commands.report import renderer
from tritonkit.bench.commands.settings_options import SettingsChoice, settings_options
from tritonkit.bench.commands.swept import Swept, end, show_plan, tell
from tritonkit.bench.commands.target_options import TargetChoice, target_options
from tritonkit.bench.inputs.choice import InputChoice
from tritonkit.bench.load.event_loops import event_loops
from tritonkit.bench.measurement import Measurement, Point
from tritonkit.bench.observe.around import observers_of
from tritonkit.bench.report.json import check_writable
from tritonkit.bench.search.target import Target, parse_target
from tritonkit.bench.session import interrupted_by_sigint
from tritonkit.bench.sweep.ceiling import Ceiling
from tritonkit.bench.sweep.grid import RELOAD_SECONDS, Grid, make_grid
from tritonkit.bench.sweep.journal import Journal, journal_path
from tritonkit.bench.sweep.remaining import Remaining
from tritonkit.bench.sweep.stage import Stage
from tritonkit.bench.sweep.sweep import sweep as sweep_points
from tritonkit.errors import ConfigError, RequestError, ServerError, TritonkitError
from tritonkit.extras import require
from tritonkit.options import DURATION, RANGE

__all__ = ["sweep"]

_MAX_POINTS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the options of the command say."""

    target: TargetChoice
    settings: SettingsChoice
    load: LoadChoice
    inputs: InputChoice
    batch_sizes: tuple[int, ...] | None
    rounds: int
    limit: Target | None
    patience: float
    max_points: int
    dry_run: bool
    resume: bool
    metrics: str | None
    output: Path | None
    reports: Sequence[Path]

    @property
    def rows(self) -> tuple[int, ...]:
        """Rows of a request, each of them."""
        return self.batch_sizes or (self.load.points[0].batch_size,)


def _target(_context: click.Context, _parameter: click.Parameter, text: str | None) -> Any:
    return None if text is None else parse_target(text)


@click.command()
@target_options
@settings_options
@load_options
@input_options
@click.option(
    "--batch-sizes", type=RANGE, help="Rows of a request, in place of --batch-size: 1,8,32."
)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Go over all points this often, there and back, so that what else the machine does "
    "falls on all of them alike.",
)
@click.option(
    "--stop-above",
    "limit",
    metavar="TARGET",
    callback=_target,
    help="Leave out heavier loads of the same settings once this is broken and the throughput "
    "grows no more: 'p99 < 50ms'.",
)
@click.option(
    "--patience",
    type=DURATION,
    default="60s",
    show_default=True,
    help="How long a server that went away is waited for.",
)
@click.option(
    "--max-points",
    type=click.IntRange(1),
    default=_MAX_POINTS,
    show_default=True,
    help="Refuse a sweep of more.",
)
@click.option(
    "--dry-run", is_flag=True, help="Show the plan and how long it takes; measure nothing."
)
@click.option("--resume", is_flag=True, help="Go on with the sweep that --output has a journal of.")
@click.option(
    "--metrics",
    metavar="URL",
    help="The server's Prometheus metrics, or off.  [default: looked for]",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Write a JSON document there; points are kept in a journal beside it as they are done.",
)
@click.option(
    "--report",
    "reports",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Write a page, rows or Markdown as well: .html, .csv or .md.",
)
def sweep(**options: Any) -> None:
    """
    Measure MODEL under each combination of settings and load.

    Settings are changed on the running server, over its repository API; no file is
    touched, and at the end the server runs what it ran before, also after Ctrl-C. After
    a kill the next bench command against the server restores it and says so. The server
    must have been started with --model-control-mode explicit.
    """
    for module in ("hdrh.histogram", "rich.console"):
        require(module, extra="bench")
    asked = _Asked(**options)
    for path in asked.reports:
        renderer(path)
    for path in (*asked.reports, *([] if asked.output is None else [asked.output])):
        check_writable(path)
    if asked.resume and asked.output is None:
        raise ConfigError("--resume goes on with the journal of --output: name the file.")
    swept = Swept()
    try:
        with asyncio.Runner(loop_factory=event_loops()) as runner:
            runner.run(_sweep(asked, swept))
    except TritonkitError as error:
        if not swept.measured:
            raise
        # Restoring failed, or the disk is full: what was measured until then is kept.
        swept.end(error)
    if not asked.dry_run:
        end(swept, asked.output, asked.reports)


async def _sweep(asked: _Asked, swept: Swept) -> None:
    await asked.target.restore_left_over(asked.settings.control_url)
    with interrupted_by_sigint() as interrupt, ended_by_signals(interrupt), ExitStack() as files:
        plan = asked.load.plan
        stage = Stage(
            asked.target.blueprint,
            plan,
            asked.inputs,
            models=asked.settings.models,
            on=asked.settings.on,
            control_url=asked.settings.control_url,
            progress=Progress(sys.stderr),
            interrupt=interrupt,
        )
        async with stage:
            grid = swept.grid = _grid(asked, stage)
            swept.changed = stage.changed() if grid.reloads else stage.blueprint.model
            remaining = Remaining(
                asked.rounds * grid.size,
                asked.rounds * grid.reloads,
                plan.seconds or 0.0,
                RELOAD_SECONDS,
            )
            left = None if plan.seconds is None else remaining.seconds
            show_plan(swept, asked.rounds, left, err=not asked.dry_run)
            if asked.dry_run:
                return
            stage.observer = await observers_of(stage.served().address, asked.metrics)
            swept.conditions = stage_conditions(stage, asked.rows[0], load=asked.load.describe())
            journal = None
            if asked.output is not None:
                path = journal_path(asked.output)
                journal = files.enter_context(
                    Journal(path, swept.conditions, resume=asked.resume, changed=swept.changed)
                )
                if journal.dropped:
                    click.echo(f"{path}: a line that was cut off is dropped", err=True)

            def measure(point: Point) -> Awaitable[Measurement]:
                return stage.measure(point, f"{remaining} ")

            outcomes = sweep_points(
                grid,
                measure,
                stage,
                journal=journal,
                rounds=asked.rounds,
                ceiling=None if asked.limit is None else Ceiling(asked.limit),
                interrupted=interrupt.is_set,
                patience=asked.patience,
            )
            try:
                async for outcome in outcomes:
                    remaining.count(seconds=outcome.seconds, reloaded=outcome.reloaded)
                    swept.add(outcome)
                    tell(outcome, str(remaining))
            except (RequestError, ServerError) as error:
                swept.end(error)
            swept.interrupted = interrupt.is_set()


def _grid(asked: _Asked, stage: Stage) -> Grid:
    return make_grid(
        asked.settings.values,
        list(dict.fromkeys(point.load for point in asked.load.points)),
        batch_sizes=asked.rows,
        check=stage.fits,
        max_points=asked.max_points,
    )
