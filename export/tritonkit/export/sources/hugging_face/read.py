"""Hugging Face folders and hub ids: which kind of source one is."""

from __future__ import annotations

from pathlib import Path

from tritonkit.errors import ConfigError
from tritonkit.export.json_file import read_json
from tritonkit.export.sources.hugging_face.hub import fetch_snapshot, is_hub_id
from tritonkit.export.sources.images.image_classifier import HEADS, ImageClassifier
from tritonkit.export.sources.source import Source
from tritonkit.export.sources.texts.sentence_transformer import SentenceTransformer
from tritonkit.export.sources.texts.transformers import read_transformers

__all__ = ["read_hugging_face"]

_SIMILARITY = "sentence-similarity"
_IMAGES = "image-classification"


def read_hugging_face(path_or_id: str, *, task: str | None = None) -> Source:
    """
    Read a folder of sentence-transformers or transformers, or a model of the hub.

    Args:
        path_or_id: A folder, or else a hub id such as "owner/name".
        task: What to convert it for, by the hub's name of the task; None for what its
            files say.

    Raises:
        ConfigError: If there is none, or it is one that export cannot convert.
        MissingExtra: If an extra is not installed.
    """
    folder, revision = Path(path_or_id), ""
    if not folder.is_dir():
        if folder.exists() or not is_hub_id(path_or_id):
            raise ConfigError(f"{path_or_id} is neither a folder nor an id on the hub.")
        snapshot = fetch_snapshot(path_or_id)
        folder, revision = snapshot.folder, snapshot.revision
    if not any((folder / name).is_file() for name in ("config.json", "modules.json")):
        raise ConfigError(
            f"{folder} has neither config.json nor modules.json, so it is no folder of "
            "transformers or sentence-transformers; model.save_pretrained(FOLDER) writes one."
        )
    # ".." has no name.
    path = path_or_id if revision else str(folder.resolve())
    if task == _SIMILARITY or (task is None and (folder / "modules.json").is_file()):
        return SentenceTransformer.read(folder, path=path, revision=revision)
    if task == _IMAGES or (task is None and _is_image_model(folder)):
        return ImageClassifier.read(folder, path=path, revision=revision)
    return read_transformers(folder, task=task, path=path, revision=revision)


def _is_image_model(folder: Path) -> bool:
    listed = read_json(folder / "config.json", dict).get("architectures")
    return isinstance(listed, list) and any(str(name).endswith(HEADS) for name in listed)
