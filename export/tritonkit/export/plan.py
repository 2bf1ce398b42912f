"""One export, as asked for: the source, the place, the options."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from tritonkit.errors import ConfigError
from tritonkit.export.accuracy.budget import Budget
from tritonkit.export.origin import Origin
from tritonkit.export.samples.samples import Samples
from tritonkit.export.search.choice import Objective
from tritonkit.export.serving.gpu import check_gpu_precision
from tritonkit.export.serving.labels import label_files
from tritonkit.export.serving.names import ServedNames, served_names, variant_suffixes
from tritonkit.export.serving.options import ServingOptions
from tritonkit.export.sources.source import Source
from tritonkit.export.stages.recipe import PRECISIONS
from tritonkit.export.tiers.tier import TIERS
from tritonkit.repository import check_model_name

__all__ = ["AUTO", "VARIANTS", "ModelVersion", "Plan", "make_plan"]

AUTO = "auto"
"""The variant that is searched for."""

VARIANTS = (AUTO, *PRECISIONS, *TIERS)
"""What export can write: the best found, a precision, or a cheap tier."""

ModelVersion: TypeAlias = int | Literal["next"] | None
"""Version to write beside those that are there; None to replace the models whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    What to export, where to, and how; checked by `make_plan`.

    Args:
        source: The model.
        repository: The model repository.
        name: What clients call.
        variants: Out of VARIANTS, each once; the first is called `name`.
        samples: What the model is judged by.
        samples_given: Whether the user gave them.
        samples_path: The file they come from; empty where there is none.
        task: What a Hugging Face folder is for, where the user said it.
        allow_pickle: Whether a pickle might be loaded.
        budget: What may be lost, as the user said.
        objective: What auto looks for within the budget.
        time_budget: Seconds that auto, or the training of a tier, may take.
        options: How the models are served.
        model_version: Version to write; None to replace the models whole.
        force: Whether to write what is up to date, was made otherwise, or is slower.
    """

    source: Source
    repository: Path
    name: str
    variants: tuple[str, ...]
    samples: Samples
    samples_given: bool
    samples_path: str
    task: str | None
    allow_pickle: bool
    budget: Budget
    objective: Objective
    time_budget: float
    options: ServingOptions
    model_version: ModelVersion
    force: bool

    def budget_of(self, variant: str) -> Budget:
        """What *variant* may lose: auto 1 % of the metric where the user set no limit."""
        unlimited = replace(self.budget, batch_invariant=False) == Budget()
        return replace(self.budget, max_loss=0.01) if variant == AUTO and unlimited else self.budget

    def fingerprint(self, variant: str) -> str:
        """sha256 over all that decides a model: source, samples, options, export's own code."""
        values = [
            self.source.digest,
            self.name,
            self.suffix(variant),
            variant,
            self.samples.origin,
            len(self.samples),
            asdict(self.budget),
            asdict(self.options),
            [self.objective, self.time_budget] if variant in (AUTO, *TIERS) else [],
            _code_digest(),
        ]
        return hashlib.sha256(json.dumps(values).encode()).hexdigest()

    def suffix(self, variant: str) -> str:
        """What *variant* adds to the name: nothing for the first."""
        return variant_suffixes(self.variants)[self.variants.index(variant)]

    def names(self, variant: str) -> ServedNames:
        """The models that *variant* becomes."""
        return served_names(self.source, self.name, self.suffix(variant))

    def origins(self) -> dict[str, Origin]:
        """The origin of each model that the export writes, by its name."""
        origins = {}
        for variant in self.variants:
            names = self.names(variant)
            own = f"{self.name} {self.suffix(variant).removeprefix('_')}".rstrip()
            for name in names.all:
                export = self.name if name in names.shared else own
                origins[name] = Origin(export, self.source.digest)
        return origins


def make_plan(
    source: Source,
    repository: Path,
    *,
    name: str,
    variants: Sequence[str],
    samples: Samples | None,
    samples_path: str,
    task: str | None,
    allow_pickle: bool,
    budget: Budget,
    objective: Objective,
    time_budget: float,
    options: ServingOptions,
    model_version: ModelVersion,
    force: bool,
) -> Plan:
    """
    Check what was asked for.

    Raises:
        ConfigError: If an option is wrong, or does not go with the source.
    """
    wanted = tuple(dict.fromkeys([variants] if isinstance(variants, str) else variants))
    if not wanted or not set(wanted) <= set(VARIANTS):
        raise ConfigError(f"variants must be out of {', '.join(VARIANTS)}, but got {wanted}.")
    if isinstance(model_version, int) and model_version < 1:
        raise ConfigError(f"a model version must be 1 or more, but got {model_version}.")
    judged_by = source.builtin_samples() if samples is None else samples
    if judged_by is None:
        raise ConfigError(
            f"{source.path or source.name} needs samples, because none can be made up for this "
            f"{source.kind}; give some with --samples FILE (.csv, .jsonl, .npz, .txt)."
        )
    if set(wanted) & set(TIERS) and source.comparison != "embeddings":
        raise ConfigError(
            f"the tiers {' and '.join(TIERS)} are of a sentence-transformers folder, "
            f"but {source.path or source.name} is a {source.kind}."
        )
    if options.target == "gpu":
        _check_for_gpu(wanted)
    try:
        label_files(source.labels)
    except ConfigError as error:
        raise ConfigError(f"{source.path or source.name}: {error}") from error
    if samples is None and set(wanted) & set(TIERS):
        raise ConfigError(
            f"the tiers {' and '.join(TIERS)} are trained on texts of yours; "
            "give them with --samples texts.txt."
        )
    return Plan(
        source=source,
        repository=repository,
        name=check_model_name(name),
        variants=wanted,
        samples=judged_by,
        samples_given=samples is not None,
        samples_path=samples_path,
        task=task,
        allow_pickle=allow_pickle,
        budget=budget,
        objective=objective,
        time_budget=time_budget,
        options=options,
        model_version=model_version,
        force=force,
    )


def _check_for_gpu(variants: Sequence[str]) -> None:
    if AUTO in variants:
        raise ConfigError(
            f"{AUTO} measures on this CPU, which tells nothing of a GPU; ask for fp16 or fp32."
        )
    for variant in variants:
        check_gpu_precision(variant)


def _code_digest() -> str:
    """The export's own code, so that a new version makes its models anew."""
    here = Path(__file__).parent
    total = hashlib.sha256()
    for file in sorted([*here.rglob("*.py"), *here.parent.joinpath("repository").rglob("*.py")]):
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()
