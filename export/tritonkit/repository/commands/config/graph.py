"""`tritonkit config graph`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from tritonkit.errors import RepositoryError
from tritonkit.repository.check.neighbours import Neighbours
from tritonkit.repository.check.target import Target
from tritonkit.repository.commands.config.directory import model_directory
from tritonkit.repository.ensemble.picture.as_mermaid import render_mermaid
from tritonkit.repository.ensemble.picture.as_svg import render_svg
from tritonkit.repository.ensemble.picture.as_text import render_text
from tritonkit.repository.ensemble.picture.diagram import Diagram
from tritonkit.repository.ensemble.picture.draw import draw
from tritonkit.repository.replace import replace_file

__all__ = ["graph"]

_FORMATS: dict[str, Callable[[Diagram], str]] = {
    "text": render_text,
    "mermaid": render_mermaid,
    "svg": render_svg,
}
_ENDINGS = {
    ".svg": "svg",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".md": "mermaid",
    ".txt": "text",
    "": "text",
}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("path", metavar="MODEL | REPOSITORY MODEL", type=click.Path(path_type=Path))
@click.argument("model", metavar="", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(list(_FORMATS)),
    help="What to print; else what the name of the output file ends with, or text.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file to write, in place of the terminal.",
)
@click.option(
    "--open", "opened", is_flag=True, help="Show ensembles that it calls with what is in them."
)
def graph(
    path: Path, model: str | None, *, form: str | None, output: Path | None, opened: bool
) -> None:
    """
    Draw an ensemble, or a model with its tensors.

    MODEL is the model's directory, or its name in the directory REPOSITORY. Shapes come from
    the completed configurations of its models. What is wrong with the wiring is red, with a
    number that is explained below.

    mermaid is text that GitHub draws in Markdown, between ```mermaid and ```.

        tritonkit config graph model_repository embed

        tritonkit config graph model_repository/embed -o embed.svg
    """
    directory = model_directory(path, model)
    subject = Neighbours([directory.parent], Target()).get(directory.name)
    if subject is None:
        raise RepositoryError(f"{directory} is no directory, so that it holds no model.")
    if not subject.parsed:
        raise RepositoryError(
            f"{subject.config_path} cannot be read; `tritonkit check {directory}` says why."
        )
    render = _FORMATS[form or _form_of(output)]
    text = render(draw(subject, opened=opened))
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        replace_file(output, text.encode())
    except OSError as error:
        raise RepositoryError(f"{output} cannot be written: {error.strerror}.") from error
    click.echo(f"Wrote {output}.", err=True)


def _form_of(output: Path | None) -> str:
    ending = output.suffix.lower() if output is not None else ""
    if ending not in _ENDINGS:
        raise RepositoryError(
            f"{output}: no picture is written as {ending}; name the file .svg, .mmd or .txt, or "
            "give --format."
        )
    return _ENDINGS[ending]
