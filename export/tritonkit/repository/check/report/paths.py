"""Paths as a report names them."""

from __future__ import annotations

from pathlib import Path

__all__ = ["from_here"]


def from_here(path: Path) -> str:
    """*path* from the current folder where it is below it, else as it is."""
    try:
        return path.absolute().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.as_posix()
