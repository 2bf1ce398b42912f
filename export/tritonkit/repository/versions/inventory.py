"""What stands in a model repository: models, versions, and what is known of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tritonkit.errors import RepositoryError
from tritonkit.repository.complete.backend import with_backend
from tritonkit.repository.config import ModelConfig
from tritonkit.repository.digest import model_digest
from tritonkit.repository.layout import ModelDirectory, model_directories
from tritonkit.repository.text.read import parse_config, read_config
from tritonkit.repository.versions.card import CardSummary, read_card_summary
from tritonkit.repository.versions.folders import Ignored, folder_size, version_folders
from tritonkit.repository.versions.policy import loaded_versions, policy_text
from tritonkit.repository.versions.record import Record, read_record

__all__ = ["ModelEntry", "StepEntry", "VersionEntry", "inventory"]

_EXPORT = "tritonkit.export"
"""Parameter: the export that wrote a model, and its precision unless all share it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionEntry:
    """
    One version of a model.

    Args:
        version: Its number.
        served: Whether the version policy serves it.
        answering: Whether it answers where a client asks for no version.
        size_bytes: Of all its files.
        precision: Such as "int8"; empty where nothing says so.
        identity: The digest that its configuration states; empty where none is known.
        before: Whether it was served before, so that a rollback may bring it back.
        card: What was measured; None where it has no card.
    """

    version: int
    served: bool
    answering: bool
    size_bytes: int
    precision: str
    identity: str
    before: bool
    card: CardSummary | None


@dataclass(frozen=True, slots=True)
class StepEntry:
    """
    A model that an ensemble calls.

    Args:
        model: Its name.
        version: The version that is asked for; -1 for the one that answers.
    """

    model: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """
    One model of a repository.

    Args:
        name: Its name.
        error: Why it cannot be read; empty where it can.
        backend: Its backend, "ensemble", or empty where neither the configuration nor a file
            tells it.
        policy: Its version policy in words.
        steps: What it calls, where it is an ensemble.
        versions: Ascending.
        ignored: Folders that are not served, whatever the policy.
        size_bytes: Of all its files.
    """

    name: str
    error: str = ""
    backend: str = ""
    policy: str = ""
    steps: tuple[StepEntry, ...] = ()
    versions: tuple[VersionEntry, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Cards:
    """Cards by the version they lie in, and by those whose files they speak of."""

    own: Mapping[tuple[str, int], CardSummary] = field(default_factory=dict)
    spoken_of: Mapping[tuple[str, int], tuple[CardSummary, ...]] = field(default_factory=dict)

    def precision(self, model: str, version: int) -> str:
        """What the cards agree on; a tokenizer may be shared by several precisions."""
        own = self.own.get((model, version))
        spoken = (own,) if own else self.spoken_of.get((model, version), ())
        precisions = {card.precision for card in spoken}
        return precisions.pop() if len(precisions) == 1 else ""


def inventory(repository: Path) -> tuple[ModelEntry, ...]:
    """
    Every model of *repository*, by name.

    Raises:
        RepositoryError: If *repository* cannot be read. A model that cannot be read is
            in the answer, with its error.
    """
    directories = model_directories(repository)
    cards = _read_cards(directories)
    return tuple(_entry(directory, cards) for directory in directories)


def _read_cards(directories: Sequence[ModelDirectory]) -> _Cards:
    own: dict[tuple[str, int], CardSummary] = {}
    for directory in directories:
        try:
            versions = directory.versions()
        except OSError:
            continue  # its entry tells
        for version in versions:
            card = read_card_summary(directory.version_path(version))
            if card is not None:
                own[directory.name, version] = card
    spoken_of: dict[tuple[str, int], tuple[CardSummary, ...]] = {}
    for card in own.values():
        for key in {_version_of(file) for file in card.files}:
            if key is not None:
                spoken_of[key] = (*spoken_of.get(key, ()), card)
    return _Cards(own, spoken_of)


def _version_of(file: str) -> tuple[str, int] | None:
    """The model and version that the path of a file in the repository begins with."""
    model, _, rest = file.partition("/")
    version = rest.partition("/")[0]
    return (model, int(version)) if version.isascii() and version.isdecimal() else None


def _entry(directory: ModelDirectory, cards: _Cards) -> ModelEntry:
    try:
        config = read_config(directory.path) if directory.config_path.exists() else ModelConfig()
        folders = version_folders(directory.path)
        record = read_record(directory.path)
        versions = _versions(directory, config, folders.versions, record, cards)
        size = folder_size(directory.path)
    except RepositoryError as error:
        return ModelEntry(name=directory.name, error=str(error))
    except OSError as error:
        what = error.filename or directory.path
        return ModelEntry(name=directory.name, error=f"{what} cannot be read: {error.strerror}.")
    ensemble = config.platform == "ensemble" or config.HasField("ensemble_scheduling")
    told = with_backend(config, directory.name, directory.path)
    return ModelEntry(
        name=directory.name,
        backend="ensemble" if ensemble else told.backend or told.platform,
        policy=policy_text(config),
        steps=tuple(
            StepEntry(step.model_name, step.model_version or -1)
            for step in config.ensemble_scheduling.step
        ),
        versions=versions,
        ignored=folders.ignored,
        size_bytes=size,
    )


def _versions(
    directory: ModelDirectory,
    config: ModelConfig,
    versions: Sequence[int],
    record: Record,
    cards: _Cards,
) -> tuple[VersionEntry, ...]:
    served = loaded_versions(config, directory)
    configs = {version: _config_of(version, record) for version in versions}
    if served:
        configs[served[-1]] = config
    return tuple(
        VersionEntry(
            version=version,
            served=version in served,
            answering=version == served[-1] if served else False,
            size_bytes=folder_size(directory.version_path(version)),
            precision=cards.precision(directory.name, version) or _exported_as(configs[version]),
            identity=model_digest(configs[version]),
            before=record.last_of(version) is not None,
            card=cards.own.get((directory.name, version)),
        )
        for version in versions
    )


def _config_of(version: int, record: Record) -> ModelConfig:
    state = record.last_of(version)
    if state is None or state.answering != version:
        return ModelConfig()
    return parse_config(state.config, source="what was served before")


def _exported_as(config: ModelConfig) -> str:
    """The precision in the name of the export that wrote it, such as "minilm int8"."""
    if _EXPORT not in config.parameters:
        return ""
    _, _, precision = config.parameters[_EXPORT].string_value.rpartition(" ")
    return precision if " " in config.parameters[_EXPORT].string_value else ""
