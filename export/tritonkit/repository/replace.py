"""A file whose content changes in one step."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from tritonkit.repository.sync import sync, write_synced

__all__ = ["replace_file"]


def replace_file(file: Path, content: bytes) -> None:
    """
    Give *file* new content, whole or not at all, and wait until it is on disk.

    One that is there keeps its mode and, where that is allowed, its owner. A link stays,
    and what it leads to is written; what is no file, such as /dev/null, is written to.

    Raises:
        OSError: If it cannot be written.
    """
    path = Path(os.path.realpath(file))
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    status = path.stat() if path.exists() else None
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    draft = Path(name)
    try:
        os.close(descriptor)
        write_synced(draft, content)
        if status is not None:
            with suppress(PermissionError):
                os.chown(draft, status.st_uid, status.st_gid)
        draft.chmod(status.st_mode & 0o7777 if status is not None else _mode())
        draft.replace(path)
        sync(path.parent)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _mode() -> int:
    """The mode of a new file, which the process's mask says."""
    mask = os.umask(0o077)
    os.umask(mask)
    return 0o666 & ~mask
