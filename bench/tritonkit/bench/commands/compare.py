"""`tritonkit bench compare`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tritonkit.bench.compare.comparison import MARGIN, Comparison, compare
from tritonkit.bench.compare.metric import DEFAULT, parse_metrics
from tritonkit.bench.compare.text import markdown, notes, summary, terminal_table
from tritonkit.bench.report.json import check_writable, read, write_text
from tritonkit.errors import ConfigError
from tritonkit.extras import require
from tritonkit.options import SHARE

__all__ = ["compare_runs"]

_WORSE = 1
"""What the command exits with; what cannot be compared is a ConfigError, which is 2."""


@click.command("compare")
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option(
    "--fail-above",
    type=SHARE,
    help="Exit with 1 where a metric got worse by more than this, beyond noise, or NEW lacks a "
    "point; changes within it are the same.  "
    f"[default: never; {MARGIN:.0%} tells what is the same]",
)
@click.option(
    "--metric",
    "metrics",
    default=",".join(metric.name for metric in DEFAULT),
    show_default=True,
    help="What to compare: throughput, mean, errors, p50, p99.9, goodput:50ms ...",
)
@click.option(
    "--confidence",
    type=SHARE,
    default="95%",
    show_default=True,
    help="How often all intervals together hold.",
)
@click.option("--strict", is_flag=True, help="Refuse runs whose conditions or points differ.")
@click.option("--seed", default=0, show_default=True, help="Of the bootstrap.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown.")
@click.option("--output", type=click.Path(path_type=Path), help="Write Markdown there, too.")
def compare_runs(
    base: Path,
    new: Path,
    fail_above: float | None,
    metrics: str,
    confidence: float,
    strict: bool,
    seed: int,
    as_markdown: bool,
    output: Path | None,
) -> None:
    """
    Compare the runs BASE and NEW, point by point.

    Both are files that --output of another bench command wrote. The exit code is 0, 1 where
    something got worse by more than --fail-above or NEW lacks a point of BASE, and 2 where
    the runs cannot be compared.
    """
    if not 0 < confidence < 1:
        raise ConfigError(f"--confidence must be above 0% and below 100%: {confidence:.0%}.")
    if output is not None:
        check_writable(output)
    comparison = compare(
        read(base),
        read(new),
        metrics=parse_metrics(metrics),
        margin=MARGIN if fail_above is None else fail_above,
        alpha=1 - confidence,
        seed=seed,
        names=(str(base), str(new)),
    )
    if strict:
        _refuse_differences(comparison)
    if as_markdown:
        click.echo(markdown(comparison), nl=False)
    else:
        _show(comparison)
    if output is not None:
        write_text(output, markdown(comparison))
    if fail_above is not None and (comparison.worse or comparison.only_base):
        raise SystemExit(_WORSE)


def _refuse_differences(comparison: Comparison) -> None:
    found = [str(one) for one in comparison.differences]
    for name, points in zip(
        comparison.names, (comparison.only_base, comparison.only_new), strict=True
    ):
        found += [f"only {name} has {point}" for point in points]
    if found:
        raise ConfigError("the runs are not of the same conditions: " + "; ".join(found))


def _show(comparison: Comparison) -> None:
    console = require("rich.console", extra="bench").Console(
        width=None if sys.stdout.isatty() else 120, highlight=False
    )
    console.print(terminal_table(comparison))
    console.print()
    console.print(summary(comparison), markup=False)
    for one in comparison.differences:
        console.print(f"differs: {one}", markup=False, soft_wrap=True)
    for note in notes(comparison):
        console.print(note, markup=False, soft_wrap=True)
