"""The directories of a model repository, as Triton sees them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tritonkit.errors import RepositoryError
from tritonkit.repository.config import CONFIG_NAME

__all__ = [
    "LARGEST_VERSION",
    "ModelDirectory",
    "check_model_name",
    "is_version_name",
    "model_directories",
    "next_version",
    "version_of",
]

LARGEST_VERSION = 2**63 - 1
"""Triton keeps a version in 64 bits, and ends where it meets a larger one."""

# What C++'s std::stoll reads at the start of a text.
_NUMBER = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]+)")


@dataclass(frozen=True, slots=True)
class ModelDirectory:
    """
    One model of a repository.

    Args:
        path: The directory; its name is the model's.
    """

    path: Path

    @property
    def name(self) -> str:
        """The model's name."""
        return self.path.name

    @property
    def config_path(self) -> Path:
        """Where config.pbtxt is, or would be."""
        return self.path / CONFIG_NAME

    def versions(self) -> tuple[int, ...]:
        """
        The versions whose directories are called by their number, ascending.

        Triton takes 0 for a version too. None where the model is not there.
        """
        return tuple(sorted(_named(self._folders())))

    def misnamed(self) -> tuple[int, ...]:
        """
        The versions that Triton counts and does not find, ascending.

        Of a directory's name it reads the number at its start: "2.bak" is version 2 to it,
        whose files it looks for in "2".
        """
        folders = self._folders()
        counted = {version_of(name) for name in folders} - _named(folders)
        return tuple(sorted(version for version in counted if version is not None))

    def version_path(self, version: int) -> Path:
        """The directory of one version, whether or not it exists."""
        return self.path / str(version)

    def _folders(self) -> list[str]:
        if not self.path.is_dir():
            return []
        return [entry.name for entry in self.path.iterdir() if entry.is_dir()]


def model_directories(repository: Path) -> tuple[ModelDirectory, ...]:
    """
    Every directory that Triton takes for a model, by name.

    Triton skips files, and only files: it takes a hidden directory for a model
    too, and then does not start because it has no version.

    Raises:
        RepositoryError: If *repository* is not a readable directory.
    """
    try:
        entries = sorted(entry for entry in repository.iterdir() if entry.is_dir())
    except OSError as error:
        raise RepositoryError(
            f"model repository {repository} cannot be read: {error.strerror}."
        ) from error
    return tuple(ModelDirectory(entry) for entry in entries)


def next_version(repository: Path, names: Iterable[str]) -> int:
    """The version after the newest that any of the models *names* has in *repository*."""
    versions = (ModelDirectory(repository / name).versions() for name in names)
    return 1 + max((version for found in versions for version in found), default=0)


def check_model_name(name: str) -> str:
    """
    Hand back *name* if it can be a model's directory and stand in a URL.

    Raises:
        RepositoryError: If it is empty, hidden, or holds other characters than
            letters, digits, "_", "-" and ".".
    """
    plain = name.isascii() and all(c.isalnum() or c in "_-." for c in name)
    if not name or not plain or name.startswith((".", "-")):
        raise RepositoryError(
            f"a model name is made of ASCII letters, digits, '_', '-' and '.', "
            f"and starts with none of '.-', but got {name!r}."
        )
    return name


def version_of(name: str) -> int | None:
    """
    The version that Triton takes a directory for; None where it ignores the directory.

    What follows the number does not count: "1a" is version 1. It ignores what starts with
    0, but for 0 itself.
    """
    match = _NUMBER.match(name)
    if match is None or (len(name) > 1 and name.startswith("0")):
        return None
    return int(match[1])


def is_version_name(name: str) -> bool:
    """Whether a directory of that name is the version of that number, and no other one."""
    version = version_of(name) if name.isascii() and name.isdecimal() else None
    return version is not None and version <= LARGEST_VERSION


def _named(folders: Iterable[str]) -> set[int]:
    return {int(name) for name in folders if is_version_name(name)}
