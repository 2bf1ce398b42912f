"""Numbers that the workers of one gateway share."""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from tritonkit.errors import ConfigError

__all__ = ["Cells"]

_BYTES = 8


class Cells:
    """
    So many floats, 0 at first: of this process, or of all that open the same file.

    Memory of the machine is enough: what several machines share is a Budget's, in Redis.
    Two system calls guard a change, some 2 us; the kernel takes a lock back from a
    process that dies.

    Args:
        size: How many.
        path: Of the file, in a folder of the gateway's own; None keeps them here.
        patience: Seconds that a change waits for another's end: longer than a process that
            is at work takes, were it put aside by the system meanwhile.

    Raises:
        ConfigError: If the file cannot be made.
    """

    def __init__(self, size: int, path: Path | None = None, *, patience: float = 0.01) -> None:
        self._patience = patience
        self._fd = -1
        self._map: mmap.mmap | None = None
        self._cells: list[float] | memoryview[float] = [0.0] * size
        if path is None or size == 0:
            return
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            # Longer by what is missing, all of it 0: whoever comes second changes nothing.
            os.ftruncate(self._fd, size * _BYTES)
            self._map = mmap.mmap(self._fd, size * _BYTES)
        except OSError as error:
            self.close()
            raise ConfigError(f"{path} cannot be shared between workers: {error}") from error
        self._cells = memoryview(self._map).cast("d")

    def __getitem__(self, index: int) -> float:
        return self._cells[index]

    def __setitem__(self, index: int, value: float) -> None:
        self._cells[index] = value

    @contextmanager
    def alone(self) -> Iterator[None]:
        """
        Keep the other workers out.

        Where one does not end, as a process that was stopped, this goes on without: a
        limit that is off by one harms nobody, a gateway that stands still does.
        """
        if self._fd < 0:
            yield
            return
        held = self._lock()
        try:
            yield
        finally:
            if held:
                fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file. A second time does nothing."""
        if isinstance(self._cells, memoryview):
            values = list(self._cells)
            self._cells.release()
            self._cells = values
        if self._map is not None:
            self._map.close()
            self._map = None
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _lock(self) -> bool:
        end = 0.0
        while True:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                end = end or monotonic() + self._patience
                if monotonic() > end:
                    return False
                os.sched_yield()
            else:
                return True
