"""What is checked of a model repository before a server is started on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tritonkit.errors import RepositoryError
from tritonkit.repository import ModelDirectory, model_directories

__all__ = ["check_repository"]


def check_repository(
    repository: Path, *, model_control_mode: str = "none", load_models: Sequence[str] = ()
) -> None:
    """
    Refuse what is no model repository.

    Args:
        repository: The folder to serve.
        model_control_mode: An empty folder is fine where models may come later.
        load_models: Must be there; "*" stands for all.

    Raises:
        RepositoryError: With what the path holds instead.
    """
    if not repository.is_dir():
        what = "is not a folder" if repository.exists() else "does not exist"
        raise RepositoryError(
            f"model repository {repository} {what}; `tritonkit export` writes one."
        )
    models = model_directories(repository)
    if (repository / "config.pbtxt").is_file() or any(_is_version(model) for model in models):
        raise RepositoryError(
            f"{repository} is a model, not a model repository; serve the folder that holds it: "
            f"{repository.absolute().parent}."
        )
    if not models and model_control_mode == "none":
        raise RepositoryError(
            f"model repository {repository} holds no model; `tritonkit export` writes one."
        )
    names = [model.name for model in models]
    for name in load_models:
        if name != "*" and name not in names:
            raise RepositoryError(
                f"model repository {repository} holds no model {name!r}, "
                f"but {', '.join(names) or 'none'}."
            )


def _is_version(directory: ModelDirectory) -> bool:
    """A number that holds no numbers is the version of a model, not a model."""
    is_model = directory.versions() or directory.config_path.is_file()
    return directory.name.isdecimal() and not is_model
