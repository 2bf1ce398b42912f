"""A folder as transformers writes it: its config, its weights, its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tritonkit.errors import ConfigError
from tritonkit.export.json_file import read_json

__all__ = ["digest_folders", "read_config", "require_safetensors"]

# What decides the answers. Weights of other frameworks may lie beside them.
_DIGESTED = ("*.json", "*.txt", "*.model", "*.safetensors")


def read_config(folder: Path) -> dict[str, Any]:
    """
    Read the config.json in *folder*.

    Raises:
        ConfigError: If it cannot be read, or names code of its own.
    """
    file = folder / "config.json"
    config = read_json(file, dict)
    if "auto_map" in config:
        raise ConfigError(
            f"{file} names code of its own (auto_map), which export does "
            "not run; an architecture that transformers has itself would work."
        )
    return config


def require_safetensors(folder: Path) -> None:
    """
    Refuse weights that are a pickle, which can run code when it is read.

    Raises:
        ConfigError: If *folder* holds no .safetensors.
    """
    if any(folder.glob("*.safetensors")):
        return
    pickled = next(iter(sorted(folder.glob("*.bin"))), None)
    found = "no weights" if pickled is None else f"its weights only as a pickle ({pickled.name})"
    raise ConfigError(
        f"{folder} holds {found}; export reads .safetensors, "
        "which model.save_pretrained(FOLDER) writes."
    )


def digest_folders(folders: Sequence[Path], *words: str) -> str:
    """
    Digest over the files that decide a model's answers, wherever the folders lie.

    Args:
        folders: The first holds the others.
        words: What else decides them.

    Returns:
        sha256, 64 hex digits.

    Raises:
        ConfigError: If a file cannot be read.
    """
    files = {file for folder in folders for pattern in _DIGESTED for file in folder.glob(pattern)}
    total = hashlib.sha256()
    for file in sorted(files):
        try:
            with file.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
        except OSError as error:
            raise ConfigError(f"{file} cannot be read: {error.strerror}.") from error
        total.update(f"{digest}  {file.relative_to(folders[0])}\n".encode())
    for word in words:
        total.update(f"{word}\n".encode())
    return total.hexdigest()
