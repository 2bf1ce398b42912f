"""`tritonkit experiment guard`: a process that stops what harms."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import click

from tritonkit.client.commands.log_options import log_options, open_log
from tritonkit.client.experiments.guard import Guard, Harm
from tritonkit.client.experiments.guarded import Guarded
from tritonkit.client.experiments.log import EventLog
from tritonkit.client.experiments.question import Direction
from tritonkit.client.layers.split.guarding import stop_if_harmful
from tritonkit.errors import ConfigError, ServerUnavailable
from tritonkit.units import parse_duration

__all__ = ["guard"]


@click.command()
@click.argument("name")
@log_options
@click.option(
    "--metric",
    required=True,
    metavar="NAME",
    help="An outcome, or errors, degraded, latency, cost or answers.",
)
@click.option(
    "--harm",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="How much worse than the control an arm may be, in the metric's unit.",
)
@click.option("--relative", is_flag=True, help="--harm is a share of the control's.")
@click.option("--better", type=click.Choice(["higher", "lower"]), help="Which way is.")
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.01,
    show_default=True,
    help="The chance to stop what does no harm, however long it goes on.",
)
@click.option("--every", default="30s", show_default=True, help="How often to look.")
@click.option("--once", is_flag=True, help="Look once, as from a timer.")
@click.pass_context
def guard(
    context: click.Context,
    name: str,
    place: str | None,
    policy_file: Path | None,
    metric: str,
    harm: float,
    relative: bool,
    better: str | None,
    alpha: float,
    every: str,
    once: bool,
) -> None:
    """
    Watch experiment NAME, and stop it where an arm harms METRIC.

    As a Split does with guards, for who would rather have a process of its own. Exits
    with 1 where it has stopped the experiment, with 0 where somebody else did, or
    after a look with --once.

        tritonkit experiment guard int8 --log experiments.db --metric errors --harm 0.01
    """
    watched = Guard(
        metric, harm, relative=relative, better=cast("Direction | None", better), alpha=alpha
    )
    interval = parse_duration(every, name="--every")
    if not interval:
        raise ConfigError(f"--every must be more than 0, but got {every!r}.")
    found = asyncio.run(_watch(open_log(place, policy_file), name, watched, interval, once))
    if found is None:
        click.echo(f"{name}: no arm is known to harm {metric}." if once else f"{name} has ended.")
        return
    click.echo(f"{name} is stopped: {found.reason}.")
    context.exit(1)


async def _watch(
    log: EventLog, name: str, watched: Guard, interval: float, once: bool
) -> Harm | None:
    guarded, after = Guarded((watched,), "", ()), ""
    async with log:
        if name not in await log.experiments():
            raise ConfigError(f"the log knows no experiment {name!r}.")
        while True:
            try:
                version, arms = await _newest(log, name)
                if guarded.version != version:
                    guarded, after = Guarded((watched,), version, arms), ""
                after, harm = await stop_if_harmful(log, name, guarded, after)
                ended = (await log.control(name)).state != "running"
            except ServerUnavailable as error:
                if once:
                    raise
                click.echo(f"not guarded: {error}", err=True)
            else:
                if harm is not None or once or ended:
                    return harm
            await asyncio.sleep(interval)


async def _newest(log: EventLog, name: str) -> tuple[str, list[str]]:
    """The version that was described last, and its arms, the control first."""
    known = await log.weights(name)
    if not known:
        raise ConfigError(f"the log does not know the arms of {name!r}.")
    version = list(known)[-1]
    return version, list(known[version])
