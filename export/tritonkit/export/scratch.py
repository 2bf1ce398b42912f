"""The temporary folders that an export works in, and the disk that they fill."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tritonkit.errors import ExportError

__all__ = ["NO_SPACE", "is_no_space", "no_space", "scratch_folder"]

NO_SPACE = "No space left on device"
"""What the system says, and so do processes and libraries that write."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
# numpy gives no number: "4096 requested and 1024 written".
_CUT_SHORT = " requested and "


@contextmanager
def scratch_folder(prefix: str) -> Iterator[Path]:
    """
    A temporary folder, which is gone afterwards.

    Raises:
        ExportError: If none can be made, or the block fills the disk that it is on.
    """
    try:
        made = tempfile.TemporaryDirectory(prefix=prefix)
    except OSError as error:
        raise ExportError(
            f"no temporary folder can be made: {error.strerror or error}; set TMPDIR to a folder "
            "that can be written. Nothing was written."
        ) from error
    with made as folder:
        try:
            yield Path(folder)
        except OSError as error:
            if not is_no_space(error):
                raise
            raise ExportError(no_space(Path(folder))) from error


def is_no_space(error: Exception) -> bool:
    """Whether *error* says that a disk is full."""
    return isinstance(error, OSError) and (error.errno in _FULL or _CUT_SHORT in str(error))


def no_space(folder: Path) -> str:
    """That the disk of *folder* is full, and what to do."""
    return (
        f"there is no space left for temporary files in {folder}; set TMPDIR to a folder on a "
        "larger disk, or make room: an export takes several times the size of its model. "
        "Nothing was written."
    )
