"""From a plan to candidates: converted, tried, judged and chosen; nothing is written yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from tritonkit.errors import ExportError
from tritonkit.export.accuracy.budget import Budget, default_budget, tightest
from tritonkit.export.accuracy.table import accuracy_table, worst_table
from tritonkit.export.loss import GraphLoss
from tritonkit.export.plan import AUTO, Plan
from tritonkit.export.samples.calibration import calibration_batches
from tritonkit.export.samples.extremes import with_extremes
from tritonkit.export.samples.samples import Samples
from tritonkit.export.search.candidate import Candidate
from tritonkit.export.search.choice import Choice, choose
from tritonkit.export.search.trial import Tried, try_recipes
from tritonkit.export.sources.texts.sentence_transformer import SentenceTransformer
from tritonkit.export.stages.catalogue import standard
from tritonkit.export.stages.instructions import InstructionSet
from tritonkit.export.stages.recipe import PRECISIONS, Bench, Recipe
from tritonkit.export.stages.search_space import search_space
from tritonkit.export.tiers.recipe import TierRecipe
from tritonkit.export.tiers.split import split_samples
from tritonkit.export.tiers.tier import TIERS, TierKind

__all__ = ["Made", "make_variants"]

_BASE = "fp32"


@dataclass(frozen=True, slots=True)
class Made:
    """
    One variant, ready to be served.

    Args:
        candidate: Its finished graph and figures.
        choice: Why it, and what the others lack.
        tried: Everything that it was chosen among.
    """

    candidate: Candidate
    choice: Choice
    tried: Tried


def make_variants(
    plan: Plan, folder: Path, progress: Callable[[str], None] = lambda _: None
) -> Mapping[str, Made]:
    """
    Make and judge each variant of *plan*.

    Args:
        plan: What is wanted.
        folder: An empty directory, which must be there until the graphs are written.
        progress: Told each step.

    Raises:
        ConfigError: If the source or a sample is one that export cannot convert.
        ExportError: If a conversion fails, or its answers are not the source's to within the
            budget; the message shows how far off they are, and for which samples.
        MissingExtra: If an extra is not installed.
    """
    source = plan.source
    texts, judged_by = _divided(plan)
    samples = with_extremes(source, judged_by)
    named = {
        recipe.name: recipe
        for variant in (_BASE, *plan.variants)
        if variant != AUTO
        for recipe in [_recipe(plan, variant, texts, progress)]
    }
    progress(f"converting to ONNX, and asking the source for {len(samples)} answers")
    if not plan.samples_given:
        own = f"{len(judged_by)} of our own ({judged_by.origin})"
        progress(f"no samples were given: the model is judged by {own}")
    converted = source.convert(_made(folder / "converted"), samples)
    bench = Bench(
        graph=converted.graph,
        calibration=calibration_batches(source, samples),
        loss=GraphLoss(source, converted.graph, judged_by, _made(folder / "loss")),
        scratch=_made(folder / "bench"),
    )
    tried = try_recipes(
        source,
        bench,
        list(named.values()),
        samples=samples,
        reference=converted.reference,
        folder=_made(folder / "graphs"),
        threads=plan.options.threads,
        optional=_searched_for(plan, converted.graph, named),
        time_budget=plan.time_budget,
        # What is wrong with fp32 is wrong with the conversion.
        check=lambda base: _check(base, default_budget(_BASE, source.comparison)),
        progress=progress,
    )
    made = {}
    for variant in plan.variants:
        if variant == AUTO:
            made[variant] = _searched(plan, tried)
        else:
            made[variant] = _asked_for(plan, variant, tried)
    return made


def _divided(plan: Plan) -> tuple[Sequence[str], Samples]:
    """Texts to train tiers on, and samples to judge everything by; no text is in both."""
    return split_samples(plan.samples) if set(plan.variants) & set(TIERS) else ((), plan.samples)


def _searched_for(plan: Plan, graph: Path, named: Mapping[str, Recipe]) -> list[Recipe]:
    if AUTO not in plan.variants:
        return []
    space = search_space(graph, calibrated=True, instructions=InstructionSet.here())
    return [recipe for recipe in space if recipe.name not in named]


def _recipe(
    plan: Plan, variant: str, texts: Sequence[str], progress: Callable[[str], None]
) -> Recipe:
    """That of a variant which was asked for by name."""
    if variant in PRECISIONS:
        return standard(variant)
    return TierRecipe(
        kind=cast("TierKind", variant),
        source=cast("SentenceTransformer", plan.source),
        texts=texts,
        threads=plan.options.threads,
        seconds=plan.time_budget,
        progress=progress,
    )


def _searched(plan: Plan, tried: Tried) -> Made:
    """The best of what keeps the budget, and is not broken; tiers are another matter."""
    searched = [one for one in tried.candidates if one.recipe not in TIERS]
    broken = {
        one.recipe: "; ".join(why)
        for one in searched
        if (why := default_budget(one.precision, plan.source.comparison).findings(one.accuracy))
    }
    choice = choose(
        [one for one in searched if one.recipe not in broken],
        budget=plan.budget_of(AUTO),
        objective=plan.objective,
        force=plan.force,
    )
    choice = replace(choice, refused={**broken, **choice.refused})
    if choice.candidate is None:
        raise ExportError(f"{choice.reason}. Nothing was written.\n{_evidence(searched[0])}")
    return Made(choice.candidate, choice, tried)


def _asked_for(plan: Plan, variant: str, tried: Tried) -> Made:
    name = variant if variant in TIERS else standard(variant).name
    if name in tried.failed:
        raise ExportError(f"{variant}: {tried.failed[name]} Nothing was written.")
    for candidate in tried.candidates:
        if candidate.recipe == name:
            _check(candidate, _due(plan, variant))
            choice = Choice(candidate=candidate, reason="asked for by name", refused={})
            return Made(candidate, choice, tried)
    raise ExportError(f"{variant} was not tried: the export was interrupted. Nothing was written.")


def _due(plan: Plan, variant: str) -> Budget:
    """What a variant asked for by name must keep; a tier is there to lose."""
    if variant in TIERS:
        return Budget()
    return tightest(default_budget(variant, plan.source.comparison), plan.budget)


def _check(candidate: Candidate, budget: Budget) -> None:
    findings = budget.findings(candidate.accuracy)
    if findings:
        raise ExportError(
            f"{candidate.recipe} does not answer as the source does: {'; '.join(findings)}. "
            f"Nothing was written.\n{_evidence(candidate)}"
        )


def _evidence(candidate: Candidate) -> str:
    accuracy = candidate.accuracy
    return f"\n{accuracy_table(accuracy)}\n\n{worst_table(accuracy)}"


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
