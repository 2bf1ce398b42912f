"""The card of a variant that was made, and the files that hold it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from tritonkit.export.card.card import (
    CARD_JSON,
    CARD_MARKDOWN,
    CARD_PICTURE,
    CHOSEN,
    Card,
    TriedRecipe,
)
from tritonkit.export.card.markdown import card_markdown
from tritonkit.export.command import command_of
from tritonkit.export.plan import AUTO, Plan
from tritonkit.export.search.front import pareto_front
from tritonkit.export.search.picture import front_picture
from tritonkit.export.stages.compatibility import compatibility
from tritonkit.export.stages.instructions import InstructionSet
from tritonkit.export.workshop import Made
from tritonkit.extras import require
from tritonkit.machine import Machine, package_versions
from tritonkit.repository import Model, Tensor, config_inputs, config_outputs

__all__ = ["card_files", "make_card"]

_PACKAGES = ("tritonkit", "numpy", "onnx", "onnxruntime")


def make_card(plan: Plan, variant: str, made: Made, models: Sequence[Model], version: int) -> Card:
    """
    The card of *variant*.

    Args:
        plan: What was asked for.
        variant: Out of `plan.variants`.
        made: What it became.
        models: Those that serve it, the one that clients call last.
        version: Of each of them.
    """
    onnx = require("onnx", extra="export")
    candidate = made.candidate
    cut_short = variant == AUTO and made.tried.interrupted
    needs = compatibility(onnx.load(str(candidate.graph), load_external_data=False))
    return Card(
        model=models[-1].name,
        version=version,
        variant=variant,
        recipe=candidate.recipe,
        summary=candidate.summary,
        reason=made.choice.reason,
        advice=InstructionSet.here().advice(candidate.precision),
        source=plan.source.name,
        source_kind=plan.source.kind,
        source_digest=plan.source.digest,
        notes=plan.source.notes,
        fingerprint="" if cut_short else plan.fingerprint(variant),
        command=command_of(plan),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        inputs=_forms(config_inputs(models[-1].config)),
        outputs=_forms(config_outputs(models[-1].config)),
        size_bytes=candidate.size_bytes,
        times_smaller=candidate.times_smaller,
        accuracy=candidate.accuracy,
        budget=plan.budget_of(variant),
        speed=candidate.speed,
        threads=plan.options.threads,
        tried=_tried(made),
        opset=needs.opset,
        onnxruntime=needs.min_onnxruntime,
        triton=needs.triton_releases,
        machine=asdict(Machine.here()),
        versions=package_versions((*_PACKAGES, *plan.source.versions)),
        files={path: size for model in models for path, size in model.file_sizes().items()},
    )


def card_files(card: Card, made: Made) -> dict[str, bytes]:
    """The card as files of the model's version directory, by name."""
    candidates = made.tried.candidates
    files = {CARD_JSON: card.to_json().encode()}
    if len(candidates) < 2:
        return {**files, CARD_MARKDOWN: card_markdown(card).encode()}
    front = pareto_front(candidates)
    picture = front_picture(candidates, front, made.candidate, title=card.model)
    return {
        **files,
        CARD_MARKDOWN: card_markdown(card, pictured=True).encode(),
        CARD_PICTURE: picture.encode(),
    }


def _forms(tensors: Sequence[Tensor]) -> dict[str, str]:
    return {t.name: f"{t.data_type} [{', '.join(map(str, t.dims))}]" for t in tensors}


def _tried(made: Made) -> tuple[TriedRecipe, ...]:
    front = {candidate.recipe for candidate in pareto_front(made.tried.candidates)}
    refused: Mapping[str, str] = made.choice.refused
    measured = [
        TriedRecipe(
            recipe=one.recipe,
            size_bytes=one.size_bytes,
            times_smaller=one.times_smaller,
            times_faster=one.speed.times_faster,
            value=one.accuracy.value,
            loss=one.accuracy.loss,
            agreement=one.accuracy.agreement,
            cosine_mean=one.accuracy.cosine_mean,
            batch_invariant=one.accuracy.batch.invariant,
            on_front=one.recipe in front,
            verdict=CHOSEN if one is made.candidate else refused.get(one.recipe, ""),
        )
        for one in made.tried.candidates
    ]
    failed = [
        TriedRecipe(recipe=name, verdict=f"failed: {why}")
        for name, why in made.tried.failed.items()
    ]
    why = "the search was interrupted" if made.tried.interrupted else "no time left"
    skipped = [TriedRecipe(recipe=name, verdict=why) for name in made.tried.skipped]
    return (*measured, *failed, *skipped)
