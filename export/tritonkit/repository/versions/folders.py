"""The folders of a model that Triton takes for versions, and those that it does not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tritonkit.errors import RepositoryError

__all__ = ["Ignored", "VersionFolders", "folder_size", "version_folders"]

_OTHERS = frozenset(("configs", "initial_state", "warmup"))
"""Folders that Triton knows and that are no versions."""

# What std::stoll, by which Triton reads the name, takes the number from.
_NUMBER = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]+)")


@dataclass(frozen=True, slots=True)
class Ignored:
    """
    A folder of a model that is not served.

    Args:
        name: Its name.
        reason: Why, as a part of a sentence.
    """

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class VersionFolders:
    """
    The folders of one model.

    Args:
        versions: Those that Triton takes for versions, ascending.
        ignored: The others that look like more than Triton makes of them, by name.
    """

    versions: tuple[int, ...]
    ignored: tuple[Ignored, ...]


def version_folders(directory: Path) -> VersionFolders:
    """
    The version folders of the model in *directory*.

    Raises:
        RepositoryError: If it cannot be read.
    """
    try:
        names = sorted(entry.name for entry in directory.iterdir() if entry.is_dir())
    except OSError as error:
        raise RepositoryError(f"{directory} cannot be read: {error.strerror}.") from error
    versions = sorted(int(name) for name in names if _is_version(name))
    ignored = [
        Ignored(name, _reason(name))
        for name in names
        if not _is_version(name) and name not in _OTHERS
    ]
    return VersionFolders(tuple(versions), tuple(ignored))


def folder_size(folder: Path) -> int:
    """Size in bytes of all files in *folder*, links not followed; 0 where it is not there."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def _is_version(name: str) -> bool:
    return name.isascii() and name.isdecimal() and not name.startswith("0")


def _reason(name: str) -> str:
    if len(name) > 1 and name.startswith("0"):
        return "a version does not begin with 0"
    if name == "0":
        return "Triton takes it for version 0, and versions count from 1"
    number = _NUMBER.match(name)
    if number is None:
        return "a version is a number of 1 or more"
    return f"Triton takes it for version {int(number[1])}, and does not find that one's files"
