"""Samples of a folder of images."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from tritonkit.errors import ConfigError
from tritonkit.export.samples.samples import Samples

__all__ = ["read_image_folder"]

_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def read_image_folder(folder: Path, limit: int) -> Samples:
    """
    The images in *folder*, or those in its folders, whose names are then their labels.

    Files that are no images by their names are left out.

    Raises:
        ConfigError: If there are none, or some of both kinds.
    """
    files = sorted(
        file
        for pattern in ("*", "*/*")
        for file in folder.glob(pattern)
        if file.suffix.lower() in _SUFFIXES and file.is_file()
    )
    labelled = [file for file in files if file.parent != folder]
    if not files:
        raise ConfigError(f"{folder} holds no images ({', '.join(_SUFFIXES)}).")
    if labelled and len(labelled) < len(files):
        raise ConfigError(
            f"{folder} holds images beside folders of images: {files[0].name} and "
            f"{labelled[0].relative_to(folder)}. Either all have the name of their class or none."
        )
    at = np.unique(np.linspace(0, len(files) - 1, min(len(files), limit)).astype(np.int64))
    chosen = [files[position] for position in at.tolist()]
    images = np.empty(len(chosen), np.object_)
    digest = hashlib.sha256()
    for position, file in enumerate(chosen):
        try:
            images[position] = file.read_bytes()
        except OSError as error:
            raise ConfigError(f"{file} cannot be read: {error.strerror}.") from error
        digest.update(f"{file.relative_to(folder)}\0".encode(errors="surrogateescape"))
        digest.update(hashlib.sha256(images[position]).digest())
    counted = f"{len(chosen)} samples" + (f" of {len(files)}" if len(chosen) < len(files) else "")
    return Samples(
        {"image": images},
        f"{folder.name}, sha256 {digest.hexdigest()[:16]}, {counted}",
        np.array([file.parent.name for file in chosen], np.object_) if labelled else None,
    )
