"""One writer of a repository at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tritonkit.errors import RepositoryError
from tritonkit.repository.sync import sync

__all__ = ["locked"]


@contextmanager
def locked(repository: Path) -> Iterator[Path]:
    """
    Hold the lock of *repository*, which is made where it is not there.

    The kernel frees the lock when the process dies. If the block raises, folders that
    were made and are empty are removed.

    Yields:
        Where it really is, wherever a link to it lies.

    Raises:
        RepositoryError: If it cannot be made, it or its parent cannot be written, or a
            rename from its parent would not reach it.
    """
    try:
        absent = [path for path in (repository, *repository.parents) if not os.path.lexists(path)]
        descriptor = None
        while descriptor is None:
            descriptor = _acquired(repository)
    except OSError as error:
        raise RepositoryError(f"model repository {repository} cannot be made: {error}.") from error
    try:
        for folder in absent:
            sync(folder.parent)
        place = repository.resolve(strict=True)
        _check_writable(place)
        yield place
    except BaseException:
        # Still under the lock: nobody else is about to move anything in.
        with suppress(OSError):
            for folder in absent:
                folder.rmdir()
        raise
    finally:
        os.close(descriptor)


def _acquired(repository: Path) -> int | None:
    """A descriptor that holds the lock; None if the directory went away meanwhile."""
    try:
        repository.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        if os.path.lexists(repository) and not repository.is_dir():
            raise
        return None
    try:
        descriptor = os.open(repository, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.path.samestat(os.fstat(descriptor), repository.stat()):
            return descriptor
    except FileNotFoundError:
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _check_writable(repository: Path) -> None:
    own_mount = repository.stat().st_dev != repository.parent.stat().st_dev
    if own_mount or not os.access(repository.parent, os.W_OK):
        reason = "is another file system" if own_mount else "is not writable"
        raise RepositoryError(
            f"model repository {repository} cannot be written whole, because its parent {reason}; "
            f"use a folder inside it, such as {repository / 'models'}."
        )
    if not os.access(repository, os.W_OK):
        raise RepositoryError(f"model repository {repository} is not writable.")
