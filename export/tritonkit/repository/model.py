"""What a model directory is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tritonkit.errors import RepositoryError
from tritonkit.repository.config import CONFIG_NAME, ModelConfig
from tritonkit.repository.layout import check_model_name

__all__ = ["Model"]


@dataclass(frozen=True, slots=True)
class Model:
    """
    What a model directory is made of.

    Args:
        config: Its config.pbtxt; `config.name` names the directory.
        versions: Files of each version by their path in it. A Path is copied,
            bytes are written. An ensemble has a version too, of no files.
        files: Files of the model's directory itself, such as labels.txt, by their path in it.
        comments: What `render_config` writes above the fields of `config`.
        keep_versions: Whether what else stands in the directory stays: other versions,
            under the new configuration, and files. Otherwise it is replaced whole.

    Raises:
        RepositoryError: If the name or a version is not one that Triton takes, or a file
            would leave its directory.
    """

    config: ModelConfig
    versions: Mapping[int, Mapping[str, Path | bytes]] = field(default_factory=lambda: {1: {}})
    files: Mapping[str, Path | bytes] = field(default_factory=dict)
    comments: Mapping[str, str] = field(default_factory=dict)
    keep_versions: bool = False

    def __post_init__(self) -> None:
        check_model_name(self.name)
        if not self.versions or min(self.versions) < 1:
            raise RepositoryError(
                f"model {self.name!r} needs versions of 1 or more, but got {sorted(self.versions)}."
            )
        for files in self.versions.values():
            for file in files:
                self._check_inside(file, "its version's directory")
        for file in self.files:
            self._check_inside(file, "its directory")
            first = PurePosixPath(file).parts[0]
            if first == CONFIG_NAME or first.isdecimal():
                raise RepositoryError(
                    f"model {self.name!r}: file {file!r} stands where its "
                    f"{'configuration' if first == CONFIG_NAME else 'versions'} should be."
                )

    @property
    def name(self) -> str:
        """The model's name."""
        return str(self.config.name)

    def contents(self) -> dict[str, Path | bytes]:
        """Every file but config.pbtxt, by its path in the model's directory."""
        versions = {
            f"{version}/{name}": content
            for version, files in self.versions.items()
            for name, content in files.items()
        }
        return {**self.files, **versions}

    def file_sizes(self) -> dict[str, int]:
        """Size in bytes of each file but config.pbtxt, by its path in the repository."""
        return {
            f"{self.name}/{name}": len(content)
            if isinstance(content, bytes)
            else content.stat().st_size
            for name, content in self.contents().items()
        }

    def _check_inside(self, file: str, place: str) -> None:
        path = PurePosixPath(file)
        if path.is_absolute() or not path.parts or ".." in path.parts:
            raise RepositoryError(f"model {self.name!r}: file {file!r} must stay in {place}.")
