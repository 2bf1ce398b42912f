"""The models that an ensemble may call: those of repositories, and those not yet written."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tritonkit.errors import RepositoryError
from tritonkit.repository.check.neighbours import Neighbours
from tritonkit.repository.check.target import Target
from tritonkit.repository.complete.complete import complete
from tritonkit.repository.config import ModelConfig
from tritonkit.repository.graph.graph import Graph, read_graph
from tritonkit.repository.graph.inference import infer_outputs
from tritonkit.repository.model import Model

if TYPE_CHECKING:
    from tritonkit.repository.ensemble.ensemble import Ensemble

__all__ = ["Called", "Source"]

Source = "Model | ModelConfig | Ensemble"
"""A model that is not written yet."""


class Called:
    """
    What is known of each model by its name, as Triton completes it.

    A model that is not yet written stands for one of the same name that is.

    Args:
        repositories: Where written models are.
        target: The server that will load them.
    """

    def __init__(self, repositories: Sequence[Path], target: Target) -> None:
        self._target = target
        # One that is named twice is loaded once.
        places = {place.resolve(): place for place in repositories}
        self._written = Neighbours(list(places.values()), target)
        self._new: dict[str, tuple[ModelConfig, tuple[int, ...]]] = {}

    def add(self, model: Model | ModelConfig | Ensemble) -> str:
        """Take a model that is not written yet; returns its name."""
        made = model if isinstance(model, Model | ModelConfig) else _built(model)
        config = made.config if isinstance(made, Model) else made
        name = str(config.name)
        if not name:
            raise RepositoryError("a model that is called needs a name in its configuration.")
        graph = _graph(made) if isinstance(made, Model) else None
        versions = tuple(sorted(made.versions)) if isinstance(made, Model) else ()
        if graph is not None and not config.backend and not config.platform:
            # As Triton tells it, by the file.
            given, config = config, ModelConfig(backend="onnxruntime")
            config.MergeFrom(given)
        completed = complete(config, name, None, graph, self._target).config
        self._new[name] = (completed, versions)
        return name

    def config(self, name: str) -> ModelConfig | None:
        """The completed configuration of a model; None where it is not there or is unreadable."""
        if name in self._new:
            return self._new[name][0]
        subject = self._written.get(name)
        return subject.config if subject is not None and subject.parsed else None

    def versions(self, name: str) -> tuple[int, ...] | None:
        """The versions of a model that are served; None where that cannot be known."""
        if name in self._new:
            return self._new[name][1] or None
        subject = self._written.get(name)
        return None if subject is None else subject.served

    def is_ambiguous(self, name: str) -> bool:
        """Whether more than one repository has a model of this name: Triton loads none then."""
        return name not in self._new and len(self._written.directories.get(name, ())) > 1

    def names(self) -> list[str]:
        """Every model that can be called."""
        return sorted({*self._new, *self._written.directories})

    def unreadable(self, name: str) -> bool:
        """Whether a model is there, but its configuration cannot be read."""
        subject = None if name in self._new else self._written.get(name)
        return subject is not None and not subject.parsed


def _built(model: Any) -> Model:
    if not hasattr(model, "model"):
        raise RepositoryError(
            "a step calls a model by its name, or a Model, ModelConfig or Ensemble that is not "
            f"written yet, but got {model!r}."
        )
    built: Model = model.model()
    return built


def _graph(model: Model) -> Graph | None:
    """The newest version's ONNX graph."""
    for name, content in model.versions[max(model.versions)].items():
        if name.endswith(".onnx") or name == model.config.default_model_filename:
            with suppress(RepositoryError):
                if isinstance(content, Path):
                    return infer_outputs(read_graph(content))
                with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
                    file.write(content)
                    file.flush()
                    return infer_outputs(read_graph(Path(file.name)))
    return None
