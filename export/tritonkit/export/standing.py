"""What already stands in a repository: whether it is up to date, whose it is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tritonkit.errors import ConfigError, RepositoryError
from tritonkit.export.card import CARD_JSON, Card, read_card
from tritonkit.export.serving import model_digest
from tritonkit.repository import CONFIG_NAME, ModelDirectory, read_config

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


def check_replaceable(repository: Path, models: Iterable[str]) -> None:
    """
    Refuse to replace a model directory that export did not write.

    Raises:
        ConfigError: If one of *models* is there without export's digest in its configuration.
    """
    for name in models:
        directory = ModelDirectory(repository / name)
        if not directory.path.exists():
            continue
        config = read_config(directory.path) if directory.config_path.is_file() else None
        if config is None or not model_digest(config):
            raise ConfigError(
                f"{directory.path} is there and was not written by tritonkit export; "
                "choose another --name, or replace it with --force."
            )


def check_shared_tokenizer(repository: Path, others: Iterable[str], source_digest: str) -> None:
    """
    Refuse to change the tokenizer under an ensemble that is not exported along.

    Raises:
        ConfigError: If one of *others* stands in *repository* and has another source.
    """
    for ensemble in others:
        card = read_card(repository / ensemble / "1" / CARD_JSON)
        if card is not None and card.source_digest != source_digest:
            raise ConfigError(
                f"{repository / ensemble} shares its tokenizer with this export and has another "
                f"source; export {card.precision} along, or choose another --name."
            )
