"""What a sweep came to, for people and in files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from tritonkit.bench.commands.report import render_to
from tritonkit.bench.conditions import Conditions
from tritonkit.bench.measurement import Measurement
from tritonkit.bench.report import json as report
from tritonkit.bench.report.sweep_table import FRONT, sweep_table
from tritonkit.bench.report.table import notes
from tritonkit.bench.sweep.grid import Grid
from tritonkit.bench.sweep.journal import journal_path
from tritonkit.bench.sweep.rounds import merged_rounds
from tritonkit.bench.sweep.sweep import Outcome
from tritonkit.errors import RequestError, TritonkitError
from tritonkit.extras import require
from tritonkit.units import format_duration

__all__ = ["Swept", "end", "show_plan", "tell"]

_WIDTH = 120
"""Columns of a table that goes into a file or a pipe."""

_INTERRUPTED = 130
"""What a shell shows for a program that Ctrl-C ended."""


@dataclass(slots=True)
class Swept:
    """
    What a sweep came to, whole or not.

    Args:
        conditions: Of all its points.
        grid: Its plan.
        changed: The model whose settings were changed.
        measured: Measurements of each point, one for each round.
        failed: Why points could not be measured.
        skipped: How many were left out.
        interrupted: Whether Ctrl-C ended it.
        ended: What ended it early.
    """

    conditions: Conditions | None = None
    grid: Grid | None = None
    changed: str = ""
    measured: dict[str, list[Measurement]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    skipped: int = 0
    interrupted: bool = False
    ended: TritonkitError | None = None

    def end(self, error: TritonkitError) -> None:
        """It ended early, of *error* or of the one before."""
        if self.ended is not None:
            click.echo(f"Error: {self.ended}", err=True)
        self.ended = error

    def add(self, outcome: Outcome) -> None:
        """One more point."""
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


def show_plan(swept: Swept, rounds: int, seconds: float | None, *, err: bool) -> None:
    """Say what is measured, and about how long it takes."""
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
    about = "" if seconds is None else f", about {format_duration(round(seconds))}"
    click.echo(f"{grid.size} points{times}, {grid.reloads * rounds} loads{on}{about}", err=err)


def tell(outcome: Outcome, remaining: str) -> None:
    """Say what became of a point."""
    entry = outcome.entry
    if entry.measurement is None:
        said = f"{'left out' if outcome.skipped else 'failed'}: {entry.failure}"
    else:
        latency = entry.measurement.latency
        p99 = format_duration(latency.percentiles_us[99.0] / 1e6)
        said = f"{entry.measurement.inferences_per_second:,.0f} infer/s, p99 {p99}"
        said += " (from the journal)" if outcome.resumed else ""
    click.echo(f"{remaining} {entry.point}: {said}", err=True)


def end(swept: Swept, output: Path | None, reports: Sequence[Path] = ()) -> None:
    """
    Show and write what was measured.

    Raises:
        TritonkitError: What ended the sweep early, or that nothing could be measured.
        SystemExit: After an interrupt.
    """
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
        for path in reports:
            render_to(path, [report.Report(swept.conditions, tuple(measurements))])
            click.echo(f"written to {path}", err=True)
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
