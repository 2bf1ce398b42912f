"""Where the events of experiments are, as commands are told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from tritonkit.client.experiments.log import EventLog
from tritonkit.client.experiments.outcomes import log_at
from tritonkit.client.experiments.sqlite import SqliteLog
from tritonkit.client.policy.policy import load_policy
from tritonkit.errors import ConfigError

__all__ = ["log_options", "open_log"]

F = TypeVar("F", bound=Callable[..., Any])


def log_options(command: F) -> F:
    """Add --log and --policy, of which one is to be given."""
    for option in (
        click.option(
            "--policy",
            "policy_file",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="A policy file that says where experiments are kept.",
        ),
        click.option(
            "--log",
            "place",
            metavar="PATH|URL",
            help="An SQLite file, or redis://, rediss:// or unix://.",
        ),
    ):
        command = option(command)
    return command


def open_log(place: str | None, policy_file: Path | None) -> EventLog:
    """
    The log at a place, or that of a policy.

    Raises:
        ConfigError: If neither says where, or a file is not there.
    """
    if place is not None:
        log = log_at(place)
    elif policy_file is not None:
        found = load_policy(policy_file).experiments()
        if found is None:
            raise ConfigError(f"{policy_file} does not say where experiments are kept.")
        log = found
    else:
        raise ConfigError("--log or --policy must say where experiments are kept.")
    if isinstance(log, SqliteLog) and not log.path.exists():
        raise ConfigError(f"there is no log at {log.path}.")
    return log
