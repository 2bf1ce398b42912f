"""The model that a command is about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

from tritonkit.errors import RepositoryError
from tritonkit.repository.config import CONFIG_NAME
from tritonkit.repository.layout import ModelDirectory, model_directories

__all__ = ["model_directory", "reading"]


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """
    Read *path*, or what it leads to, in the block.

    Raises:
        RepositoryError: If the file system refuses.
    """
    try:
        yield
    except OSError as error:
        what = error.filename or path
        raise RepositoryError(f"{what} cannot be read: {error.strerror}.") from error


def model_directory(path: Path, model: str | None) -> Path:
    """
    The directory of a model.

    Args:
        path: The directory itself, its config.pbtxt, or a repository.
        model: The model's name in the repository; None where *path* is the model's own.

    Raises:
        RepositoryError: If the repository holds no such model, or none is named.
    """
    if model is not None:
        return _model_of(path, model)
    # A name of its own also for "." and "..", which the model is called by.
    directory = (path.parent if path.name == CONFIG_NAME else path).resolve()
    found = ModelDirectory(directory)
    if found.path.is_dir() and not found.versions() and not found.config_path.exists():
        models = [m.name for m in model_directories(directory) if m.versions()]
        if models:
            raise RepositoryError(
                f"{path} is a repository; name one of its models too: {', '.join(models[:8])}"
                f"{', ...' if len(models) > 8 else '.'}"
            )
    return directory


def _model_of(repository: Path, model: str) -> Path:
    names = [directory.name for directory in model_directories(repository)]
    if model not in names:
        near = get_close_matches(model, names, 1)
        meant = f"; did you mean {near[0]!r}?" if near else "."
        raise RepositoryError(f"{repository} holds no model {model!r}{meant}")
    return repository / model
