"""What already stands in a repository: whether it is up to date, whose it is."""

from __future__ import annotations

from tritonkit.errors import ConfigError, RepositoryError
from tritonkit.export.card.card import CARD_JSON, Card, read_card
from tritonkit.export.origin import Origin, is_edited, read_origin
from tritonkit.export.plan import Plan
from tritonkit.export.sources.source import Part
from tritonkit.repository import (
    CONFIG_NAME,
    ModelConfig,
    ModelDirectory,
    model_directories,
    read_config,
)
from tritonkit.repository.digest import files_digest, model_digest

__all__ = ["check_replaceable", "check_shared_parts", "standing_card"]


def standing_card(plan: Plan, variant: str) -> Card | None:
    """
    The card of *variant* if it is up to date and all its files are there.

    A config.pbtxt that was edited since counts as there: tuning it is not undone.
    """
    directory = ModelDirectory(plan.repository / plan.names(variant).called)
    if not directory.path.is_dir():
        return None
    versions = directory.versions()
    wanted = plan.model_version if isinstance(plan.model_version, int) else max(versions, default=0)
    if wanted not in versions:
        return None
    try:
        card = read_card(directory.version_path(wanted) / CARD_JSON)
    except RepositoryError:
        return None  # written by another version of tritonkit: make it anew
    if card is None or card.fingerprint != plan.fingerprint(variant):
        return None
    models = {card.model, *(path.partition("/")[0] for path in card.files)}
    if not all((plan.repository / model / CONFIG_NAME).is_file() for model in models):
        return None
    for path, size in card.files.items():
        file = plan.repository / path
        if not file.is_file() or file.stat().st_size != size:
            return None
    return card


def check_replaceable(plan: Plan) -> None:
    """
    Refuse to replace what an earlier run of the same export did not write as it stands.

    A new version may have another source: that is what versions are for.

    Raises:
        ConfigError: If a model that *plan* writes is there and is not export's, or is
            of another source or another export, or was edited since; or if it has the
            very version already.
        RepositoryError: If the configuration of such a model cannot be read.
    """
    for name, origin in plan.origins().items():
        directory = ModelDirectory(plan.repository / name)
        if directory.path.exists():
            finding = _finding(plan, directory, origin)
            if finding:
                another = "--name" if plan.model_version is None else "--name or --model-version"
                raise ConfigError(
                    f"{directory.path} is there and {finding}; "
                    f"choose another {another}, or replace it with --force."
                )


def check_shared_parts(plan: Plan) -> None:
    """
    Refuse to change a part under an ensemble that is not exported along.

    Raises:
        ConfigError: If an ensemble in the repository calls a part that *plan* writes, is not
            of the plan itself, and would not be the same model, or not load, any more.
        RepositoryError: If the repository, or a configuration in it, cannot be read.
    """
    parts = _shared_parts(plan)
    if not parts or not plan.repository.is_dir():
        return
    written = plan.origins()
    for directory in model_directories(plan.repository):
        ensemble = _standing_config(directory)
        if ensemble is None or directory.name in written:
            continue
        for name in {step.model_name for step in ensemble.ensemble_scheduling.step} & set(parts):
            finding = _part_finding(plan, name, parts[name], ensemble)
            if finding:
                raise ConfigError(
                    f"{directory.path} calls {name}, which this export writes too, and {finding}; "
                    "export both in one call with --variants, or choose another --name."
                )


def _shared_parts(plan: Plan) -> dict[str, Part]:
    names = plan.names(plan.variants[0])
    parts = {names.before: plan.source.before, names.after: plan.source.after}
    return {name: part for name, part in parts.items() if part is not None and part.shared}


def _standing_config(directory: ModelDirectory) -> ModelConfig | None:
    return read_config(directory.path) if directory.config_path.is_file() else None


def _finding(plan: Plan, directory: ModelDirectory, wanted: Origin) -> str:
    """Why the model in *directory* is not *wanted* as export wrote it; empty where it is."""
    config = _standing_config(directory)
    if config is None or not model_digest(config):
        return "was not written by tritonkit export"
    if plan.model_version in directory.versions():
        return f"has version {plan.model_version} already"
    origin = read_origin(config)
    if origin is None:
        return ""  # a version of tritonkit wrote it that did not sign yet
    if origin.export != wanted.export:
        return f"belongs to the export {origin.export!r}, not {wanted.export!r}"
    if origin.source_digest != wanted.source_digest and plan.model_version is None:
        return "has another source"
    return f"its {CONFIG_NAME} was edited since it was exported" if is_edited(config) else ""


def _part_finding(plan: Plan, name: str, part: Part, ensemble: ModelConfig) -> str:
    """Why *ensemble* would not be the same on *part*; empty where it would."""
    if ensemble.max_batch_size > plan.options.max_batch_size:
        return (
            f"takes batches of {ensemble.max_batch_size}, "
            f"which a {part.role} of max_batch_size {plan.options.max_batch_size} does not"
        )
    standing = _standing_config(ModelDirectory(plan.repository / name))
    if standing is None or model_digest(standing) == files_digest(part.files, part.parameters):
        return ""
    origin = read_origin(standing)
    if origin is not None and origin.source_digest != plan.source.digest:
        return "has another source"
    return f"was made with another {part.role}"
