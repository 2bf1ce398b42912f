"""
The directory next to a repository in which a write is made ready, decided and undone.

Its `new` holds the models to be. A marker decides the write: with it, what is in `new`
is whole and belongs into the repository; without it, everything here is rubbish. So the
marker comes last, and it goes first.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from tritonkit.repository.exchange import exchange
from tritonkit.repository.sync import sync, write_synced

__all__ = ["decide", "discard", "finish_interrupted", "staging_directory", "swap"]

_DECIDED = "decided"
_ESCAPED = re.compile(r"\\(.)")


def staging_directory(repository: Path) -> Path:
    """Where a write of *repository* is staged: on its file system, and out of Triton's sight."""
    return repository.parent / f".{repository.name}.tritonkit-staging"


def finish_interrupted(repository: Path, staging: Path) -> None:
    """Complete a write that was decided; remove one that was not. Under the lock."""
    if (staging / _DECIDED).exists():
        swap(repository, staging)
    elif staging.exists():
        discard(staging)


def decide(staging: Path, names: Sequence[str]) -> None:
    """
    From here on the write happens, now or by whoever writes next.

    Args:
        staging: Its `new` holds a directory or file for each of *names*, on disk.
        names: Models, or files by their path in the repository, in the order in which they
            are to appear.
    """
    # What comes after the decision takes no more of the disk.
    (staging / "old").mkdir()
    sync(staging / "new")
    draft = staging / "draft"
    # A number of the file system, which goes with the directory wherever it is moved.
    numbers = ((staging / "new" / name).stat().st_ino for name in names)
    lines = (f"{number} {_on_a_line(name)}" for number, name in zip(numbers, names, strict=True))
    write_synced(draft, os.fsencode("\n".join(lines)))
    sync(staging.parent)
    draft.rename(staging / _DECIDED)
    sync(staging)


def swap(repository: Path, staging: Path) -> None:
    """Move everything decided into place; safe to repeat after an interruption."""
    folders = {repository: None}
    for line in os.fsdecode((staging / _DECIDED).read_bytes()).split("\n"):
        number, _, written = line.partition(" ")
        name = _from_a_line(written)
        new, place = staging / "new" / name, repository / name
        if place.parent.is_dir():
            folders[place.parent] = None
        if not os.path.lexists(new) or new.lstat().st_ino != int(number):
            continue  # moved before the interruption
        if "/" in name:
            # A file of a model, which may have been removed since the interruption.
            if place.parent in folders:
                new.replace(place)
            continue
        if os.path.lexists(place):
            if exchange(new, place):
                continue
            place.rename(staging / "old" / name)
        new.rename(place)
    for folder in folders:
        sync(folder)
    discard(staging)


def discard(staging: Path) -> None:
    """
    Remove *staging*, decided or not.

    Nothing else goes before it is certain that the marker is gone: the next write would
    complete a half of what was staged.
    """
    (staging / _DECIDED).unlink(missing_ok=True)
    sync(staging)
    shutil.rmtree(staging)


def _on_a_line(name: str) -> str:
    """A folder's name may hold a line break."""
    return name.replace("\\", "\\\\").replace("\n", "\\n")


def _from_a_line(written: str) -> str:
    return _ESCAPED.sub(lambda found: "\n" if found[1] == "n" else found[1], written)
