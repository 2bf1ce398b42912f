"""`tritonkit bench sweep`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from tritonkit.bench.command_line import as_typed
from tritonkit.bench.commands.event_loops import event_loops
from tritonkit.bench.commands.input_options import input_options
from tritonkit.bench.commands.load_options import LoadChoice, load_options
from tritonkit.bench.commands.progress import Progress
from tritonkit.bench.commands.settings_options import SettingsChoice, settings_options
from tritonkit.bench.commands.target_options import TargetChoice, target_options
from tritonkit.bench.conditions import Conditions
from tritonkit.bench.inputs.choice import InputChoice
from tritonkit.bench.measurement import Measurement, Point
from tritonkit.bench.observe.around import observers_of
from tritonkit.bench.report import json as report
from tritonkit.bench.report.sweep_table import FRONT, sweep_table
from tritonkit.bench.report.table import notes
from tritonkit.bench.search.target import Target, parse_target
from tritonkit.bench.session import interrupted_by_sigint
from tritonkit.bench.sweep.ceiling import Ceiling
from tritonkit.bench.sweep.grid import RELOAD_SECONDS, Grid, make_grid
from tritonkit.bench.sweep.journal import Journal, journal_path
from tritonkit.bench.sweep.remaining import Remaining
from tritonkit.bench.sweep.rounds import merged_rounds
from tritonkit.bench.sweep.stage import Stage
from tritonkit.bench.sweep.sweep import Outcome
from tritonkit.bench.sweep.sweep import sweep as sweep_points
from tritonkit.errors import ConfigError, RequestError, ServerError, TritonkitError
from tritonkit.extras import require
from tritonkit.options import RANGE
from tritonkit.units import format_duration

__all__ = ["sweep"]

_WIDTH = 120
_INTERRUPTED = 130
_MAX_POINTS = 500


@dataclass(slots=True)
class _Swept:
    """What a sweep came to, whole or not."""

    conditions: Conditions | None = None
    grid: Grid | None = None
    changed: str = ""
    measured: dict[str, list[Measurement]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    skipped: int = 0
    interrupted: bool = False
    ended: TritonkitError | None = None

    def add(self, outcome: Outcome) -> None:
        entry = outcome.entry
        if entry.measurement is not None:
            self.measured.setdefault(str(entry.point), []).append(entry.measurement)
        elif outcome.skipped:
            self.skipped += 1
        else:
            self.failed[str(entry.point)] = entry.failure

    @property
    def measurements(self) -> list[Measurement]:
        """Of each point, its rounds together, in the order of the grid."""
        assert self.grid is not None
        found = (self.measured.get(str(point)) for point in self.grid.points)
        return [merged_rounds(runs) for runs in found if runs]

    @property
    def whole(self) -> bool:
        """Whether every point was measured, or failed for a reason of its own."""
        return not self.interrupted and self.ended is None


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
def sweep(
    target: TargetChoice,
    settings: SettingsChoice,
    load: LoadChoice,
    inputs: InputChoice,
    batch_sizes: tuple[int, ...] | None,
    rounds: int,
    limit: Target | None,
    max_points: int,
    dry_run: bool,
    resume: bool,
    metrics: str | None,
    output: Path | None,
) -> None:
    """
    Measure MODEL under each combination of settings and load.

    Settings are changed on the running server, over its repository API; no file is
    touched, and at the end the server runs what it ran before, also after Ctrl-C. After
    a kill the next bench command against the server restores it and says so. The server
    must have been started with --model-control-mode explicit.
    """
    for module in ("hdrh.histogram", "rich.console"):
        require(module, extra="bench")
    if output is not None:
        report.check_writable(output)
    elif resume:
        raise ConfigError("--resume goes on with the journal of --output: name the file.")
    swept = _Swept()
    with asyncio.Runner(loop_factory=event_loops()) as runner:
        runner.run(
            _sweep(
                swept, target, settings, load, inputs,
                batch_sizes=batch_sizes or (load.points[0].batch_size,),
                rounds=rounds, limit=limit, max_points=max_points, dry_run=dry_run,
                resume=resume, metrics=metrics, output=output,
            )
        )  # fmt: skip
    if not dry_run:
        _end(swept, output)


async def _sweep(
    swept: _Swept,
    target: TargetChoice,
    settings: SettingsChoice,
    load: LoadChoice,
    inputs: InputChoice,
    *,
    batch_sizes: Sequence[int],
    rounds: int,
    limit: Target | None,
    max_points: int,
    dry_run: bool,
    resume: bool,
    metrics: str | None,
    output: Path | None,
) -> None:
    await target.restore_left_over(settings.control_url)
    with interrupted_by_sigint() as interrupt, ExitStack() as files:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, interrupt.set)
        stage = Stage(
            target.blueprint,
            load.plan,
            inputs,
            models=settings.models,
            on=settings.on,
            control_url=settings.control_url,
            progress=Progress(sys.stderr),
            interrupt=interrupt,
        )
        async with stage:
            grid = make_grid(
                settings.values,
                list(dict.fromkeys(point.load for point in load.points)),
                batch_sizes=batch_sizes,
                check=stage.fits,
                max_points=max_points,
            )
            remaining = Remaining(
                rounds * grid.size, rounds * grid.reloads, load.plan.seconds or 0.0, RELOAD_SECONDS
            )
            swept.grid = grid
            swept.changed = stage.changed() if grid.reloads else target.blueprint.model
            _show_plan(swept, rounds, remaining if load.plan.seconds else None, err=not dry_run)
            if dry_run:
                return
            stage.observer = await observers_of(stage.served().address, metrics)
            swept.conditions = _conditions(stage, load, batch_sizes[0])
            journal = None
            if output is not None:
                path = journal_path(output)
                journal = files.enter_context(Journal(path, swept.conditions, resume=resume))
                if journal.dropped:
                    click.echo(f"{path}: a line that was cut off is dropped", err=True)

            def measure(point: Point) -> Any:
                return stage.measure(point, f"{remaining} ")

            try:
                async for outcome in sweep_points(
                    grid,
                    measure,
                    stage,
                    journal=journal,
                    rounds=rounds,
                    ceiling=None if limit is None else Ceiling(limit),
                    interrupted=interrupt.is_set,
                ):
                    remaining.count(seconds=outcome.seconds, reloaded=outcome.reloaded)
                    swept.add(outcome)
                    _tell(outcome, remaining)
            except (RequestError, ServerError) as error:
                # What was measured until then is kept.
                swept.ended = error
            swept.interrupted = interrupt.is_set()


def _conditions(stage: Stage, load: LoadChoice, batch_size: int) -> Conditions:
    plan, served, workload = load.plan, stage.served(), stage.workload(batch_size)
    return Conditions(
        url=str(served.address),
        model=stage.blueprint.model,
        version=stage.blueprint.version,
        config_digests=served.config_digests,
        server=served.server,
        load=load.describe(),
        warmup=plan.warmup,
        duration=plan.duration,
        max_requests=plan.max_requests,
        timeout=plan.timeout,
        seed=plan.seed,
        inputs=workload.description,
        distinct_requests=len(workload.items),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        event_loop=type(asyncio.get_running_loop()).__module__.partition(".")[0],
        target=stage.target().describe(),
        workload=workload.describe(),
        plan=plan.describe(),
        command=as_typed([Path(sys.argv[0]).name, *sys.argv[1:]]),
        load_average=os.getloadavg(),
    )


def _show_plan(swept: _Swept, rounds: int, remaining: Remaining | None, *, err: bool) -> None:
    grid = swept.grid
    assert grid is not None
    for group in grid.groups:
        loads = ", ".join(
            f"{point.load}{f' of {point.batch_size} rows' if point.batch_size > 1 else ''}"
            for point in group.points
        )
        click.echo(f"{group}: {loads}", err=err)
    for one in grid.skipped:
        click.echo(f"left out: {one.what}: {one.reason}", err=err)
    on = f" of {swept.changed}" if grid.reloads else ""
    times = f", {rounds} rounds" if rounds > 1 else ""
    about = "" if remaining is None else f", about {format_duration(round(remaining.seconds))}"
    click.echo(f"{grid.size} points{times}, {grid.reloads * rounds} loads{on}{about}", err=err)


def _tell(outcome: Outcome, remaining: Remaining) -> None:
    entry = outcome.entry
    if entry.measurement is None:
        said = f"{'left out' if outcome.skipped else 'failed'}: {entry.failure}"
    else:
        latency = entry.measurement.latency
        p99 = format_duration(latency.percentiles_us[99.0] / 1e6)
        said = f"{entry.measurement.inferences_per_second:,.0f} infer/s, p99 {p99}"
        said += " (from the journal)" if outcome.resumed else ""
    click.echo(f"{remaining} {entry.point}: {said}", err=True)


def _end(swept: _Swept, output: Path | None) -> None:
    measurements = swept.measurements if swept.grid is not None else []
    if measurements and swept.conditions is not None:
        console = require("rich.console", extra="bench").Console(
            width=None if sys.stdout.isatty() else _WIDTH, highlight=False
        )
        title = f"{swept.conditions.model}, settings of {swept.changed}"
        console.print(sweep_table(title, measurements, swept.changed))
        console.print(f"\n{FRONT}", markup=False)
        for note in notes(swept.conditions, measurements):
            console.print(note, markup=False, soft_wrap=True)
        if output is not None:
            report.write(output, report.document(swept.conditions, measurements))
            click.echo(f"written to {output}", err=True)
            if swept.whole:
                journal_path(output).unlink(missing_ok=True)
    for point, reason in swept.failed.items():
        click.echo(f"{point}: {reason}", err=True)
    again = "; --resume goes on with it" if output is not None else ""
    if swept.ended is not None:
        click.echo(f"ended early, {len(measurements)} points measured{again}", err=True)
        raise swept.ended
    if swept.interrupted:
        click.echo(f"interrupted, {len(measurements)} points measured{again}", err=True)
        raise SystemExit(_INTERRUPTED)
    if not any(measurement.requests for measurement in measurements):
        reasons = "; ".join(dict.fromkeys(swept.failed.values())) or "every request failed"
        raise RequestError(f"no point could be measured: {reasons}")
