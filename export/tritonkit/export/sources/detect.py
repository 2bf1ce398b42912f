"""Which kind of source a path or id is."""

from __future__ import annotations

from pathlib import Path

from tritonkit.errors import ConfigError
from tritonkit.export.samples.samples import Samples
from tritonkit.export.sources.hugging_face.hub import is_hub_id
from tritonkit.export.sources.hugging_face.read import read_hugging_face
from tritonkit.export.sources.onnx_file import OnnxFile
from tritonkit.export.sources.source import Source
from tritonkit.export.sources.tabular_file import SUFFIXES, read_tabular

__all__ = ["read_source"]


def read_source(
    path: str | Path,
    *,
    task: str | None = None,
    allow_pickle: bool = False,
    samples: Samples | None = None,
) -> Source:
    """
    Read and check a source.

    Args:
        path: A Hugging Face or sentence-transformers folder, a hub id such as
            "org/name", an .onnx file, an XGBoost model (.json, .ubj), a LightGBM model
            (.txt), or a scikit-learn pickle (.joblib, .pkl).
        task: For a Hugging Face folder: what it is for, such as "text-classification";
            None to take it from its configuration.
        allow_pickle: Whether a pickle may be loaded, which runs whatever code it holds.
        samples: The user's samples; their columns tell what a tabular model takes.

    Raises:
        ConfigError: If it is none of these, or has a part that export cannot convert.
        MissingExtra: If an extra is not installed.
    """
    place = Path(path)
    suffix = place.suffix.lower()
    if place.is_dir() or (not place.exists() and is_hub_id(str(path))):
        return read_hugging_face(str(path), task=task)
    if not place.exists():
        raise ConfigError(f"{path} does not exist. {_WHAT_WORKS}")
    if task is not None:
        raise ConfigError(f"a task is for a Hugging Face folder or id, but {path} is a file.")
    if suffix == ".onnx":
        return OnnxFile(place)
    if suffix in SUFFIXES:
        return read_tabular(place, allow_pickle=allow_pickle, samples=samples)
    raise ConfigError(f"{path} is of no kind that export knows. {_WHAT_WORKS}")


_WHAT_WORKS = (
    "Export takes a Hugging Face or sentence-transformers folder, a hub id such as org/name, an "
    ".onnx file, an XGBoost model (.json, .ubj), a LightGBM model (.txt), or a scikit-learn "
    "pickle (.joblib, .pkl); from Python also a torch.nn.Module, as TorchModule."
)
