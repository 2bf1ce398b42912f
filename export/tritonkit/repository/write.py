"""
Model directories, written whole or not at all.

Triton takes every directory of a repository for a model, hidden ones too, so
that the work happens in a staging directory *next to* the repository, on the
same file system. A write has two halves: everything is staged and synced,
then a marker decides it and the directories change places by renames. Whoever
writes next finishes what the marker decided and removes what it did not.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tritonkit.errors import RepositoryError
from tritonkit.repository.config import CONFIG_NAME, ModelConfig, render_config
from tritonkit.repository.layout import check_model_name

__all__ = ["Model", "write_models"]

_DECIDED = "decided"


@dataclass(frozen=True, slots=True)
class Model:
    """
    What a model directory is made of.

    Args:
        config: Its config.pbtxt; `config.name` names the directory.
        versions: Files of each version by their path in it. A Path is copied,
            bytes are written. An ensemble has a version too, of no files.
    """

    config: ModelConfig
    versions: Mapping[int, Mapping[str, Path | bytes]] = field(default_factory=lambda: {1: {}})

    @property
    def name(self) -> str:
        """The model's name."""
        return str(self.config.name)

    def file_sizes(self) -> dict[str, int]:
        """Size in bytes of each file of each version, by its path in the repository."""
        return {
            f"{self.name}/{version}/{name}": len(content)
            if isinstance(content, bytes)
            else content.stat().st_size
            for version, files in self.versions.items()
            for name, content in files.items()
        }


def write_models(repository: Path, models: Sequence[Model]) -> None:
    """
    Put *models* into *repository*: all of them, or none.

    A directory of the same name is replaced whole, with all its versions. It
    stays in place until every new file is on disk.

    Args:
        repository: Made if it does not exist. Its parent must be writable and on the
            same file system, because Triton would load a half-written sibling.
        models: In the order in which they are to appear; put an ensemble after
            the models it calls.

    Raises:
        RepositoryError: If a name or version is not one that Triton takes, a file would
            leave its directory, or the place cannot be written. Nothing was written then,
            unless a rename at the very end failed: the next write completes such a one.
    """
    for model in models:
        _check(model)
    repository = _ready(repository)
    try:
        with _locked(repository):
            staging = _staging(repository)
            _finish_interrupted(repository, staging)
            try:
                for model in models:
                    _stage(model, staging / "new" / model.name)
                _decide(staging, [model.name for model in models])
            except BaseException:
                shutil.rmtree(staging, ignore_errors=True)
                raise
            _swap(repository, staging)
    except OSError as error:
        raise RepositoryError(
            f"model repository {repository} cannot be written: {error}."
        ) from error


def _check(model: Model) -> None:
    check_model_name(model.name)
    if not model.versions or min(model.versions) < 1:
        raise RepositoryError(
            f"model {model.name!r} needs versions of 1 or more, but got {sorted(model.versions)}."
        )
    for files in model.versions.values():
        for name in files:
            path = PurePosixPath(name)
            if path.is_absolute() or not path.parts or ".." in path.parts:
                raise RepositoryError(
                    f"model {model.name!r}: file {name!r} must stay in its version's directory."
                )


def _ready(repository: Path) -> Path:
    try:
        repository.mkdir(parents=True, exist_ok=True)
        # Staged next to where the directory really is, wherever a link to it lies.
        repository = repository.resolve(strict=True)
        own_mount = repository.stat().st_dev != repository.parent.stat().st_dev
    except OSError as error:
        raise RepositoryError(f"model repository {repository} cannot be made: {error}.") from error
    if own_mount or not os.access(repository.parent, os.W_OK):
        reason = "is another file system" if own_mount else "is not writable"
        raise RepositoryError(
            f"model repository {repository} cannot be written whole, because its parent {reason}; "
            f"use a folder inside it, such as {repository / 'models'}."
        )
    return repository


@contextmanager
def _locked(repository: Path) -> Iterator[None]:
    """Hold the lock of *repository*; the kernel frees it when the process dies."""
    descriptor = os.open(repository, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _staging(repository: Path) -> Path:
    return repository.parent / f".{repository.name}.tritonkit-staging"


def _finish_interrupted(repository: Path, staging: Path) -> None:
    """Complete a write that was decided; remove one that was not. Under the lock."""
    if (staging / _DECIDED).exists():
        _swap(repository, staging)
    elif staging.exists():
        shutil.rmtree(staging)


def _stage(model: Model, directory: Path) -> None:
    directory.mkdir(parents=True)
    _write(directory / CONFIG_NAME, render_config(model.config).encode())
    for version, files in model.versions.items():
        (directory / str(version)).mkdir()
        for name, content in files.items():
            file = directory / str(version) / name
            file.parent.mkdir(parents=True, exist_ok=True)
            _write(file, content)
    for folder, _, _ in os.walk(directory):
        _sync(Path(folder))


def _write(file: Path, content: Path | bytes) -> None:
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        shutil.copyfile(content, file)
    _sync(file)


def _decide(staging: Path, names: Sequence[str]) -> None:
    """From here on the write happens, now or by whoever writes next."""
    _sync(staging / "new")
    draft = staging / "draft"
    _write(draft, "\n".join(names).encode())
    draft.rename(staging / _DECIDED)
    _sync(staging)


def _swap(repository: Path, staging: Path) -> None:
    """Rename every staged model into place; safe to repeat after an interruption."""
    marker = staging / _DECIDED
    old = staging / "old"
    old.mkdir(exist_ok=True)
    for name in marker.read_text().split("\n"):
        new, place = staging / "new" / name, repository / name
        if not new.exists():
            continue  # moved before the interruption
        if place.exists() or place.is_symlink():
            place.rename(old / name)
        new.rename(place)
    _sync(repository)
    # Without the marker, what is left is rubbish and nothing else.
    marker.unlink()
    shutil.rmtree(staging)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
