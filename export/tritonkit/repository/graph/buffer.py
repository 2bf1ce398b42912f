"""The bytes of a file, without reading those that nobody looks at."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tritonkit.repository.graph.wire import Buffer

__all__ = ["opened"]

_SMALL_BYTES = 1 << 18
"""A smaller file is read whole, which costs less than mapping it."""


@contextmanager
def opened(file: Path) -> Iterator[Buffer]:
    """
    The bytes of *file*, while the block runs.

    Raises:
        OSError: If it cannot be read.
    """
    with file.open("rb") as stream:
        if file.stat().st_size < _SMALL_BYTES:
            yield stream.read(_SMALL_BYTES)
            return
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            # Weights are stepped over: reading ahead would fetch them.
            if hasattr(mmap, "MADV_RANDOM"):
                mapped.madvise(mmap.MADV_RANDOM)
            yield mapped
