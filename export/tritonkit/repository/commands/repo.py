"""`tritonkit repo`: what stands in a model repository, and which versions are served."""

from __future__ import annotations

from pathlib import Path

import click

from tritonkit.repository.versions.inventory import inventory
from tritonkit.repository.versions.listing import inventory_json, inventory_text

__all__ = ["repo"]

_REPOSITORY = click.Path(path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def repo() -> None:
    """Tell what a model repository holds, and change which versions it serves."""


@repo.command()
@click.argument("repository", type=_REPOSITORY, default="model_repository")
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "json")),
    default="text",
    show_default=True,
    help="What to print.",
)
@click.pass_context
def ls(context: click.Context, repository: Path, form: str) -> None:
    """
    List the models of REPOSITORY: versions, sizes, precision, identity, measurements.

    Exits with 1 where a model cannot be read.

        tritonkit repo ls model_repository
    """
    models = inventory(repository)
    render = inventory_json if form == "json" else inventory_text
    click.echo(render(str(repository), models))
    context.exit(1 if any(model.error for model in models) else 0)
