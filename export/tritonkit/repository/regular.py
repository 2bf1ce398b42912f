"""Files that are read without waiting for whoever writes into them."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from stat import S_ISDIR, S_ISREG

__all__ = ["read_regular"]


def read_regular(file: Path, most: int = -1) -> bytes:
    """
    What stands in *file*.

    Args:
        file: Links are followed. A pipe or a device may lie in a folder too, and reading
            one need not end.
        most: How many bytes are read; all by default.

    Raises:
        OSError: If it cannot be read, or is no regular file.
    """
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        mode = os.fstat(descriptor).st_mode
        if S_ISDIR(mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        return stream.read(most)
