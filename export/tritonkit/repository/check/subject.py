"""One model under check, and what can be known of it without a server."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tritonkit.errors import RepositoryError
from tritonkit.repository.check.entry import Entry, entries_of
from tritonkit.repository.check.pair import Pair, pairs_of
from tritonkit.repository.complete.backend import with_backend
from tritonkit.repository.complete.complete import Completed, complete
from tritonkit.repository.config import ModelConfig
from tritonkit.repository.graph.graph import Graph, GraphError, read_graph
from tritonkit.repository.graph.inference import infer_outputs
from tritonkit.repository.layout import ModelDirectory
from tritonkit.repository.present import is_there
from tritonkit.repository.text.document import Document
from tritonkit.repository.versions.policy import served_versions

if TYPE_CHECKING:
    from tritonkit.repository.check.neighbours import Neighbours
    from tritonkit.repository.check.target import Target

__all__ = ["Subject"]


class Subject:
    """
    A model under check; each thing is read once, when a rule first asks for it.

    Args:
        directory: Its directory; None for a configuration that stands alone, of which
            nothing is known but its text.
        config_path: Its configuration, whether or not it is there.
        target: The server that is to load it.
        neighbours: The models beside it.
    """

    def __init__(
        self,
        directory: ModelDirectory | None,
        config_path: Path,
        target: Target,
        neighbours: Neighbours,
    ) -> None:
        self.directory = directory
        self.config_path = config_path
        self.target = target
        self.neighbours = neighbours
        self.unreadable = ""
        """Why the configuration cannot be read, where it is there."""

    @property
    def name(self) -> str:
        """The model's name, which is its directory's."""
        if self.directory is not None:
            return self.directory.name
        given = self.document.partial.name if self.document else ""
        return str(given) or self.config_path.parent.resolve().name

    @cached_property
    def document(self) -> Document | None:
        """The configuration as text; None where it is not there or cannot be read."""
        try:
            if not self.config_path.exists():
                return None
        except OSError as error:
            self.unreadable = f"{self.config_path} cannot be read: {error.strerror}."
            return None
        if self.config_path.is_dir():
            self.unreadable = f"{self.config_path.name} is a folder, over which the server ends."
            return None
        if self.directory is not None and not self.config_path.is_file():
            self.unreadable = f"{self.config_path.name} is no file, such as a pipe."
            return None
        text = self.neighbours.texts.get(self.config_path)
        if text is not None:
            return Document.parse(
                text.decode("utf-8", "surrogateescape"), source=str(self.config_path)
            )
        try:
            return Document.read(self.config_path)
        except RepositoryError as error:
            self.unreadable = str(error)
            return None

    @cached_property
    def parsed(self) -> bool:
        """Whether there is a configuration to speak of: one that is read, or none at all."""
        if self.document is not None:
            return self.document.config is not None
        return not self.unreadable

    @cached_property
    def given(self) -> ModelConfig:
        """The configuration as it is written; empty where it is not there."""
        config = self.document.config if self.document else None
        return ModelConfig() if config is None else config

    @cached_property
    def completed(self) -> Completed:
        """The configuration as Triton completes it, and what was filled in."""
        return complete(
            self.given,
            self.name,
            self.directory,
            self.graph,
            self.target,
            decoupled=any(
                "decoupled" in self.neighbours.below(name).marks
                for name in dict.fromkeys(s.model_name for s in self.given.ensemble_scheduling.step)
            ),
        )

    @property
    def config(self) -> ModelConfig:
        """The configuration that Triton validates: completed."""
        return self.completed.config

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """The inputs, then the outputs, of `config`."""
        return entries_of(self.config)

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """Those of `entries` that the graph has, each with its tensor."""
        return pairs_of(self.entries, self.graph)

    @property
    def backend(self) -> str:
        """The backend that loads it; empty for an ensemble, and where none can be told."""
        return str(self.config.backend)

    @property
    def is_ensemble(self) -> bool:
        """Whether it is one."""
        return bool(self.given.platform == "ensemble" or self.given.HasField("ensemble_scheduling"))

    @cached_property
    def versions(self) -> tuple[int, ...]:
        """The version folders that Triton sees, ascending."""
        return self.directory.versions() if self.directory else ()

    @cached_property
    def served(self) -> tuple[int, ...]:
        """The versions that the version policy serves, ascending."""
        return served_versions(self.given, self.versions)

    @cached_property
    def model_path(self) -> Path | None:
        """The model file of the newest served version, whether or not it is there."""
        return self.file_of(self.served[-1]) if self.served else None

    def file_of(self, version: int) -> Path | None:
        """The model file of *version*; None where its name cannot be told."""
        name = str(self._named.default_model_filename)
        if self.directory is None or not name or self.is_ensemble:
            return None
        return self.directory.version_path(version) / name

    def at(self, version: int) -> Subject:
        """The same model, as it is where *version* is the one whose file is looked at."""
        other = Subject(self.directory, self.config_path, self.target, self.neighbours)
        other.__dict__["document"] = self.document
        other.__dict__["model_path"] = self.file_of(version)
        return other

    @cached_property
    def graph(self) -> Graph | None:
        """The newest served ONNX graph; None for other models and where it cannot be read."""
        return self._graph if isinstance(self._graph, Graph) else None

    @cached_property
    def graph_error(self) -> GraphError | None:
        """Why the model file is no ONNX graph; None where it is one, or is not there."""
        return self._graph if isinstance(self._graph, GraphError) else None

    @cached_property
    def _graph(self) -> Graph | GraphError | None:
        path = self.model_path
        if self._named.backend != "onnxruntime" or path is None or not is_there(path):
            return None
        try:
            return infer_outputs(read_graph(path))
        except GraphError as error:
            return error

    @cached_property
    def _named(self) -> ModelConfig:
        """The configuration with backend and file name filled in, for which no graph is needed."""
        path = self.directory.path if self.directory is not None else None
        return with_backend(self.given, self.name, path)

    def __repr__(self) -> str:
        return f"Subject({self.name!r})"
