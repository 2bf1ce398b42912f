"""
Model directories, written whole or not at all.

Triton takes every directory of a repository for a model, hidden ones too, so
that the work happens in a staging directory *next to* the repository, on the
same file system. A write has two halves: everything is staged and synced,
then a marker decides it and the directories change places, each in one step
where the file system can. Whoever writes next finishes what the marker decided
and removes what it did not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tritonkit.errors import RepositoryError
from tritonkit.repository.config import CONFIG_NAME, render_config
from tritonkit.repository.keep import keep_versions
from tritonkit.repository.layout import ModelDirectory
from tritonkit.repository.lock import locked
from tritonkit.repository.model import Model
from tritonkit.repository.staging import (
    decide,
    discard,
    finish_interrupted,
    staging_directory,
    swap,
)
from tritonkit.repository.sync import sync_tree, write_synced

__all__ = ["check_place", "write_models"]


def write_models(repository: Path, models: Sequence[Model], *, force: bool = False) -> None:
    """
    Put *models* into *repository*: all of them, or none.

    A directory of the same name is replaced whole, with all its versions, unless the
    model says to keep them. It stays in place until every new file is on disk.

    Args:
        repository: Made if it does not exist. Its parent must be writable and on the
            same file system, because Triton would load a half-written sibling.
        models: In the order in which they are to appear; put an ensemble after
            the models it calls.
        force: Whether a version may be overwritten in a directory that is kept.

    Raises:
        RepositoryError: If there is no model or one twice, kept versions do not fit the
            new configuration, or the place cannot be written. Nothing was written then,
            unless the disk failed at the very end, when all is staged: what could
            neither be moved into place nor undone is completed by the next write.
    """
    _check(repository, models)
    try:
        with locked(repository) as place:
            staging = staging_directory(place)
            finish_interrupted(place, staging)
            try:
                for model in models:
                    _stage(model, staging / "new", place, force=force)
                decide(staging, [model.name for model in models])
            except BaseException:
                # What the disk does not let go of now, the next write removes.
                with suppress(OSError):
                    discard(staging)
                raise
            swap(place, staging)
    except OSError as error:
        raise RepositoryError(
            f"model repository {repository} cannot be written: {error}."
        ) from error


def check_place(repository: Path) -> None:
    """
    Refuse a place that `write_models` could not write, before the work that leads there.

    Args:
        repository: It is not made here, and what is in it stays as it is.

    Raises:
        RepositoryError: If it cannot be made, or it or its parent cannot be written.
    """
    try:
        with suppress(_OnlyLooking), locked(repository):
            # A block that raises leaves no folder behind that was made for it.
            raise _OnlyLooking
    except OSError as error:
        raise RepositoryError(
            f"model repository {repository} cannot be written: {error}."
        ) from error


class _OnlyLooking(Exception):
    pass


def _check(repository: Path, models: Sequence[Model]) -> None:
    if not models:
        raise RepositoryError(f"there is no model to write into {repository}.")
    (name, count), *_ = Counter(model.name for model in models).most_common(1)
    if count > 1:
        raise RepositoryError(f"model {name!r} is to be written twice into {repository}.")


def _stage(model: Model, new: Path, repository: Path, *, force: bool) -> None:
    """Put *model* into the directory *new*, with what it keeps of the one in *repository*."""
    directory = new / model.name
    directory.mkdir(parents=True)
    write_synced(directory / CONFIG_NAME, render_config(model.config, model.comments).encode())
    for version in model.versions:
        (directory / str(version)).mkdir()
    for name, content in model.contents().items():
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        write_synced(file, content)
    standing = ModelDirectory(repository / model.name)
    if model.keep_versions and standing.path.is_dir():
        keep_versions(standing, directory, model.config, force=force)
    sync_tree(directory)
