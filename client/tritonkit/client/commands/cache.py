"""`tritonkit cache`: look into a cache, empty it, size it, fill it."""

from __future__ import annotations

import click

from tritonkit.client.commands.flush import flush
from tritonkit.client.commands.stats import stats
from tritonkit.client.commands.warm import warm
from tritonkit.client.commands.what_if import what_if

__all__ = ["cache"]


@click.group()
def cache() -> None:
    """Look into a cache, empty it, size it, fill it."""


for _command in (flush, stats, warm, what_if):
    cache.add_command(_command)
