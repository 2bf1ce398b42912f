"""A folder as transformers writes it: its config, its weights, its digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tritonkit.errors import ConfigError
from tritonkit.export.json_file import read_json

__all__ = ["digest_folders", "read_config", "require_safetensors"]

# How the file begins that stands for a large one where Git LFS has not fetched it.
_POINTER = b"version https://git-lfs"
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
    Refuse weights that are a pickle, which can run code when it is read, or not whole.

    Raises:
        ConfigError: If *folder* holds no .safetensors, or the content of one is not all there.
    """
    files = sorted(folder.glob("*.safetensors"))
    for file in files:
        _check_whole(file)
    if files:
        return
    pickled = next(iter(sorted(folder.glob("*.bin"))), None)
    found = "no weights" if pickled is None else f"its weights only as a pickle ({pickled.name})"
    raise ConfigError(
        f"{folder} holds {found}; export reads .safetensors, "
        "which model.save_pretrained(FOLDER) writes."
    )


def _check_whole(file: Path) -> None:
    """What a download that broke off leaves behind is found before the conversion."""
    try:
        size = file.stat().st_size
        with file.open("rb") as content:
            start = content.read(len(_POINTER))
            due = 8 + int.from_bytes(start[:8], "little")
            content.seek(8)
            header = content.read(due - 8) if due <= size else b""
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.") from error
    if start == _POINTER:
        raise ConfigError(
            f"{file} is a pointer of Git LFS and holds no weights; `git lfs pull` in its folder "
            "fetches them."
        )
    if header:
        due += _data_bytes(file, header)
    if size < due:
        raise ConfigError(
            f"{file} has {size:,} bytes, but its header tells of {due:,}; fetch it again."
        )


def _data_bytes(file: Path, header: bytes) -> int:
    try:
        tensors = json.loads(header)
        tensors.pop("__metadata__", None)
        return max((int(tensor["data_offsets"][1]) for tensor in tensors.values()), default=0)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise ConfigError(f"{file} is no .safetensors file: its header is not JSON.") from error


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
