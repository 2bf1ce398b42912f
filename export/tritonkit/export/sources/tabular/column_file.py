"""Columns of samples in a file, to hand them from one process to another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["read_columns", "write_columns"]


def write_columns(file: Path, columns: Mapping[str, NDArray[Any]]) -> None:
    """Write *columns* into an .npz file; arrays of objects must be of str."""
    # Objects would be pickled. Positions: names of columns may be no names of files.
    arrays = [c.astype(np.str_) if c.dtype.hasobject else c for c in columns.values()]
    np.savez(file, *arrays, names=np.array(list(columns)))


def read_columns(file: Path) -> dict[str, NDArray[Any]]:
    """Read what `write_columns` wrote; strings are object arrays."""
    with np.load(file, allow_pickle=False) as arrays:
        columns = {str(n): arrays[f"arr_{at}"] for at, n in enumerate(arrays["names"])}
    return {n: c.astype(np.object_) if c.dtype.kind == "U" else c for n, c in columns.items()}
