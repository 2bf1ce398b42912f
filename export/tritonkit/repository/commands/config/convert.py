"""`tritonkit config convert`."""

from __future__ import annotations

from pathlib import Path

import click

from tritonkit.repository.config import render_config
from tritonkit.repository.replace import replace_file
from tritonkit.repository.served import read_form, render_served

__all__ = ["convert"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write it.  [default: standard output]",
)
def convert(file: Path, output: Path | None) -> None:
    """
    Turn FILE into the other form: JSON as a running server gives it, or config.pbtxt.

    FILE is the answer to GET /v2/models/MODEL/config, a config.pbtxt, or a model
    directory. Nothing is lost but comments.

        tritonkit config convert fraud.json -o config.pbtxt
    """
    config, served = read_form(file)
    text = render_config(config) if served else render_served(config)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        replace_file(output, text.encode())
    except OSError as error:
        raise click.ClickException(f"{output} cannot be written: {error.strerror}.") from error
