"""Whether a file is there, whatever its name: configurations name files that none could be."""

from __future__ import annotations

from pathlib import Path

__all__ = ["is_file", "is_folder", "is_there"]


def is_there(path: Path) -> bool:
    """Whether something is at *path*; not where no file system takes the name."""
    try:
        return path.exists()
    except OSError:
        return False


def is_file(path: Path) -> bool:
    """Whether a file is, or a link to one."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Whether a directory is, or a link to one."""
    try:
        return path.is_dir()
    except OSError:
        return False
