"""A model's directory, completed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tritonkit.errors import RepositoryError
from tritonkit.repository.complete.backend import with_backend
from tritonkit.repository.complete.complete import Completed, complete
from tritonkit.repository.config import ModelConfig
from tritonkit.repository.graph.graph import read_graph
from tritonkit.repository.graph.inference import infer_outputs
from tritonkit.repository.layout import ModelDirectory
from tritonkit.repository.present import is_there
from tritonkit.repository.text.document import Document
from tritonkit.repository.versions.policy import served_versions

if TYPE_CHECKING:
    from tritonkit.repository.check.target import Target

__all__ = ["calls_decoupled", "complete_model", "onnx_file"]


def complete_model(directory: ModelDirectory, target: Target) -> Completed:
    """
    Complete the model in *directory* as a server does, without one.

    Args:
        directory: With or without a configuration.
        target: The server that is to load it.

    Raises:
        RepositoryError: If there is no such directory, or Triton would refuse the text of its
            configuration; the message names every fault.
        GraphError: If its ONNX file cannot.
    """
    if not directory.path.is_dir():
        raise RepositoryError(f"{directory.path} is no directory, so that it holds no model.")
    given = _given(directory)
    file = onnx_file(given, directory)
    graph = infer_outputs(read_graph(file)) if file is not None and is_there(file) else None

    def find(name: str) -> ModelConfig | None:
        beside = ModelDirectory(directory.path.resolve().parent / name)
        # No model has a name that the file system cannot hold.
        with suppress(OSError):
            return _given(beside) if beside.path.is_dir() else None
        return None

    decoupled = calls_decoupled(given, find)
    return complete(given, directory.name, directory, graph, target, decoupled=decoupled)


def calls_decoupled(given: ModelConfig, find: Callable[[str], ModelConfig | None]) -> bool:
    """
    Whether an ensemble calls a decoupled model, at any depth.

    Args:
        given: Its configuration; that of another model calls nothing.
        find: Hands out the configuration of a model by name; None where there is none.
    """
    seen: set[str] = set()
    names = [step.model_name for step in given.ensemble_scheduling.step]
    while names:
        name = names.pop()
        if name in seen:
            continue
        seen.add(name)
        config = find(name)
        if config is None:
            continue
        if config.model_transaction_policy.decoupled:
            return True
        names += [step.model_name for step in config.ensemble_scheduling.step]
    return False


def onnx_file(given: ModelConfig, directory: ModelDirectory) -> Path | None:
    """
    The ONNX file, or folder, that a server would load, whether or not it is there.

    Args:
        given: The configuration as it is written; it is not changed.
        directory: The model's.

    Returns:
        That of the newest version that is served; None for a model of another backend, and
        where no version is.
    """
    config = with_backend(given, directory.name, directory.path)
    served = served_versions(config, directory.versions())
    if config.backend != "onnxruntime" or not served:
        return None
    return directory.version_path(served[-1]) / str(config.default_model_filename)


def _given(directory: ModelDirectory) -> ModelConfig:
    if not directory.config_path.exists():
        return ModelConfig()
    return Document.read(directory.config_path).checked()
