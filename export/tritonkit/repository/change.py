"""
Files of models that change together, and folders of models that go.

A polling Triton looks at any moment. A file takes the place of another in one step, so that
it meets the old one or the new one; a folder goes in one step, so that it meets the whole
or none.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tritonkit.errors import RepositoryError
from tritonkit.repository.lock import locked
from tritonkit.repository.staging import (
    decide,
    discard,
    finish_interrupted,
    staging_directory,
    swap,
)
from tritonkit.repository.sync import sync, sync_tree, write_synced

__all__ = ["changing", "remove_folders", "write_files"]


@contextmanager
def changing(repository: Path) -> Iterator[Path]:
    """
    Hold the lock of *repository*, after what was interrupted is finished.

    Yields:
        Where it really is, to be read anew: others may have written it until now.

    Raises:
        RepositoryError: If it is not there, it or its parent cannot be written, or the
            block meets an error of the file system.
    """
    if not repository.is_dir():
        raise RepositoryError(f"model repository {repository} is not there.")
    try:
        with locked(repository) as place:
            finish_interrupted(place, staging_directory(place))
            yield place
    except OSError as error:
        raise RepositoryError(
            f"model repository {repository} cannot be written: {error}."
        ) from error


def write_files(place: Path, files: Mapping[str, bytes]) -> None:
    """
    Put *files* into their models: all of them, or none. Under the lock.

    Args:
        place: What `changing` yielded.
        files: Contents by path, such as "model/config.pbtxt", in the order in which they
            are to appear. One that is there keeps its owner and its permissions.

    Raises:
        RepositoryError: If a model could not take its file.
        OSError: If the disk refuses. Nothing was written then, unless it failed at the very
            end: what is left to do then is done by the next write.
    """
    for name in files:
        _check_takes(place, place / name)
        if (place / name).is_symlink():
            target = (place / name).readlink()
            raise RepositoryError(f"{place / name} is a link to {target}; change what it leads to.")
    staging = staging_directory(place)
    try:
        for name, content in files.items():
            file = staging / "new" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            write_synced(file, content)
            _own_like(place / name, file)
        sync_tree(staging / "new")
        decide(staging, list(files))
    except BaseException:
        # What the disk does not let go of now, the next write removes.
        with suppress(OSError):
            discard(staging)
        raise
    swap(place, staging)


def remove_folders(place: Path, folders: Sequence[str]) -> None:
    """
    Remove *folders* of models, each whole or not at all. Under the lock.

    Args:
        place: What `changing` yielded.
        folders: By their path, such as "model/3".

    Raises:
        RepositoryError: If a model could not give its folder.
        OSError: If the disk refuses; those before it are gone then.
    """
    for name in folders:
        _check_takes(place, place / name)
    staging = staging_directory(place)
    try:
        for number, name in enumerate(folders):
            gone = staging / "gone" / str(number)
            gone.parent.mkdir(parents=True, exist_ok=True)
            (place / name).rename(gone)
            sync((place / name).parent)
    finally:
        if staging.exists():
            discard(staging)


def _check_takes(place: Path, path: Path) -> None:
    """Refuse before anything is decided what could not be done after it."""
    model = path.parent
    if model.stat().st_dev != place.stat().st_dev:
        raise RepositoryError(
            f"{model} is on another file system than its repository, so that nothing in it "
            "can be replaced in one step."
        )
    if not os.access(model, os.W_OK | os.X_OK):
        raise RepositoryError(f"{model} is not writable.")


def _own_like(standing: Path, file: Path) -> None:
    if standing.is_file():
        shutil.copymode(standing, file)
        status = standing.stat()
        # Only root may give a file away.
        with suppress(PermissionError):
            os.chown(file, status.st_uid, status.st_gid)
