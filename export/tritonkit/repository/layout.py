"""The directories of a model repository, as Triton sees them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tritonkit.errors import RepositoryError
from tritonkit.repository.config import CONFIG_NAME

__all__ = ["ModelDirectory", "check_model_name", "model_directories", "next_version"]


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
        The versions, ascending.

        Triton ignores a directory whose name is not a number or starts with 0, but for 0
        itself. None where the model is not there.
        """
        if not self.path.is_dir():
            return ()
        return tuple(
            sorted(
                int(entry.name)
                for entry in self.path.iterdir()
                if _is_version(entry.name) and entry.is_dir()
            )
        )

    def version_path(self, version: int) -> Path:
        """The directory of one version, whether or not it exists."""
        return self.path / str(version)


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


def _is_version(name: str) -> bool:
    plain = name == "0" or not name.startswith("0")
    return name.isascii() and name.isdecimal() and plain
