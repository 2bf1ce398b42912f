"""The folders of a model that Triton takes for versions, and those that it does not."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISLNK, S_ISREG

from tritonkit.errors import RepositoryError
from tritonkit.repository.layout import LARGEST_VERSION, is_version_name, version_of

__all__ = ["Ignored", "VersionFolders", "folder_size", "version_folders"]

_OTHERS = frozenset(("configs", "initial_state", "warmup"))
"""Folders that Triton knows and that are no versions."""


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
    versions = tuple(sorted(int(name) for name in names if is_version_name(name)))
    ignored = [
        Ignored(name, _reason(name, versions))
        for name in names
        if not is_version_name(name) and name not in _OTHERS
    ]
    return VersionFolders(versions, tuple(ignored))


def folder_size(folder: Path) -> int:
    """Size in bytes of all files in *folder*, links not followed; 0 where it is not there."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            # What goes meanwhile takes no space.
            with suppress(OSError):
                status = Path(place, name).lstat()
                if S_ISREG(status.st_mode) or S_ISLNK(status.st_mode):
                    total += status.st_size
    return total


def _reason(name: str, versions: tuple[int, ...]) -> str:
    number = version_of(name)
    if number is None:
        zero = len(name) > 1 and name.startswith("0")
        return f"a version {'does not begin with 0' if zero else 'is a number of 1 or more'}"
    if abs(number) > LARGEST_VERSION:
        return "the server ends at a version that takes more than 64 bits"
    if number in versions:
        return f"Triton takes it for version {number}, whose files it looks for in '{number}'"
    return f"Triton takes it for version {number}, and does not find that one's files"
