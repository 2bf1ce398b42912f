"""`tritonkit config diff`."""

from __future__ import annotations

from pathlib import Path

import click

from tritonkit.repository.difference import differences
from tritonkit.repository.served import read_any
from tritonkit.repository.shown import shown

__all__ = ["diff"]


@click.command()
@click.argument("left", type=click.Path(path_type=Path))
@click.argument("right", type=click.Path(path_type=Path))
@click.pass_context
def diff(context: click.Context, left: Path, right: Path) -> None:
    """
    Tell in what the configurations LEFT and RIGHT differ.

    Each is a config.pbtxt, a model directory, or the JSON of a running server. What
    counts is what they mean: not comments, order of maps and tensors, or defaults that
    are written out. Exits with 0 where they are the same, 1 where they differ.

        tritonkit config diff model_repository/fraud fraud.json
    """
    found = differences(read_any(left), read_any(right))
    for difference in found:
        click.echo(shown(f"{difference.path}: {difference.left} -> {difference.right}"))
    context.exit(1 if found else 0)
