"""Where the ONNX file of a model version lies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import LoadError

__all__ = ["find_artifact"]


def find_artifact(config: Mapping[str, Any], version: Path) -> Path:
    """
    The ONNX file of a model version.

    Args:
        config: The model configuration.
        version: Folder of the model version.

    Returns:
        `default_model_filename`, or model.onnx. Where that is a folder (a model
        with external data), the model.onnx inside it.

    Raises:
        LoadError: If there is no such file.
    """
    path = version / (config.get("default_model_filename") or "model.onnx")
    if not path.exists():
        raise LoadError(f"failed to stat file {path}")
    if not path.is_dir():
        return path
    path = path / "model.onnx"
    if not path.exists():
        raise LoadError(f"unable to find '{path}' for model instance '{config['name']}'")
    return path
