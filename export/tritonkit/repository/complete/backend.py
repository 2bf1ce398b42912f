"""Which backend serves a model, where its configuration does not say."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tritonkit.repository.complete.filled import Place
from tritonkit.repository.config import ModelConfig

__all__ = ["BackendUnknown", "fill_backend", "with_backend"]


class BackendUnknown(Exception):
    """No backend can be told; the message is Triton's."""


# In the order in which core looks: backend, its platform, its file, whether a folder of
# that name counts as the file, and whether the platform alone names the backend.
_KNOWN = (
    ("tensorrt", "tensorrt_plan", "model.plan", False),
    ("onnxruntime", "onnxruntime_onnx", "model.onnx", True),
    ("openvino", "", "model.xml", True),
    ("pytorch", "pytorch_libtorch", "model.pt", False),
    ("python", "", "model.py", True),
)
_TENSORFLOW = {
    "model.savedmodel": "tensorflow_savedmodel",
    "model.graphdef": "tensorflow_graphdef",
}


def with_backend(given: ModelConfig, name: str, model: Path | None) -> ModelConfig:
    """*given* with what `fill_backend` fills in; with less of it where no backend can be told."""
    config = ModelConfig()
    config.CopyFrom(given)
    with suppress(BackendUnknown):
        for _ in fill_backend(config, name, model):
            pass
    return config


def fill_backend(config: ModelConfig, name: str, model: Path | None) -> Iterator[Place]:
    """
    Fill `name`, `backend`, `platform` and `default_model_filename` as core does.

    Core looks into the first folder of the model, in the order of text and whether or not
    it is a version.

    Args:
        config: What is given; it is changed.
        name: The model's name, which is its directory's.
        model: The directory; None where there is none to look into.

    Yields:
        The place of each field that was filled.

    Raises:
        BackendUnknown: If nothing tells the backend.
    """
    files = _Files(model)
    # The name of a directory may be no text, and a field is.
    name = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if not config.name:
        config.name = name
        yield ("name",)
    yield from _fill_tensorflow(config, files)
    if config.platform in _TENSORFLOW.values():
        return
    for backend, platform, file, folder_counts in _KNOWN:
        if not config.backend and (
            (platform and config.platform == platform)
            or config.default_model_filename == file
            or (
                not config.platform
                and not config.default_model_filename
                and files.holds(file, folder_counts=folder_counts)
            )
        ):
            config.backend = backend
            yield ("backend",)
        if config.backend == backend:
            if platform and not config.platform:
                config.platform = platform
                yield ("platform",)
            # A PyTorch model that runs in Python is named by its own backend.
            names_its_file = backend == "pytorch" and config.runtime == "model.py"
            if not config.default_model_filename and not names_its_file:
                config.default_model_filename = file
                yield ("default_model_filename",)
            return
    if not (config.backend or config.platform or config.default_model_filename):
        _, dot, backend = name.partition(".")
        if not dot:
            raise BackendUnknown(
                f"Invalid model name: Could not determine backend for model '{name}' with no "
                "backend in model configuration. Expected model name of the form "
                "'model.<backend_name>'."
            )
        config.backend = backend
        yield ("backend",)
        config.default_model_filename = f"model.{backend}"
        yield ("default_model_filename",)


def _fill_tensorflow(config: ModelConfig, files: _Files) -> Iterator[Place]:
    if not config.platform and config.backend in ("", "tensorflow"):
        for file, platform in _TENSORFLOW.items():
            if config.default_model_filename == file or (
                not config.default_model_filename
                and files.holds(file, folder_counts=file == "model.savedmodel")
                and files.is_folder(file) == (file == "model.savedmodel")
            ):
                config.platform = platform
        if config.platform:
            yield ("platform",)
    file = next((f for f, platform in _TENSORFLOW.items() if platform == config.platform), "")
    if file and not config.backend:
        config.backend = "tensorflow"
        yield ("backend",)
    if file and not config.default_model_filename:
        config.default_model_filename = file
        yield ("default_model_filename",)


class _Files:
    """What lies in the folder that core looks into, read when it is first asked for."""

    def __init__(self, model: Path | None) -> None:
        self._model = model
        self._names: dict[str, bool] | None = None

    def holds(self, name: str, *, folder_counts: bool) -> bool:
        found = self._read().get(name)
        return found is not None and (folder_counts or not found)

    def is_folder(self, name: str) -> bool:
        return self._read().get(name, False)

    def _read(self) -> dict[str, bool]:
        if self._names is None:
            self._names = {}
            first = min(_names(self._model, folders=True), default=None) if self._model else None
            if self._model and first is not None:
                self._names = _names(self._model / first)
        return self._names


def _names(path: Path, *, folders: bool = False) -> dict[str, bool]:
    """Whether it is a folder, by the name of each entry of *path*."""
    try:
        with os.scandir(path) as entries:
            found = {entry.name: entry.is_dir() for entry in entries}
    except OSError:
        return {}
    return {name: True for name, folder in found.items() if folder} if folders else found
