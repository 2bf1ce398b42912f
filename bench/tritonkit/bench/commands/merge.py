"""`tritonkit bench merge`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import click

from tritonkit.bench.compare.merge import merge, notes
from tritonkit.bench.report.json import check_writable, document, read, write
from tritonkit.errors import ConfigError

__all__ = ["merge_runs"]


@click.command("merge")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--output", required=True, type=click.Path(path_type=Path), help="Write the whole there."
)
def merge_runs(files: Sequence[Path], output: Path) -> None:
    """
    Put the runs in FILES together, which sent to the same service at the same time.

    Histograms add up exactly, and rates add up. Each file must hold the same points; runs
    that did not send at the same time, or of other models, are refused.
    """
    check_writable(output)
    names = [str(file) for file in files]
    reports = [read(file) for file in files]
    _refuse_twice(files)
    whole = merge(reports, names)
    write(output, document(whole.conditions, whole.measurements))
    for note in notes(reports, names):
        click.echo(note, err=True)
    for measurement in whole.measurements:
        click.echo(f"{measurement.point}: {measurement.requests_per_second:,.1f} requests a second")
    click.echo(f"{len(files)} runs written to {output}", err=True)


def _refuse_twice(files: Sequence[Path]) -> None:
    """A run that is there twice would count twice."""
    seen: dict[bytes, Path] = {}
    for file in files:
        digest = hashlib.sha256(file.read_bytes()).digest()
        if digest in seen:
            raise ConfigError(
                f"{seen[digest]} and {file} are one run, which would count twice; "
                "leave one of them out."
            )
        seen[digest] = file
