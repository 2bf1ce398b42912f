"""`tritonkit ensemble`: models of a repository, called one after the other as one."""

from __future__ import annotations

import os
from pathlib import Path

import click

from tritonkit.errors import RepositoryError
from tritonkit.repository.config import render_config
from tritonkit.repository.ensemble.ensemble import Ensemble
from tritonkit.repository.ensemble.notation import NOTATION, parse_step
from tritonkit.repository.ensemble.pruning import is_answered
from tritonkit.repository.ensemble.wiring import Wiring
from tritonkit.repository.layout import check_model_name
from tritonkit.repository.write import write_models

__all__ = ["ensemble"]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("name")
@click.argument("steps", metavar=f"STEP...  ({NOTATION})", nargs=-1, required=True)
@click.option(
    "--repository",
    type=click.Path(path_type=Path),
    default="model_repository",
    show_default=True,
    help="Where the models are, and where the ensemble is written.",
)
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="TENSOR",
    help="What clients send; else all that no step gives. Can be repeated.",
)
@click.option(
    "--output",
    "outputs",
    multiple=True,
    metavar="TENSOR",
    help="What clients receive; else what the last step gives. Can be repeated.",
)
@click.option(
    "--max-batch-size",
    type=click.IntRange(0, 2**31 - 1),
    metavar="N",
    help="Rows of a request; else the most that all models take.",
)
@click.option("--dry-run", is_flag=True, help="Print the configuration, and write nothing.")
@click.option("--force", is_flag=True, help="Replace a model of this name.")
def ensemble(
    name: str,
    steps: tuple[str, ...],
    *,
    repository: Path,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    max_batch_size: int | None,
    dry_run: bool,
    force: bool,
) -> None:
    """
    Write an ensemble that calls models of a repository one after the other.

    A step is a model. Its inputs take what steps before it give by the same name, and clients
    send the rest. Where names differ, say which tensor an input takes or an output gives:
    `encoder:input_ids=ids,last_hidden_state=embedding`. The name before the sign is the
    model's. Data types, dims and the batch size come from the models. With `@2` a step calls
    version 2, else the newest.

    Prints the configuration. Where something does not fit, it says all of it, writes nothing
    and exits with 2.

        tritonkit ensemble embed tokenizer encoder:input_ids=ids

        tritonkit ensemble twice add 'add:x<-y,y->sum' --dry-run
    """
    check_model_name(name)
    if not repository.is_dir():
        raise RepositoryError(
            f"{repository} is no directory; --repository names the one that holds the models."
        )
    if os.path.lexists(repository / name) and not force and not dry_run:
        raise RepositoryError(
            f"there is a model {name!r} in {repository} already; --force replaces it."
        )
    built = Ensemble(name, repository).input(*inputs).output(*outputs)
    for text in steps:
        step = parse_step(text)
        built.step(step.model, *step.sides(built.called(step.model)), version=step.version)
    model = built.model(max_batch_size=max_batch_size)
    click.echo(render_config(model.config, model.comments), nl=False)
    if not dry_run:
        write_models(repository, [model])
        click.echo(f"Wrote {repository / name}.", err=True)
    wiring = Wiring(model.config)
    alone = [repr(str(t.name)) for t in model.config.output if not is_answered(wiring, [t.name])]
    if alone:
        click.echo(
            f"Note: a request of {' or '.join(alone)} alone is not answered, because a later step "
            "takes an output. Clients must ask for all outputs (TK185).",
            err=True,
        )
