"""`tritonkit experiment stop` and `promote`: how an experiment ends."""

from __future__ import annotations

import asyncio
import difflib
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import click

from tritonkit.client.commands.log_options import log_options, open_log
from tritonkit.client.experiments.control import State
from tritonkit.client.experiments.events import wall_clock
from tritonkit.client.experiments.log import EventLog
from tritonkit.client.policy.policy import Policy
from tritonkit.client.policy.promotion import promoted
from tritonkit.errors import ConfigError

__all__ = ["promote", "stop"]


@click.command()
@click.argument("name")
@log_options
@click.option("--reason", required=True, help="Why, for whoever asks later.")
def stop(name: str, place: str | None, policy_file: Path | None, reason: str) -> None:
    """
    Stop experiment NAME: within seconds the control arm answers everybody.

    Written to the log, which every Split follows.

        tritonkit experiment stop int8 --log experiments.db --reason "wrong answers in German"
    """
    asyncio.run(_steer(open_log(place, policy_file), name, "stopped", "", reason))
    click.echo(f"{name} is stopped; its control arm answers everybody.")


@click.command()
@click.argument("name")
@click.argument("arm")
@log_options
@click.option(
    "--now",
    is_flag=True,
    help="Write it to the log: the arm answers everybody within seconds, and the file stays.",
)
@click.option("--reason", default="", help="Why, for whoever asks later; with --now.")
@click.option("--diff", is_flag=True, help="Print what changes in the file.")
@click.option("--dry-run", is_flag=True, help="Print what would change, and change nothing.")
def promote(
    name: str,
    arm: str,
    place: str | None,
    policy_file: Path | None,
    now: bool,
    reason: str,
    diff: bool,
    dry_run: bool,
) -> None:
    """
    End experiment NAME: ARM answers everybody.

    With --policy the file is written: the arm's model, layers and server take the
    place of the experiment, and everything else stays as it is, comments too. It holds for
    programs that read the file from then on; the experiment is over for good.

    With --now the log is told instead, and every Split that runs follows within seconds; no
    program starts anew. It holds as long as the log does: write the file as well before
    long.

        tritonkit experiment promote int8 treatment --log experiments.db --now

        tritonkit experiment promote int8 treatment --policy serving.toml --diff
    """
    if now:
        if diff or dry_run:
            raise ConfigError("--diff and --dry-run are about the file; --now leaves it alone.")
        log = open_log(place, policy_file)
        asyncio.run(_steer(log, name, "promoted", arm, reason or f"{arm} is promoted"))
        click.echo(f"{name}: {arm} answers everybody.")
        return
    if policy_file is None:
        raise ConfigError("--policy must name the file to write; or tell the log with --now.")
    if place is not None or reason:
        raise ConfigError("--log and --reason are for --now; a file is written without them.")
    try:
        # As it is written: newlines of another kind stay.
        old = policy_file.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{policy_file} cannot be read: {error}") from error
    new = promoted(old, name, arm)
    _check(policy_file, old, new)
    if diff or dry_run:
        lines = difflib.unified_diff(
            old.splitlines(keepends=True),
            new.splitlines(keepends=True),
            str(policy_file),
            str(policy_file),
        )
        click.echo("".join(lines), nl=False)
    if not dry_run:
        _replace(policy_file, new)
        click.echo(f"{policy_file}: {arm} is all that is left of {name}.", err=True)


async def _steer(log: EventLog, name: str, state: State, arm: str, reason: str) -> None:
    async with log:
        if name not in await log.experiments():
            raise ConfigError(f"the log knows no experiment {name!r}.")
        known = {each for weights in (await log.weights(name)).values() for each in weights}
        if arm and known and arm not in known:
            raise ConfigError(f"arm must be one of {sorted(known)}, but got {arm!r}.")
        while True:
            # A bandit's weights may change meanwhile.
            control = await log.control(name)
            said = replace(control, state=state, arm=arm, reason=reason, at=wall_clock())
            if await log.steer(name, said, replacing=control):
                return


def _check(path: Path, old: str, new: str) -> None:
    """Where the old one is right, the new one must be."""
    try:
        Policy(old, name=str(path))
    except ConfigError:
        # Its variables may be set elsewhere only.
        return
    Policy(new, name=f"{path} without the experiment")


def _replace(path: Path, text: str) -> None:
    """Write all of it or nothing."""
    target = path.resolve()
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode())
            Path(name).chmod(target.stat().st_mode & 0o7777)
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error}") from error
