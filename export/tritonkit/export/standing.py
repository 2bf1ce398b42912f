"""What already stands in a repository: whether it is up to date, whose it is."""

from __future__ import annotations

from pathlib import Path

from tritonkit.errors import ConfigError, RepositoryError
from tritonkit.export.card import CARD_JSON, Card, read_card
from tritonkit.export.origin import Origin, is_edited, read_origin
from tritonkit.export.plan import PRECISIONS, Plan
from tritonkit.export.serving import (
    encoder_name,
    ensemble_digest,
    ensemble_name,
    model_digest,
    tokenizer_name,
)
from tritonkit.repository import CONFIG_NAME, Model, ModelConfig, ModelDirectory, read_config

__all__ = ["check_replaceable", "check_shared_tokenizer", "standing_card"]


def standing_card(repository: Path, ensemble: str, recipe: str) -> Card | None:
    """
    The card of *ensemble* if it was made by *recipe* and all its files are there.

    A config.pbtxt that was edited since counts as there: tuning it is not undone.
    """
    try:
        card = read_card(repository / ensemble / "1" / CARD_JSON)
    except RepositoryError:
        return None  # written by another version of tritonkit: make it anew
    if card is None or card.recipe != recipe:
        return None
    models = {ensemble, *(path.partition("/")[0] for path in card.files)}
    if not all((repository / model / CONFIG_NAME).is_file() for model in models):
        return None
    for path, size in card.files.items():
        file = repository / path
        if not file.is_file() or file.stat().st_size != size:
            return None
    return card


def check_replaceable(plan: Plan) -> None:
    """
    Refuse to replace what an earlier run of the same export did not write as it stands.

    Raises:
        ConfigError: If a model that *plan* writes is there and is not export's, or is
            of another source or another export, or was edited since.
        RepositoryError: If the configuration of such a model cannot be read.
    """
    for name, origin in plan.models().items():
        directory = ModelDirectory(plan.repository / name)
        if directory.path.exists():
            finding = _finding(_standing_config(directory), origin)
            if finding:
                raise ConfigError(
                    f"{directory.path} is there and {finding}; "
                    "choose another --name, or replace it with --force."
                )


def check_shared_tokenizer(plan: Plan, tokenizer: Model) -> None:
    """
    Refuse to change the tokenizer under an ensemble that is not exported along.

    Args:
        plan: What is to be written.
        tokenizer: What it writes as the tokenizer.

    Raises:
        ConfigError: If a precision of the same name stands in the repository, is not
            one of the plan's, and would not be the same model, or not load, any more.
        RepositoryError: If its configuration cannot be read.
    """
    for precision in PRECISIONS:
        if precision in plan.precisions:
            continue
        ensemble = ModelDirectory(plan.repository / ensemble_name(plan.name, precision))
        encoder = ModelDirectory(plan.repository / encoder_name(plan.name, precision))
        parts = _standing_config(ensemble), _standing_config(encoder)
        if parts[0] is None or parts[1] is None:
            continue
        finding = _tokenizer_finding(plan, tokenizer, *parts)
        if finding:
            raise ConfigError(
                f"{ensemble.path} shares its tokenizer with this export and {finding}; "
                f"export {precision} along, or choose another --name."
            )


def _standing_config(directory: ModelDirectory) -> ModelConfig | None:
    return read_config(directory.path) if directory.config_path.is_file() else None


def _finding(config: ModelConfig | None, wanted: Origin) -> str:
    """Why the model of *config* is not *wanted* as export wrote it; empty where it is."""
    if config is None or not model_digest(config):
        return "was not written by tritonkit export"
    origin = read_origin(config)
    if origin is None:
        return ""  # a version of tritonkit wrote it that did not sign yet
    if origin.export != wanted.export:
        return f"belongs to the export {origin.export!r}, not {wanted.export!r}"
    if origin.source_digest != wanted.source_digest:
        return "has another source"
    return f"its {CONFIG_NAME} was edited since it was exported" if is_edited(config) else ""


def _tokenizer_finding(
    plan: Plan, tokenizer: Model, ensemble: ModelConfig, encoder: ModelConfig
) -> str:
    """Why *ensemble* would not be the same on *tokenizer*; empty where it would."""
    called = {step.model_name for step in ensemble.ensemble_scheduling.step}
    if tokenizer_name(plan.name) not in called:
        return ""
    origin = read_origin(ensemble)
    if origin is not None and origin.source_digest != plan.source.digest:
        return "has another source"
    if ensemble.max_batch_size > tokenizer.config.max_batch_size:
        return (
            f"takes batches of {ensemble.max_batch_size}, "
            f"which a tokenizer of max_batch_size {tokenizer.config.max_batch_size} does not"
        )
    if model_digest(ensemble) != ensemble_digest(tokenizer.config, encoder):
        return "was made with another tokenizer"
    return ""
