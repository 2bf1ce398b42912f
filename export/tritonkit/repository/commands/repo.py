"""`tritonkit repo`: what stands in a model repository, and which versions are served."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import click

from tritonkit.repository.change import changing
from tritonkit.repository.shown import shown
from tritonkit.repository.versions.inventory import inventory
from tritonkit.repository.versions.listing import inventory_json, inventory_text
from tritonkit.repository.versions.plan import Plan
from tritonkit.repository.versions.promotion import plan_promotion, plan_rollback
from tritonkit.repository.versions.pruning import Pruning, plan_pruning, remove
from tritonkit.repository.versions.state import Models

__all__ = ["repo"]

_PATH = click.Path(path_type=Path)
_REPOSITORY = click.option(
    "--repository",
    type=_PATH,
    default="model_repository",
    show_default=True,
    help="Where the models are.",
)
_ALONE = click.option(
    "--alone", is_flag=True, help="Of an ensemble: leave the models that it calls as they are."
)
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def repo() -> None:
    """Tell what a model repository holds, and change which versions it serves."""


@repo.command()
@click.argument("repository", type=_PATH, default="model_repository")
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


@repo.command()
@click.argument("model")
@click.argument("version", type=click.IntRange(min=0))
@_REPOSITORY
@_ALONE
@_DRY_RUN
def promote(model: str, version: int, repository: Path, alone: bool, dry_run: bool) -> None:
    """
    Let VERSION of MODEL answer, and no other.

    It is pinned in config.pbtxt, which is otherwise the one that this version was served
    with. Of an ensemble that export wrote, the models that it calls go with it. A server
    that polls the repository follows without a failed request; any other one on
    its next load.

        tritonkit repo promote embed 2
    """
    _change(repository, lambda models: plan_promotion(models, model, version, alone=alone), dry_run)


@repo.command()
@click.argument("model")
@click.option("--to", type=click.IntRange(min=0), help="The version that is to answer again.")
@_REPOSITORY
@_ALONE
@_DRY_RUN
def rollback(model: str, to: int | None, repository: Path, alone: bool, dry_run: bool) -> None:
    """
    Let MODEL serve what it served before, with the configuration that it had then.

    Once more, and it serves what it served before that.

        tritonkit repo rollback embed
    """
    _change(repository, lambda models: plan_rollback(models, model, to=to, alone=alone), dry_run)


@repo.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    default=2,
    show_default=True,
    help="How many versions stay beside those that are served or called by number.",
)
@_REPOSITORY
@_DRY_RUN
def prune(models: tuple[str, ...], keep: int, repository: Path, dry_run: bool) -> None:
    """
    Remove version folders of MODELs, or of all, that are not needed.

    Never one that is served, or that an ensemble calls by its number.

        tritonkit repo prune --keep 2 --dry-run
    """

    def planned(standing: Models) -> tuple[Pruning, ...]:
        return plan_pruning(standing, models, keep=keep)

    if dry_run:
        _say_lines(_pruning_lines(planned(Models.read(repository))))
        _say_undone()
        return
    with changing(repository) as place:
        prunings = planned(Models.read(place))
        lines = _pruning_lines(prunings)
        remove(place, prunings)
    _say_lines(lines)


def _change(repository: Path, planned: Callable[[Models], Plan], dry_run: bool) -> None:
    if dry_run:
        plan = planned(Models.read(repository))
        _say_lines(plan.lines())
        _say_lines(f"\n{change.diff()}" for change in plan.changes if change.diff())
        _say_undone()
        return
    with changing(repository) as place:
        plan = planned(Models.read(place))
        plan.apply(place)
    _say_lines(plan.lines())


def _pruning_lines(prunings: tuple[Pruning, ...]) -> list[str]:
    """Before anything is removed, whose size is told."""
    lines = [line for pruning in prunings for line in pruning.lines()]
    if not any(pruning.removed for pruning in prunings):
        lines.append("Nothing is to be removed.")
    return lines


def _say_lines(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(shown(line, lines=True))


def _say_undone() -> None:
    click.echo("\nNothing was done: --dry-run.")
