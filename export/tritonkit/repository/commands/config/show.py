"""`tritonkit config show`."""

from __future__ import annotations

from pathlib import Path

import click

from tritonkit.repository.check.target import Target
from tritonkit.repository.commands.config.directory import model_directory, reading
from tritonkit.repository.complete.complete import Completed
from tritonkit.repository.complete.model import complete_model
from tritonkit.repository.complete.reasons import reason
from tritonkit.repository.complete.render import render_noted
from tritonkit.repository.layout import ModelDirectory
from tritonkit.repository.served import render_served

__all__ = ["show"]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("path", metavar="MODEL | REPOSITORY MODEL", type=click.Path(path_type=Path))
@click.argument("model", metavar="", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["pbtxt", "json"]),
    default="pbtxt",
    show_default=True,
    help="json: as the server's own config endpoint prints it.",
)
@click.option(
    "--gpus", type=click.IntRange(0, 1024), metavar="N", help="How many GPUs the server sees."
)
@click.option(
    "--auto-complete/--no-auto-complete",
    default=True,
    help="Whether the server completes configurations, which is its default.",
)
@click.pass_context
def show(
    context: click.Context,
    /,
    path: Path,
    model: str | None,
    form: str,
    gpus: int | None,
    auto_complete: bool,
) -> None:
    """
    Tell what Triton runs a model with, without starting it.

    MODEL is the model's directory, or its name in the directory REPOSITORY. Prints the
    configuration as the server completes it: what config.pbtxt says, and what Triton's core
    and the onnxruntime backend fill in, each value with a comment that says who did. The text
    is a valid config.pbtxt. What a Python model completes by its own code is not known.

    Exits with 1 where Triton refuses to complete the model, and says why.

        tritonkit config show model_repository embed

        tritonkit config show model_repository/embed --format json
    """
    with reading(path):
        directory = ModelDirectory(model_directory(path, model))
        completed = complete_model(directory, Target(gpus=gpus, autocomplete=auto_complete))
    if form == "json":
        click.echo(render_served(completed.config), nl=False)
    else:
        click.echo(_text(completed), nl=False)
    for warning in completed.warnings:
        click.echo(f"Triton warns: {warning}", err=True)
    if completed.error:
        click.echo(f"Triton refuses the model: {completed.error}", err=True)
        context.exit(1)


def _text(completed: Completed) -> str:
    beside = {}
    for filled in completed.filled:
        why = reason(filled, completed.config)
        beside[filled.place] = f"filled in: {filled.by}{f', {why}' if why else ''}"
    return render_noted(completed.config, beside=beside)
