"""`tritonkit export`."""

from __future__ import annotations

from pathlib import Path

import click

from tritonkit.errors import ConfigError, RepositoryError
from tritonkit.export.card import CARD_MARKDOWN, table
from tritonkit.export.plan import PRECISIONS
from tritonkit.export.sentence_transformer import export_sentence_transformer
from tritonkit.repository import check_model_name

__all__ = ["export"]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("source", type=click.Path(path_type=Path))
@click.argument(
    "repository", type=click.Path(path_type=Path, file_okay=False), default="model_repository"
)
@click.option("--name", help="What clients call.  [default: the source folder's name]")
@click.option(
    "--precision",
    "precisions",
    type=click.Choice(PRECISIONS),
    multiple=True,
    default=PRECISIONS,
    show_default=True,
    help="What to write; repeat it for several.",
)
@click.option(
    "--max-batch-size",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="Most rows that one run of a model takes.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Threads of one run of an encoder; 0 for every core of the server.",
)
@click.option("--force", is_flag=True, help="Write even what is up to date or was made otherwise.")
def export(
    source: Path,
    repository: Path,
    name: str | None,
    precisions: tuple[str, ...],
    max_batch_size: int,
    threads: int,
    force: bool,
) -> None:
    """
    Write a model into a model repository, measured against its source.

    SOURCE is a local sentence-transformers folder. Clients call NAME (fp32)
    and NAME_int8: `text` in, shape (rows, 1); `embedding` out, shape (rows,
    dimension). Sizes, cosines and throughput are printed, and kept in the card
    beside the model.
    """
    result = export_sentence_transformer(
        source,
        repository,
        name=_folder_name(source) if name is None else name,
        precisions=precisions,
        max_batch_size=max_batch_size,
        threads=threads,
        force=force,
        progress=lambda step: click.echo(f"{step} ...", err=True),
    )
    click.echo(table(result.cards))
    cards = ", ".join(str(repository / c.model / "1" / CARD_MARKDOWN) for c in result.cards)
    if result.written:
        click.echo(f"written; the cards are {cards}", err=True)
    else:
        click.echo(f"up to date, nothing was written; the cards are {cards}", err=True)


def _folder_name(source: Path) -> str:
    try:
        return check_model_name(source.resolve().name)
    except RepositoryError as error:
        raise ConfigError(
            f"the folder's name cannot be the model's, so give one with --name: {error}"
        ) from error
