"""`tritonkit bench run`."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from tritonkit.bench.commands.conditions_of import conditions_of
from tritonkit.bench.commands.input_options import input_options
from tritonkit.bench.commands.load_options import LoadChoice, load_options
from tritonkit.bench.commands.progress import Progress
from tritonkit.bench.commands.report import render_to, renderer
from tritonkit.bench.commands.target_options import TargetChoice, target_options
from tritonkit.bench.conditions import Conditions
from tritonkit.bench.inputs.choice import InputChoice
from tritonkit.bench.inputs.workload import Workload
from tritonkit.bench.load.event_loops import event_loops
from tritonkit.bench.load.shape import Closed
from tritonkit.bench.load.share import Share
from tritonkit.bench.measurement import Measurement
from tritonkit.bench.observe.around import observers_of
from tritonkit.bench.report import json as report
from tritonkit.bench.report.table import notes, tables
from tritonkit.bench.session import Session, interrupted_by_sigint
from tritonkit.errors import ConfigError, RequestError
from tritonkit.extras import require
from tritonkit.options import DURATION
from tritonkit.units import format_duration

__all__ = ["run"]

_WIDTH = 120
"""Columns of a table that goes into a file or a pipe."""

_INTERRUPTED = 130
"""What a shell shows for a program that Ctrl-C ended."""


@click.command()
@target_options
@load_options
@input_options
@click.option(
    "--shard",
    type=Share.parse,
    metavar="K/N",
    help="Send share K, from 0, of the load that N machines send together; all with the same "
    "--seed. bench merge puts them together.",
)
@click.option(
    "--goodput",
    type=DURATION,
    metavar="DURATION",
    help="Show the requests a second that were answered within this latency.",
)
@click.option(
    "--metrics",
    metavar="URL",
    help="The server's Prometheus metrics, or off.  [default: looked for]",
)
@click.option(
    "--output",
    "outputs",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Write the results to a file: .json for the whole document, .html, .csv or .md.",
)
def run(
    target: TargetChoice,
    load: LoadChoice,
    inputs: InputChoice,
    shard: Share | None,
    goodput: float | None,
    metrics: str | None,
    outputs: Sequence[Path],
) -> None:
    """
    Measure MODEL under a load.

    A closed loop (--concurrency) tells how much a server can do; an open loop (--rate)
    how it behaves at a rate, with the time that a request waits for its turn.
    Inputs need no flag: numbers are random, texts are sentences, a dynamic
    dimension is 16 (1 for texts). The exit code is 1 when a measurement got no
    answer at all; requests that fail otherwise are counted and reported.
    """
    # What the report needs, before the work rather than after it.
    for module in ("hdrh.histogram", "rich.console"):
        require(module, extra="bench")
    for output in outputs:
        if output.suffix.lower() != ".json":
            renderer(output)
        report.check_writable(output)
    if shard is not None:
        load = load.shared(shard)
    with asyncio.Runner(loop_factory=event_loops()) as runner:
        conditions, measurements, interrupted = runner.run(
            _measure(target, load, inputs, metrics, shard)
        )
    if measurements:
        # Before the tables, whose reader may be gone: `| head`.
        refused = _write_each(outputs, conditions, measurements)
        _show(conditions, measurements, goodput)
        if refused is not None:
            raise refused
    _end(target.blueprint.model, measurements, len(load.points), interrupted)


async def _measure(
    choice: TargetChoice,
    load: LoadChoice,
    inputs: InputChoice,
    metrics: str | None,
    shard: Share | None,
) -> tuple[Conditions, list[Measurement], bool]:
    """Conditions, what was measured, and whether Ctrl-C ended it."""
    target, served = await choice.open(inputs.models)
    try:
        observer = await observers_of(served.address, metrics)

        def workload(rows: int) -> Workload:
            made = inputs.workload(
                served.signature, batch_size=rows, seed=load.plan.seed, others=served.others
            )
            return made if shard is None else made.thinned(shard.of, shard.number)

        first = workload(load.points[0].batch_size)
        with interrupted_by_sigint() as interrupt:
            async with Session(
                target,
                first,
                load.plan,
                served=served,
                observer=observer,
                blueprint=choice.blueprint,
                progress=Progress(sys.stderr),
                interrupt=interrupt,
            ) as session:
                started, idle = datetime.now(UTC), os.getloadavg()
                measurements = [
                    measurement
                    async for measurement in session.measure_each(
                        load.points, f"{choice.blueprint.model}, "
                    )
                ]
            conditions = conditions_of(
                target, served, first, load.plan, load=load.describe(), started=started
            )
            # Of before the run, whose own load it would be afterwards.
            conditions = replace(conditions, load_average=idle)
            if shard is not None:
                conditions = replace(conditions, plan={**conditions.plan, "shard": str(shard)})
            return conditions, measurements, interrupt.is_set()
    finally:
        await target.aclose()
        await served.aclose()


def _show(
    conditions: Conditions, measurements: Sequence[Measurement], goodput: float | None
) -> None:
    console = require("rich.console", extra="bench").Console(
        width=None if sys.stdout.isatty() else _WIDTH, highlight=False
    )
    for table in tables(conditions, measurements, goodput=goodput, width=console.width):
        console.print(table)
        console.print()
    for note in notes(conditions, measurements):
        console.print(note, markup=False, soft_wrap=True)


def _write_each(
    outputs: Sequence[Path], conditions: Conditions, measurements: Sequence[Measurement]
) -> ConfigError | None:
    """
    Write what can be written; why one could not be, and where the results are instead.

    A disk may have become full in a run of hours.
    """
    refused: list[str] = []
    kept = False
    for output in outputs:
        try:
            _write(output, conditions, measurements)
        except ConfigError as error:
            refused.append(str(error))
        else:
            kept = kept or output.suffix.lower() == ".json"
            click.echo(f"written to {output}", err=True)
    if not refused:
        return None
    if not kept:
        aside = Path(tempfile.gettempdir()) / f"tritonkit-bench-{os.getpid()}.json"
        try:
            _write(aside, conditions, measurements)
        except ConfigError as error:
            refused.append(str(error))
        else:
            refused.append(f"the results are kept in {aside}")
    return ConfigError("; ".join(refused))


def _write(output: Path, conditions: Conditions, measurements: Sequence[Measurement]) -> None:
    if output.suffix.lower() == ".json":
        report.write(output, report.document(conditions, measurements))
    else:
        render_to(output, [report.Report(conditions, tuple(measurements))])


def _end(model: str, measurements: Sequence[Measurement], planned: int, interrupted: bool) -> None:
    if interrupted:
        kept = f"{len(measurements)} of {planned}"
        click.echo(f"interrupted; measurements kept: {kept}", err=True)
        raise SystemExit(_INTERRUPTED)
    empty = next((one for one in measurements if not one.requests), None)
    if empty is None:
        return
    length = format_duration(empty.seconds)
    if not empty.intended and not isinstance(empty.point.load, Closed):
        raise RequestError(
            f"no request to {model!r} was due within {length} of {empty.point}; "
            "give it a longer --duration.",
            model=model,
        )
    if not empty.failed:
        raise RequestError(
            f"no request to {model!r} ended within {length}; give it a longer --duration.",
            model=model,
        )
    reasons = "; ".join(f"{f.kind} ({f.count} times): {f.first}" for f in empty.failures)
    raise RequestError(f"every request to {model!r} failed: {reasons}", model=model)
