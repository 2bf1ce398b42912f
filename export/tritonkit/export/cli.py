"""`tritonkit export`."""

from __future__ import annotations

from pathlib import Path

import click

from tritonkit.export.accuracy.budget import Budget
from tritonkit.export.card.card import CARD_MARKDOWN
from tritonkit.export.card.markdown import summary_table
from tritonkit.export.card.tried import tried_table
from tritonkit.export.pipeline import export_model
from tritonkit.export.plan import AUTO, VARIANTS, ModelVersion
from tritonkit.export.search.choice import Objective
from tritonkit.export.serving import ServingOptions
from tritonkit.export.tiers.tier import TIERS
from tritonkit.options import DURATION, SHARE

__all__ = ["export"]


class _Version(click.ParamType):  # type: ignore[type-arg]  # generic in newer clicks only
    name = "next|N"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> ModelVersion:
        if value == "next":
            return "next"
        number = int(value) if str(value).isascii() and str(value).isdecimal() else 0
        if number < 1:
            self.fail(f"a model version is 'next' or a number of 1 or more, not {value!r}.")
        return number


class _Variants(click.ParamType):  # type: ignore[type-arg]  # generic in newer clicks only
    name = "name,..."

    def convert(
        self, value: str | tuple[str, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        names = tuple(name.strip() for name in value.split(","))
        unknown = [name for name in names if name not in VARIANTS]
        if unknown:
            self.fail(f"{unknown[0]!r} is none of {', '.join(VARIANTS)}.")
        return names


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("source")
@click.argument(
    "repository", type=click.Path(path_type=Path, file_okay=False), default="model_repository"
)
@click.option("--name", help="What clients call.  [default: the source's own name]")
@click.option("--task", help="Of a Hugging Face model.  [default: as its config.json says]")
@click.option(
    "--precision",
    type=click.Choice([v for v in VARIANTS if v not in TIERS]),
    help=f"What to write.  [default: {AUTO} with --samples, else fp32]",
)
@click.option(
    "--variants",
    type=_Variants(),
    help="Several at once, separated by commas: the first is called NAME, each other NAME_VARIANT.",
)
@click.option(
    "--tier",
    "tiers",
    type=click.Choice(TIERS),
    multiple=True,
    help="Train a cheap model in the same vector space, from --samples; repeat it for both.",
)
@click.option(
    "--samples",
    type=click.Path(path_type=Path),
    help="What the model is judged by: .txt, .jsonl, .csv, .npz, or a folder of images.",
)
@click.option(
    "--max-accuracy-loss",
    type=SHARE,
    help=f"Share of the task's metric that may be lost.  [default: 1% with {AUTO}]",
)
@click.option("--min-agreement", type=SHARE, help="Least share of answers that stay the same.")
@click.option("--min-cosine", type=click.FloatRange(-1, 1), help="Least mean cosine to the source.")
@click.option("--batch-invariant", is_flag=True, help="An answer must not depend on its batch.")
@click.option(
    "--objective",
    type=click.Choice(["speed", "size"]),
    default="speed",
    show_default=True,
    help=f"What {AUTO} looks for among what keeps these limits.",
)
@click.option(
    "--time-budget",
    type=DURATION,
    default="5m",
    show_default=True,
    help=f"How long {AUTO} may search, and a tier be trained.",
)
@click.option(
    "--max-batch-size",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="Most rows that one run of a model takes.",
)
@click.option(
    "--max-queue-delay",
    type=DURATION,
    default="0s",
    show_default=True,
    help="How long a request may wait for others to join its batch.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Threads of one run of the graph; 0 for every core of the server.",
)
@click.option(
    "--instances",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Copies of the graph that run at the same time.",
)
@click.option(
    "--target",
    type=click.Choice(["cpu", "gpu"]),
    default="cpu",
    show_default=True,
    help="Where Triton runs the graph.",
)
@click.option(
    "--model-version",
    type=_Version(),
    help="Write this version beside those that are there.  [default: replace the models whole]",
)
@click.option(
    "--version-policy",
    default="latest",
    show_default=True,
    help="Which versions Triton loads: latest, latest:N, or all.",
)
@click.option("--warmup/--no-warmup", default=True, show_default=True, help="Ask it once at start.")
@click.option(
    "--allow-pickle",
    is_flag=True,
    help="Load a scikit-learn pickle, which runs whatever code its author put in.",
)
@click.option(
    "--force",
    is_flag=True,
    help="Write what is up to date or was made otherwise; let auto choose what is slower.",
)
def export(
    source: str,
    repository: Path,
    *,
    name: str | None,
    task: str | None,
    precision: str | None,
    variants: tuple[str, ...] | None,
    tiers: tuple[str, ...],
    samples: Path | None,
    max_accuracy_loss: float | None,
    min_agreement: float | None,
    min_cosine: float | None,
    batch_invariant: bool,
    objective: Objective,
    time_budget: float,
    model_version: ModelVersion,
    allow_pickle: bool,
    force: bool,
    max_batch_size: int,
    max_queue_delay: float,
    threads: int,
    instances: int,
    target: str,
    version_policy: str,
    warmup: bool,
) -> None:
    """
    Write a model into a model repository, judged against its source.

    SOURCE is a Hugging Face or sentence-transformers folder, a hub id, an .onnx
    file, an XGBoost (.json, .ubj) or LightGBM (.txt) model, or a scikit-learn
    pickle. What was measured is printed, and kept in a card beside the model.
    Where the model does not answer as its source does, nothing is written.
    """
    if precision is not None and variants is not None:
        raise click.UsageError("--precision is one, --variants are several: give one of them.")
    first = variants or ((precision,) if precision else None)
    if tiers and first is None:
        first = (AUTO if samples is not None else "fp32",)
    limits = {
        "max_loss": max_accuracy_loss,
        "min_agreement": min_agreement,
        "min_cosine": min_cosine,
    }
    given = batch_invariant or any(limit is not None for limit in limits.values())
    result = export_model(
        source,
        repository,
        name=name,
        variants=None if first is None else (*first, *tiers),
        samples=samples,
        budget=Budget(**limits, batch_invariant=batch_invariant) if given else None,
        objective=objective,
        time_budget=time_budget,
        options=ServingOptions(
            max_batch_size=max_batch_size,
            max_queue_delay=max_queue_delay,
            threads=threads,
            instances=instances,
            target=target,  # type: ignore[arg-type]  # one of the choices
            version_policy=version_policy,
            warmup=warmup,
        ),
        model_version=model_version,
        task=task,
        allow_pickle=allow_pickle,
        force=force,
        progress=lambda step: click.echo(step, err=True),
    )
    for card in result.cards:
        if card.variant == AUTO:
            told = (tried_table(card), f"On another machine: {card.advice}", "")
            click.echo("\n\n".join(filter(None, told)) + "\n")
    click.echo(summary_table(result.cards))
    cards = ", ".join(
        str(repository / c.model / str(c.version) / CARD_MARKDOWN) for c in result.cards
    )
    if result.written:
        click.echo(f"written; the cards are {cards}", err=True)
    else:
        click.echo(f"up to date, nothing was written; the cards are {cards}", err=True)
