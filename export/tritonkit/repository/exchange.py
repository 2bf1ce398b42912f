"""Two directories that change places in one step."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

__all__ = ["exchange"]

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def exchange(first: Path, second: Path) -> bool:
    """
    Give each of two existing paths the other's name; nobody sees one of them missing.

    Returns:
        Whether it was done. Some file systems cannot, and no system but Linux.

    Source: renameat2(2).
    """
    renameat2 = getattr(ctypes.CDLL(None), "renameat2", None)
    if renameat2 is None:
        return False
    paths = os.fsencode(first.absolute()), os.fsencode(second.absolute())
    return bool(renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0)
