"""
An alarm that is exact to a few microseconds.

Timers of event loops tick in milliseconds. A timer of the kernel is a file that can
be read when its time has come, and wakes the loop then.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["Alarm", "Calendar"]

_NONBLOCK, _CLOEXEC, _ABSOLUTE = 0o4000, 0o2000000, 1


class Calendar:
    """
    Which arrivals are due.

    Args:
        chunks: Offsets that never decrease.
    """

    def __init__(self, chunks: Iterator[NDArray[np.int64]]) -> None:
        self._chunks = chunks
        self._chunk: list[int] = []
        self._at = 0

    @property
    def next_ns(self) -> int | None:
        """The next arrival; None after the last."""
        while self._at == len(self._chunk):
            chunk = next(self._chunks, None)
            if chunk is None:
                return None
            self._chunk, self._at = chunk.tolist(), 0
        return self._chunk[self._at]

    def take(self, now_ns: int, most: int) -> list[int]:
        """The arrivals up to *now_ns*, the earliest *most* of them."""
        due: list[int] = []
        while len(due) < most:
            arrival = self.next_ns
            if arrival is None or arrival > now_ns:
                break
            due.append(arrival)
            self._at += 1
        return due


class Alarm:
    """
    Calls back at given instants, on the event loop that runs.

    Without a timer of the kernel the loop's own must do.

    Args:
        ring: Called at each instant that is set, or soon after; now and then before it,
            where the kernel has no timer.
        kernel: Whether to use a timer of the kernel where there is one.
    """

    def __init__(self, ring: Callable[[], None], *, kernel: bool = True) -> None:
        self._ring = ring
        self._loop = asyncio.get_running_loop()
        self._timer = _kernel_timer() if kernel else None
        self._handle: asyncio.TimerHandle | None = None
        if self._timer is not None:
            self._loop.add_reader(self._timer.descriptor, ring)

    def set(self, at_ns: int | None) -> None:
        """
        Ring once at an instant, or not any more.

        Args:
            at_ns: Of `time.perf_counter_ns`; one that has passed rings at once.
        """
        if self._timer is not None:
            self._timer.set(at_ns)
            return
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if at_ns is not None:
            delay = max(0, at_ns - time.perf_counter_ns()) / 1e9
            self._handle = self._loop.call_later(delay, self._ring)

    def close(self) -> None:
        """Never ring again."""
        if self._timer is not None:
            self._loop.remove_reader(self._timer.descriptor)
            os.close(self._timer.descriptor)
            self._timer = None
        elif self._handle is not None:
            self._handle.cancel()


def _kernel_timer() -> _KernelTimer | None:
    """None where the kernel or its library has none."""
    if sys.platform != "linux":
        return None
    try:
        return _KernelTimer()
    except (AttributeError, OSError):
        return None


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _TimerSpec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class _KernelTimer:
    """timerfd_create(2), which Python has from 3.13 on; perf_counter is its CLOCK_MONOTONIC."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None, use_errno=True)
        self._settime = self._library.timerfd_settime
        self._spec = _TimerSpec()
        self._reference = ctypes.byref(self._spec)
        self.descriptor: int = self._library.timerfd_create(
            time.CLOCK_MONOTONIC, _NONBLOCK | _CLOEXEC
        )
        if self.descriptor < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def set(self, at_ns: int | None) -> None:
        """At an instant; setting makes the file unreadable until then, so it need not be read."""
        value = self._spec.value
        # Zero would disarm.
        value.seconds, value.nanoseconds = (
            (0, 0) if at_ns is None else divmod(max(1, at_ns), 1_000_000_000)
        )
        self._settime(self.descriptor, _ABSOLUTE, self._reference, None)
