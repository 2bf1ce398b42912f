"""`tritonkit experiment`: what arms have shown, how long it takes, and how it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import click

from tritonkit.client.commands.experiment_end import promote, stop
from tritonkit.client.commands.experiment_guard import guard
from tritonkit.client.commands.experiment_plan import plan
from tritonkit.client.commands.experiment_text import report_text, status_line
from tritonkit.client.commands.log_options import log_options, open_log
from tritonkit.client.commands.table import table
from tritonkit.client.experiments.analysis import report_of
from tritonkit.client.experiments.log import EventLog
from tritonkit.client.experiments.question import Aggregate, Direction, Metric, Question
from tritonkit.client.experiments.report import Report
from tritonkit.errors import ConfigError
from tritonkit.units import parse_duration

__all__ = ["experiment"]


@click.group()
def experiment() -> None:
    """Tell what an experiment has shown, plan one, or end it."""


experiment.add_command(guard)
experiment.add_command(plan)
experiment.add_command(stop)
experiment.add_command(promote)


@experiment.command()
@log_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(place: str | None, policy_file: Path | None, as_json: bool) -> None:
    """
    Tell how all experiments of a log stand, a line for each.

        tritonkit experiment status --log experiments.db
    """
    reports = asyncio.run(_all(open_log(place, policy_file)))
    if as_json:
        told = [
            {
                "experiment": report.experiment,
                "version": report.version,
                "state": report.state,
                "reason": report.reason,
                "promoted": report.promoted,
                "units": report.units,
                "answers": report.answers,
                "arms": {arm.name: arm.units for arm in report.arms},
                "sample_ratio_p": None if report.sample_ratio is None else report.sample_ratio.p,
                "verdict": report.verdict,
            }
            for report in reports
        ]
        click.echo(json.dumps(told, ensure_ascii=False))
    elif reports:
        head = ("experiment", "state", "units", "answers", "sample ratio", "verdict")
        click.echo(table([head, *map(status_line, reports)], right=(2, 3)))
    else:
        click.echo("The log knows no experiment.")


@experiment.command()
@click.argument("name")
@log_options
@click.option(
    "--metric",
    metavar="NAME",
    help="What decides: an outcome, or errors, degraded, latency, cost or answers.",
)
@click.option(
    "--better",
    type=click.Choice(["higher", "lower"]),
    help="Which way it is; lower by default for errors, degraded, latency and cost.",
)
@click.option(
    "--least",
    type=click.FloatRange(min=0),
    default=0.0,
    help="The least difference that matters, in its unit (0.01 of a rate is a point). Without "
    "it no arm is ever said to make no difference.",
)
@click.option(
    "--aggregate",
    type=click.Choice(["any", "mean", "sum"]),
    help="Of a unit's outcomes; see below.",
)
@click.option("--kpi", "kpis", multiple=True, metavar="NAME", help="An outcome to correlate.")
@click.option("--version", default="", help="Of the experiment, or how it begins; the newest.")
@click.option("--control", default="", metavar="ARM", help="The others are compared with it.")
@click.option(
    "--weight",
    "weights",
    multiple=True,
    metavar="ARM=WEIGHT",
    help="For the sample ratio, where the log does not know; for each arm.",
)
@click.option(
    "--window",
    metavar="DURATION",
    help="What a unit does so long after its exposure counts, and units that had less wait.",
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="Of each interval, and the false discovery rate.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a page with plots that needs no other file.",
)
@click.option(
    "--fail-on-harm",
    is_flag=True,
    help="Exit with 1 where an arm is worse by any metric, or the sample ratio is off.",
)
@click.pass_context
def report(
    context: click.Context,
    name: str,
    place: str | None,
    policy_file: Path | None,
    metric: str | None,
    better: str | None,
    least: float,
    aggregate: str | None,
    kpis: tuple[str, ...],
    version: str,
    control: str,
    weights: tuple[str, ...],
    window: str | None,
    alpha: float,
    as_json: bool,
    html: Path | None,
    fail_on_harm: bool,
) -> None:
    """
    Tell what experiment NAME has shown so far; as often as you like.

    Every interval and verdict holds at every look. The unit is that of the assignment:
    of its outcomes the mean counts where they are 0 and 1, as labels are; whether there is
    one where all are 1, as conversions are; else the sum. --aggregate says otherwise.

        tritonkit experiment report int8 --log experiments.db --metric conversion
    """
    if metric is None and (better or least or aggregate):
        raise ConfigError("--better, --least and --aggregate are those of --metric; name one.")
    metrics: tuple[Metric, ...] = ()
    if metric is not None:
        metrics = (
            Metric(
                name=metric,
                better=cast("Direction | None", better),
                least=least,
                aggregate=cast("Aggregate | None", aggregate),
            ),
        )
    question = Question(
        metrics=metrics,
        version=version,
        control=control,
        weights=_weights(weights),
        alpha=alpha,
        window=None if window is None else parse_duration(window, name="--window"),
        kpis=kpis,
    )
    found = asyncio.run(_one(open_log(place, policy_file), name, question))
    if html is not None:
        from tritonkit.client.experiments.page import render

        html.write_text(render(found), encoding="utf-8")
        click.echo(f"written to {html}", err=True)
    click.echo(found.to_json() if as_json else report_text(found))
    if fail_on_harm:
        mismatch = found.sample_ratio is not None and found.sample_ratio.mismatch
        worse = any(effect.decision == "worse" for effect in found.effects)
        context.exit(1 if mismatch or worse else 0)


def _weights(given: Sequence[str]) -> dict[str, float] | None:
    weights: dict[str, float] = {}
    for text in given:
        arm, _, weight = text.rpartition("=")
        try:
            weights[arm] = float(weight)
        except ValueError:
            raise ConfigError(f"--weight must be ARM=WEIGHT, but got {text!r}.") from None
    return weights or None


async def _one(log: EventLog, name: str, question: Question) -> Report:
    async with log:
        return await report_of(log, name, question)


async def _all(log: EventLog) -> list[Report]:
    async with log:
        question: Any = replace(Question(), looks=0, bins=1)
        return [await report_of(log, name, question) for name in await log.experiments()]
