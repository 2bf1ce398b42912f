"""What Triton makes of the folders in a model's folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tritonkit.repository.layout import version_of

if TYPE_CHECKING:
    from tritonkit.repository.check.subject import Subject

__all__ = [
    "MODEL_FILES",
    "entries",
    "is_stray",
    "leaves",
    "lone_file",
    "none_available",
]

MODEL_FILES = frozenset(
    {
        "model.graphdef",
        "model.onnx",
        "model.plan",
        "model.pt",
        "model.py",
        "model.savedmodel",
        "model.xml",
    }
)
"""What backends call the file of a version."""


def entries(folder: Path) -> Iterator[Path]:
    """What stands in *folder*, by name; nothing where it cannot be read."""
    try:
        yield from sorted(folder.iterdir())
    except OSError:
        return


def lone_file(folder: Path) -> Path | None:
    """The only file in *folder* of a kind that backends load; None where there is not one."""
    kinds = {Path(name).suffix for name in MODEL_FILES}
    found = [entry for entry in entries(folder) if entry.suffix in kinds and entry.is_file()]
    return found[0] if len(found) == 1 else None


def is_stray(model: Subject) -> bool:
    """Whether a folder of the repository is no model's: no configuration, no version."""
    return (
        model.directory is not None
        and model.document is None
        and not model.unreadable
        and not model.config_path.is_symlink()
        and all(version_of(entry.name) is None for entry in entries(model.directory.path))
    )


def leaves(path: Path, folder: Path) -> bool:
    """Whether *path* leads out of *folder*, links followed."""
    return not path.resolve().is_relative_to(folder.resolve())


def none_available(model: Subject) -> str:
    """What Triton says where it serves no version."""
    return (
        f"at least one version must be available under the version policy of model '{model.name}'"
    )
