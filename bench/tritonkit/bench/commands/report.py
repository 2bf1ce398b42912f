"""`tritonkit bench report`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click

from tritonkit.bench.report import csv, markdown
from tritonkit.bench.report.html.page import render as render_page
from tritonkit.bench.report.json import Report, check_writable, read, write_text
from tritonkit.errors import ConfigError

__all__ = ["RENDERERS", "render_to", "renderer", "report"]

RENDERERS: Mapping[str, Callable[[Sequence[Report]], str]] = {
    ".html": render_page,
    ".csv": csv.render,
    ".md": markdown.render,
}
"""By the ending of the file that is written."""


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="Where to write; its ending says what: .html, .csv or .md.",
)
def report(files: Sequence[Path], output: Path) -> None:
    """
    Make a page, a table or Markdown of the measurements in FILES.

    The page is one file that opens without a network: latency against throughput, percentile
    curves, the course of each run, batch sizes, queue and compute, and the conditions.
    """
    renderer(output)
    check_writable(output)
    render_to(output, [read(file) for file in files])
    click.echo(f"written to {output}", err=True)


def renderer(output: Path) -> Callable[[Sequence[Report]], str]:
    """
    What makes the text of a file with such an ending.

    Raises:
        ConfigError: If the ending is none of RENDERERS.
    """
    found = RENDERERS.get(output.suffix.lower())
    if found is None:
        raise ConfigError(f"a report is written as {', '.join(RENDERERS)}, but got {output}.")
    return found


def render_to(output: Path, reports: Sequence[Report]) -> None:
    """Write *reports* as the ending of *output* says."""
    write_text(output, renderer(output)(reports))
