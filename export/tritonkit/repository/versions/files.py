"""Whether a version's folder holds what its backend opens."""

from __future__ import annotations

import os

from tritonkit.errors import RepositoryError
from tritonkit.repository.complete.backend import with_backend
from tritonkit.repository.versions.state import ModelState

__all__ = ["check_version"]

_OPENED = {
    "onnxruntime": ("model.onnx",),
    "openvino": ("model.xml", "model.onnx"),
    "python": ("model.py",),
    "pytorch": ("model.pt", "model.py"),
    "tensorflow": ("model.savedmodel", "model.graphdef"),
    "tensorrt": ("model.plan",),
}
"""What a backend opens unless the configuration names another file; others are not known."""


def check_version(state: ModelState, version: int) -> None:
    """
    Refuse a version that could not be loaded.

    Raises:
        RepositoryError: If its folder is not there, or has no model in it.
    """
    if version not in state.versions:
        there = ", ".join(map(str, state.versions)) or "none"
        raise RepositoryError(
            f"model {state.name!r} has no version {version}; its versions are: {there}."
        )
    config = with_backend(state.config, state.name, state.directory.path)
    named = state.config.default_model_filename
    files = (named,) if named else _OPENED.get(config.backend, ())
    folder = state.directory.version_path(version)
    if files and not any(map(os.path.exists, (folder / file for file in files))):
        raise RepositoryError(
            f"model {state.name!r} cannot serve version {version}: {folder} holds no "
            f"{' or '.join(files)}."
        )
