"""Files and directories that a power cut leaves as they are."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

__all__ = ["sync", "sync_tree", "write_synced"]


def sync(path: Path) -> None:
    """
    Wait until *path* is on disk.

    Of a directory that is what it lists, not what is in the files. It is itself on disk
    where the directory that lists it is.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(directory: Path) -> None:
    """Wait until *directory* and all directories in it are on disk; not their files."""
    for folder, _, _ in os.walk(directory):
        sync(Path(folder))


def write_synced(file: Path, content: Path | bytes) -> None:
    """Write bytes, or copy a file, and wait until they are on disk."""
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        shutil.copyfile(content, file)
    sync(file)
