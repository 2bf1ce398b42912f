"""`tritonkit config init`."""

from __future__ import annotations

from pathlib import Path

import click

from tritonkit.errors import RepositoryError
from tritonkit.repository.commands.config.directory import reading
from tritonkit.repository.complete.draft import MAX_BATCH_SIZE, draft_config
from tritonkit.repository.config import CONFIG_NAME
from tritonkit.repository.graph.graph import read_graph
from tritonkit.repository.graph.inference import infer_outputs
from tritonkit.repository.layout import is_version_name
from tritonkit.repository.replace import replace_file

__all__ = ["init"]

_STDOUT = Path("-")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("file", metavar="MODEL.onnx", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    metavar="DIR|-",
    type=click.Path(path_type=Path),
    help="The model's directory, or - to print.  [default: the one that MODEL.onnx is in a version "
    "of, else -]",
)
@click.option("--name", help="What clients call.  [default: the directory's name]")
@click.option(
    "--max-batch-size",
    type=click.IntRange(0),
    help=f"Most rows of one run.  [default: {MAX_BATCH_SIZE}, and 0 where the graph cannot batch]",
)
@click.option("--force", is_flag=True, help="Replace a config.pbtxt that is there.")
def init(
    file: Path, output: Path | None, name: str | None, max_batch_size: int | None, force: bool
) -> None:
    """
    Draft the config.pbtxt of an ONNX model from its graph.

    Names, types and shapes are the graph's; every line has a comment that says what it is for.
    What the graph does not say is told on standard error. MODEL.onnx may be a folder that holds
    a model.onnx with its weights beside it, as Triton takes large models, or a version's folder.

        tritonkit config init model_repository/embed/1/model.onnx

        tritonkit config init model.onnx --name embed -o -
    """
    with reading(file):
        if file.is_dir() and is_version_name(file.resolve().name):
            file = file / "model.onnx"
    home = _home(file)
    directory = home or _STDOUT if output is None else output
    if directory == _STDOUT:
        called = name or (home.name if home else file.stem)
    else:
        called = directory.resolve().name
        if name is not None and name != called:
            raise RepositoryError(
                f"a model is called as its directory: {directory} cannot hold {name!r}. Leave "
                f"--name out, or give -o a directory called {name}."
            )
    # Elsewhere than where it lies it will be put as model.onnx.
    kept = file.name if home and directory in (home, _STDOUT) else "model.onnx"
    with reading(file):
        graph = infer_outputs(read_graph(file))
    draft = draft_config(graph, called, max_batch_size=max_batch_size, file=kept)
    if directory == _STDOUT:
        click.echo(draft.text, nl=False)
    else:
        written = _write(directory, draft.text, force=force)
        click.echo(f"wrote {written}")
        if directory != home:
            click.echo(f"put {file} there as {directory / '1' / 'model.onnx'}", err=True)
    for sentence in draft.unknown:
        click.echo(f"note: {sentence}", err=True)


def _home(file: Path) -> Path | None:
    """The model directory that *file* is in a version folder of."""
    folder = file.absolute().parent
    return folder.parent if is_version_name(folder.name) else None


def _write(directory: Path, text: str, *, force: bool) -> Path:
    file = directory / CONFIG_NAME
    try:
        if file.exists() and not force:
            raise RepositoryError(f"{file} is there already. To replace it, say --force.")
        directory.mkdir(parents=True, exist_ok=True)
        replace_file(file, text.encode())
    except OSError as error:
        raise RepositoryError(f"{file} cannot be written: {error.strerror}.") from error
    return file
