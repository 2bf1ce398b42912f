"""
Records which keys a cache is asked for, so that other sizes can be tried on them later.

A trace is a folder with one file for each process, since no two processes write
one file. A file is records of 32 bytes, little-endian, of the dtype RECORD:

    kind 0   the head, once: MAGIC in `key`, FORMAT in `model`
    kind 1   a row that was asked for: the first 8 bytes of its key, the bytes of
             its entry, the seconds that the model took for it, when it was asked
             for; bytes and seconds are 0 where they were not known then
    kind 2   a piece of the name of a model: the 24 bytes from `size` on, zeros at
             the end; the pieces of a number, in order, make the name

A name stands before the first row that has its number. `numpy.fromfile(path, RECORD)`
reads a file; what a process that was killed wrote in part is no whole record.
"""

from __future__ import annotations

import atexit
import logging
import os
import struct
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tritonkit.errors import ConfigError
from tritonkit.units import format_size, parse_size

__all__ = ["FORMAT", "MAGIC", "RECORD", "SUFFIX", "KeyTrace"]

FORMAT = 1

MAGIC = b"\x89tkkeys\n"

SUFFIX = ".keys"
"""What the name of a file of a trace ends with."""

HEAD, ROW, NAME = 0, 1, 2

RECORD: np.dtype[Any] = np.dtype(
    [
        ("kind", "<u2"),
        ("model", "<u2"),
        ("reserved", "<u4"),
        ("size", "<u4"),
        ("seconds", "<f4"),
        ("key", "V8"),
        ("time", "<f8"),
    ]
)
"""One record. `time` is in seconds since 1970-01-01 UTC and never goes back in a file."""

_ROW = struct.Struct("<HHIIf8sd")
_NAME = struct.Struct("<HHI24s")
_PIECE = 24
_LARGEST = 2**32 - 1
_INTERVAL = 1.0
_BUFFER = 16 * 2**20

_log = logging.getLogger("tritonkit.client.recordings.recording")


class KeyTrace:
    """
    Writes what a cache is asked for into a folder: 32 bytes a row, nothing of its content.

    Recording never fails a request and never waits for the disk: a thread writes
    once a second. What cannot be written ends the recording, with a line in the
    log. A fork begins a file of its own.

    Args:
        path: The folder; made if it is not there. Other processes may record into
            the same.
        limit: Bytes of a process's file, at which recording ends, so that a
            forgotten trace fills no disk.
        clock: Seconds since 1970-01-01 UTC.

    Raises:
        ConfigError: If the folder cannot be made or written into.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        limit: str | int = "1GB",
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.path = Path(path)
        self.limit = parse_size(limit, name="limit")
        self.recorded = 0
        self.dropped = 0
        self._clock = clock or _wall_clock()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be a folder for a trace: {error}") from error
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise ConfigError(f"{self.path} cannot be written into.")
        self._closed = False
        self._begin()
        _traces_of_this_process.append(self)

    def _begin(self) -> None:
        """With nothing recorded: at first, and in the child of a fork."""
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._models: dict[str, int] = {}
        self._latest: float = 0.0
        self._written = 0
        self._file: int | None = None
        self._ended: bool = self._closed
        self._buffer: bytearray = bytearray(_ROW.pack(HEAD, FORMAT, 0, 0, 0, MAGIC, self._clock()))

    def __repr__(self) -> str:
        return f"KeyTrace({str(self.path)!r})"

    def record(
        self, model: str, keys: Sequence[bytes], sizes: Sequence[int], seconds: Sequence[float]
    ) -> None:
        """
        Note that rows were asked for, now; from any thread.

        Args:
            model: Name of the model.
            keys: One for each row, repeats included.
            sizes: Bytes of each entry; 0 where it is not known.
            seconds: What the model took for each row; 0 where it is not known.
        """
        now = self._clock()
        with self._lock:
            if self._ended:
                return
            number = self._models.get(model)
            if number is None:
                number = self._name(model)
            if number is None or len(self._buffer) > _BUFFER:
                self.dropped += len(keys)
                return
            self._latest = now = max(now, self._latest)
            try:
                rows = [
                    _ROW.pack(ROW, number, 0, min(size, _LARGEST), spent, key, now)
                    for key, size, spent in zip(keys, sizes, seconds, strict=True)
                ]
            except (struct.error, ValueError, OverflowError):
                # Not what was asked for; a request is worth more than its record.
                self.dropped += len(keys)
                return
            self._buffer += b"".join(rows)
            self.recorded += len(keys)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._write_on, name="tritonkit-trace", daemon=True
                )
                self._thread.start()

    def close(self) -> None:
        """Write what is left. Later rows are not recorded; a second time does nothing."""
        with self._lock:
            self._closed = self._ended = True
            thread = self._thread
        self._stop.set()
        if thread is not None:
            thread.join()
        if self in _traces_of_this_process:
            _traces_of_this_process.remove(self)

    def _name(self, model: str) -> int | None:
        """Give a model a number, and write which."""
        number = len(self._models)
        name = model.encode(errors="surrogatepass")
        if number > 0xFFFF:
            return None
        self._models[model] = number
        for start in range(0, max(len(name), 1), _PIECE):
            self._buffer += _NAME.pack(NAME, number, 0, name[start : start + _PIECE])
        return number

    def _write_on(self) -> None:
        last = False
        while not last:
            last = self._stop.wait(_INTERVAL)
            with self._lock:
                buffer, self._buffer = self._buffer, bytearray()
            try:
                self._write(buffer)
            except OSError as error:
                self._end(f"{error}")
                last = True
            if self._written >= self.limit:
                self._end(f"it has reached {format_size(self.limit)}")
                last = True
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _write(self, buffer: bytearray) -> None:
        if self._file is None:
            name = f"{time.time_ns():x}-{os.getpid()}{SUFFIX}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._file = os.open(self.path / name, flags, 0o644)
        left = memoryview(buffer)
        while left:
            left = left[os.write(self._file, left) :]
        self._written += len(buffer)

    def _end(self, why: str) -> None:
        with self._lock:
            self._ended = True
            self._buffer = bytearray()
        _log.warning("the recording of keys into %s ends: %s", self.path, why)

    def _after_fork(self) -> None:
        # The parent's file is the parent's to write; its thread is not here.
        if self._file is not None:
            os.close(self._file)
        self._begin()


def _wall_clock() -> Callable[[], float]:
    """The time of day that nobody sets back."""
    offset = time.time_ns() / 1e9 - time.monotonic()
    return lambda: offset + time.monotonic()


_traces_of_this_process: list[KeyTrace] = []


def _after_fork() -> None:
    for trace in _traces_of_this_process:
        trace._after_fork()


def _at_exit() -> None:
    for trace in [*_traces_of_this_process]:
        trace.close()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
