"""The repair of one finding."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tritonkit.repository.text.edit import Edit

__all__ = ["Fix"]


@dataclass(frozen=True, slots=True)
class Fix:
    """
    What is to be done about one finding.

    Args:
        config: The configuration that is edited.
        edits: What is edited in it.
        folder: A directory that is to be made; None for none.
        repository: The repository that is locked meanwhile; None for a configuration that
            stands in none.
    """

    config: Path
    edits: tuple[Edit, ...] = ()
    folder: Path | None = None
    repository: Path | None = None
