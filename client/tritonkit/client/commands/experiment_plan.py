"""`tritonkit experiment plan`: how long it takes to see an effect."""

from __future__ import annotations

import asyncio
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from tritonkit.client.commands.log_options import log_options, open_log
from tritonkit.client.experiments.analysis import report_of
from tritonkit.client.experiments.log import EventLog
from tritonkit.client.experiments.question import Metric, Question
from tritonkit.client.experiments.report import Report
from tritonkit.client.statistics.planning import Plan, plan_mean, plan_rate
from tritonkit.errors import ConfigError

__all__ = ["plan"]

DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Base:
    """What is known before: a rate or a mean of units, and how many come."""

    rate: bool
    mean: float
    deviation: float
    answers_per_unit: float | None = None
    units_per_day: float | None = None


@click.command()
@click.option("--effect", required=True, help="The least that matters: 0.01, or 5% of the base.")
@click.option("--rate", type=click.FloatRange(0, 1), help="The control's rate, by unit.")
@click.option("--mean", type=float, help="The control's mean, by unit; with --deviation.")
@click.option(
    "--deviation",
    type=click.FloatRange(min=0, min_open=True),
    help="The standard deviation of a unit's value.",
)
@click.option("--from", "source", metavar="NAME", help="An experiment that tells the base.")
@click.option("--metric", metavar="NAME", help="Of that experiment.")
@log_options
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="The chance of an effect where there is none, however often one looks.",
)
@click.option(
    "--power",
    type=click.FloatRange(0.5, 1, max_open=True),
    default=0.8,
    show_default=True,
    help="The chance to see it where it is.",
)
@click.option(
    "--treated",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.5,
    show_default=True,
    help="The share of units in the treatment.",
)
@click.option(
    "--per-day",
    type=click.FloatRange(min=0, min_open=True),
    help="New units a day, of all arms; with --from what came so far by default.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plan(
    effect: str,
    rate: float | None,
    mean: float | None,
    deviation: float | None,
    source: str | None,
    metric: str | None,
    place: str | None,
    policy_file: Path | None,
    alpha: float,
    power: float,
    treated: float,
    per_day: float | None,
    as_json: bool,
) -> None:
    """
    Tell how many units an effect takes to be seen, and how many days.

    For two arms and intervals that may be looked at whenever one likes. The base is a
    rate, a mean and its deviation, or the control arm of an experiment.

        tritonkit experiment plan --rate 0.05 --effect 10% --per-day 20000

        tritonkit experiment plan --from int8 --log experiments.db --metric rating --effect 0.1
    """
    given = [rate is not None, mean is not None, source is not None]
    if sum(given) != 1 or (mean is None) != (deviation is None):
        raise ConfigError("the base is one of --rate, --mean with --deviation, or --from.")
    if source is not None:
        if metric is None:
            raise ConfigError("--from needs --metric, which tells whose base it is.")
        base = asyncio.run(_base(open_log(place, policy_file), source, metric))
    elif rate is not None:
        base = _Base(rate=True, mean=rate, deviation=math.sqrt(rate * (1 - rate)))
    else:
        assert mean is not None
        assert deviation is not None
        base = _Base(rate=False, mean=mean, deviation=deviation)
    wanted = _effect(effect, base.mean)
    if base.rate:
        made = plan_rate(base.mean, wanted, alpha=alpha, power=power, treated=treated)
    else:
        made = plan_mean(wanted, base.deviation, alpha=alpha, power=power, treated=treated)
    daily = per_day or base.units_per_day
    click.echo(_json(made, base, wanted, daily) if as_json else _text(made, base, wanted, daily))


async def _base(log: EventLog, source: str, metric: str) -> _Base:
    async with log:
        question = Question(metrics=(Metric(name=metric),), looks=0, bins=1)
        report = await report_of(log, source, question)
    control = report.control
    if control is None:
        raise ConfigError(f"experiment {source!r} has no units yet.")
    value = next(one for one in control.metrics if one.name == metric)
    if not value.units:
        raise ConfigError(f"no unit of {source!r} has a value of {metric!r} yet.")
    return _Base(
        rate=value.kind == "rate",
        mean=value.value.estimate,
        deviation=value.deviation,
        answers_per_unit=control.answers_per_unit,
        units_per_day=_daily(report),
    )


def _daily(report: Report) -> float | None:
    """New units a day so far; None where it ran for less than an hour."""
    span = next(one for one in report.versions if one.version == report.version)
    lasted = span.last - span.first
    return span.units / lasted * DAY if lasted >= 3600 else None


def _effect(text: str, base: float) -> float:
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        raise ConfigError(f"--effect must be a number or a percentage, not {text!r}.") from None
    return number / 100 * base if text.endswith("%") else number


def _text(made: Plan, base: _Base, effect: float, daily: float | None) -> str:
    kind = "rate" if base.rate else "mean"
    lines = [
        f"base      {kind} {base.mean:.4g}, deviation {base.deviation:.4g} of a unit",
        f"effect    {effect:+.4g}, to {base.mean + effect:.4g}",
        f"units     {made.units} of both arms{_requests(made.units, base)}",
        f"typical   {made.typical} where the data are average{_requests(made.typical, base)}",
        f"one look  {made.fixed} for a test that is looked at once, at the end",
    ]
    if daily:
        lines.append(f"days      {made.units / daily:.1f} at {daily:.0f} new units a day")
    return "\n".join(lines)


def _requests(units: int, base: _Base) -> str:
    if base.answers_per_unit is None:
        return ""
    return f", about {math.ceil(units * base.answers_per_unit)} requests"


def _json(made: Plan, base: _Base, effect: float, daily: float | None) -> str:
    per_unit = base.answers_per_unit
    return json.dumps(
        {
            **asdict(made),
            "effect": effect,
            "base": base.mean,
            "deviation": base.deviation,
            "requests": None if per_unit is None else math.ceil(made.units * per_unit),
            "days": made.units / daily if daily else None,
        }
    )
