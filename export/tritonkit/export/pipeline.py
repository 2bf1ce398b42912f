"""The whole way: from a model as people have it to models that Triton serves."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tritonkit.errors import ConfigError, RepositoryError
from tritonkit.export.accuracy.budget import Budget
from tritonkit.export.card.card import Card
from tritonkit.export.evidence import card_files, make_card
from tritonkit.export.origin import sign
from tritonkit.export.plan import AUTO, ModelVersion, Plan, make_plan
from tritonkit.export.samples.read import read_samples
from tritonkit.export.samples.samples import Samples
from tritonkit.export.scratch import scratch_folder
from tritonkit.export.search.choice import Objective
from tritonkit.export.serving import (
    ServingOptions,
    fitted,
    overcommitment,
    served_models,
)
from tritonkit.export.sources.detect import read_source
from tritonkit.export.sources.source import Source
from tritonkit.export.standing import check_replaceable, check_shared_parts, standing_card
from tritonkit.export.workshop import Made, make_variants
from tritonkit.repository import (
    Model,
    check_model_name,
    check_place,
    next_version,
    write_models,
)

__all__ = ["Export", "export_model"]


@dataclass(frozen=True, slots=True)
class Export:
    """
    What an export did.

    Args:
        cards: The card of each variant, in the order asked for.
        written: False where everything was up to date.
    """

    cards: tuple[Card, ...]
    written: bool


def export_model(
    source: Source | Path | str,
    repository: Path,
    *,
    name: str | None = None,
    variants: Sequence[str] | None = None,
    samples: Samples | Path | str | None = None,
    budget: Budget | None = None,
    objective: Objective = "speed",
    time_budget: float = 300.0,
    options: ServingOptions | None = None,
    model_version: ModelVersion = None,
    task: str | None = None,
    allow_pickle: bool = False,
    force: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Export:
    """
    Write a model into a model repository, judged against its source.

    Args:
        source: A path or hub id, as `read_source` takes it, or a source that was read.
        repository: Made if it does not exist; models of other names are left alone.
        name: What clients call; the source's own name by default.
        variants: Out of VARIANTS, one or several. The first is called *name*, each other
            NAME_VARIANT. "auto" by default where there are samples of yours, else "fp32".
        samples: What the model is judged by: a file, as `read_samples` takes it, or
            samples; the source's built-in ones by default.
        budget: What may be lost. By default auto may lose 1 % of the task's metric; a
            precision asked for by name must only not be broken.
        objective: What auto looks for within the budget.
        time_budget: Seconds that the search, or the training of a tier, may take.
        options: How the models are served.
        model_version: "next" or a number, to write that version beside those that are
            there; None to replace the models whole.
        task: For a Hugging Face folder: what it is for.
        allow_pickle: Whether a pickle may be loaded, which runs whatever code it holds.
        force: Write even if everything is up to date, replace models that export did
            not write, that have another source, or whose configuration was edited
            since, and let auto choose what is slower than fp32.
        progress: Told each step.

    Raises:
        ConfigError: If an argument is wrong, or the source is one that export cannot convert.
        MissingExtra: If an extra is not installed.
        ExportError: If a conversion fails, or the model does not answer as its source does.
        RepositoryError: If the repository cannot be written. In each case it is as it
            was before.
    """
    given = read_samples(Path(samples)) if isinstance(samples, (str, os.PathLike)) else samples
    if not isinstance(source, Source):
        source = read_source(source, task=task, allow_pickle=allow_pickle, samples=given)
    elif task is not None:
        raise ConfigError("a task is for a path or hub id; this source was read already.")
    cores = len(os.sched_getaffinity(0))
    options = fitted(options or ServingOptions(), cores=cores)
    if warning := overcommitment(options, cores=cores):
        progress(warning)
    wanted = (AUTO if given is not None else "fp32",) if variants is None else variants
    plan = make_plan(
        source,
        Path(repository),
        name=_own_name(source) if name is None else name,
        variants=wanted,
        samples=given,
        samples_path="" if isinstance(samples, Samples) or samples is None else str(samples),
        task=task,
        allow_pickle=allow_pickle,
        budget=budget or Budget(),
        objective=objective,
        time_budget=time_budget,
        options=options,
        model_version=model_version,
        force=force,
    )
    if not force:
        standing = [standing_card(plan, variant) for variant in plan.variants]
        cards = tuple(card for card in standing if card is not None)
        if len(cards) == len(standing):
            return Export(cards, written=False)
        check_replaceable(plan)
    check_shared_parts(plan)
    check_place(plan.repository)
    with scratch_folder("tritonkit-export-") as scratch:
        made = make_variants(plan, scratch, progress)
        models: dict[str, Model] = {}
        written = []
        for variant in plan.variants:
            served, card = _served(plan, variant, made[variant])
            # A part that variants share is the same in each of them.
            models |= {model.name: model for model in served}
            written.append(card)
            if not card.onnxruntime:
                progress(
                    f"{card.model}: of opset {card.opset}, for which no release of NVIDIA's Triton "
                    "is known; a source of opset 17 runs on each in use"
                )
        for model in models.values():
            sign(model.config, plan.origins()[model.name])
        progress(f"writing {', '.join(models)}")
        write_models(plan.repository, list(models.values()), force=force)
    return Export(tuple(written), written=True)


def _served(plan: Plan, variant: str, made: Made) -> tuple[list[Model], Card]:
    version = _version(plan)
    *others, called = served_models(
        plan.source,
        made.candidate.graph,
        name=plan.name,
        variant_suffix=plan.suffix(variant),
        precision=made.candidate.precision,
        options=plan.options,
        batch_invariant=made.candidate.accuracy.batch.invariant,
        version=version,
        keep_versions=plan.model_version is not None,
    )
    card = make_card(plan, variant, made, [*others, called], version)
    (files,) = called.versions.values()
    called = replace(called, versions={version: {**files, **card_files(card, made)}})
    return [*others, called], card


def _version(plan: Plan) -> int:
    if plan.model_version == "next":
        return next_version(plan.repository, list(plan.origins()))
    return plan.model_version or 1


def _own_name(source: Source) -> str:
    try:
        return check_model_name(source.name)
    except RepositoryError as error:
        raise ConfigError(
            f"the source's name cannot be the model's, so give one with --name: {error}"
        ) from error
