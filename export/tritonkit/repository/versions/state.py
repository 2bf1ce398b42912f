"""What each model of a repository serves at present."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from tritonkit.errors import RepositoryError
from tritonkit.repository.config import ModelConfig
from tritonkit.repository.layout import ModelDirectory, model_directories
from tritonkit.repository.text.document import Document
from tritonkit.repository.text.read import parse_config
from tritonkit.repository.versions.policy import loaded_versions
from tritonkit.repository.versions.record import RECORD_NAME, Record, read_record

__all__ = ["ModelState", "Models"]


@dataclass(frozen=True, slots=True)
class ModelState:
    """
    One model as it stands.

    Args:
        directory: Its directory.
        text: Of its config.pbtxt; empty where it has none.
        config: What the text says.
        versions: Its version folders, ascending.
        record: What it served before.
    """

    directory: ModelDirectory
    text: str
    config: ModelConfig
    versions: tuple[int, ...]
    record: Record

    @classmethod
    def read(cls, directory: ModelDirectory) -> ModelState:
        """
        Read the model in *directory*.

        Raises:
            RepositoryError: If its configuration or its record cannot be read.
        """
        file = directory.config_path
        try:
            there = file.exists()
            versions = directory.versions()
        except OSError as error:
            raise RepositoryError(f"{file} cannot be read: {error.strerror}.") from error
        document = Document.read(file) if there else Document.parse("", source=str(file))
        config, record = document.checked(), read_record(directory.path)
        return cls(directory, document.text, config, versions, record)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.directory.name

    @property
    def served(self) -> tuple[int, ...]:
        """The versions that are served, ascending; the last answers where none is asked for."""
        return loaded_versions(self.config, self.directory)

    def steps_before(self) -> Iterator[Any]:
        """The steps of an ensemble in what it served before."""
        for text in {state.config: None for state in self.record.states}:
            if "ensemble_scheduling" not in text:
                continue
            config = parse_config(text, source=f"{self.name}/{RECORD_NAME}")
            yield from config.ensemble_scheduling.step


@dataclass(frozen=True, slots=True)
class Models:
    """
    The models of a repository.

    Args:
        repository: Where they are.
        states: Those that can be read, by name.
        errors: Why the others cannot, by name.
    """

    repository: Path
    states: Mapping[str, ModelState]
    errors: Mapping[str, str]

    @classmethod
    def read(cls, repository: Path) -> Models:
        """
        Read *repository*.

        Raises:
            RepositoryError: If it cannot be read; a model that cannot is in `errors`.
        """
        states, errors = {}, {}
        for directory in model_directories(repository):
            try:
                states[directory.name] = ModelState.read(directory)
            except RepositoryError as error:
                errors[directory.name] = str(error)
        return cls(repository, states, errors)

    def get(self, name: str) -> ModelState:
        """
        The model *name*.

        Raises:
            RepositoryError: If it is not there, or cannot be read.
        """
        if name in self.errors:
            raise RepositoryError(self.errors[name])
        if name not in self.states:
            near = get_close_matches(name, [*self.states, *self.errors], n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            raise RepositoryError(f"there is no model {name!r} in {self.repository}{hint}")
        return self.states[name]

    def steps_to(self, name: str) -> Iterator[tuple[str, int]]:
        """
        The steps that call the model *name*: the ensemble's name, and the version asked for.

        The version is -1 where the ensemble takes the one that answers.
        """
        for ensemble in self.states.values():
            for step in ensemble.config.ensemble_scheduling.step:
                if step.model_name == name:
                    yield ensemble.name, step.model_version or -1

    def pinned(self, name: str) -> dict[int, str]:
        """The versions of *name* that ensembles ask for, each with an ensemble that does."""
        return {version: ensemble for ensemble, version in self.steps_to(name) if version > 0}
