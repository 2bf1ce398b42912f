"""Work that nobody waits for, in a thread."""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from time import perf_counter, sleep
from typing import Any, Generic, TypeVar
from weakref import WeakSet

__all__ = ["Worker"]

T = TypeVar("T")

_log = logging.getLogger(__name__)

_IDLE = 5.0
_GATHER = 0.02
_LONGEST_REST = 0.1


class Worker(Generic[T]):
    """
    A bounded queue, and a thread that is there while there is work.

    After each item it rests as long as that took, so that it takes no more than
    half of the interpreter. What does not fit is dropped, and counted. A child of
    a fork begins with an empty queue.

    Args:
        work: Does an item. What it raises is logged, and counted.
        most: Items that may wait.
        name: Of the thread.
    """

    def __init__(self, work: Callable[[T], None], most: int, *, name: str) -> None:
        self.most = most
        self.dropped = 0
        self.failures = 0
        self._work = work
        self._name = name
        self._closed = False
        self._begin()
        _WORKERS.add(self)

    def _begin(self) -> None:
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._items: deque[T] = deque()

    def put(self, item: T, /) -> bool:
        """Whether it will be done; from any thread, without waiting."""
        with self._lock:
            if self._closed or len(self._items) >= self.most:
                self.dropped += 1
                return False
            self._items.append(item)
            self._idle.clear()
            if self._thread is None:
                thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    # There are too many, or the interpreter ends.
                    self._items.clear()
                    self._idle.set()
                    self.dropped += 1
                    return False
                self._thread = thread
        if not self._wake.is_set():
            self._wake.set()
        return True

    def flush(self, timeout: float) -> bool:
        """Wait until all is done; whether it is."""
        return self._idle.wait(timeout)

    def close(self, timeout: float = 5.0) -> None:
        """Take nothing more, do what waits, end the thread."""
        with self._lock:
            self._closed = True
            thread = self._thread
        self._wake.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def _run(self) -> None:
        while True:
            woken = self._wake.wait(_IDLE)
            if not self._closed:
                # Rows that come together are looked at together.
                sleep(_GATHER)
            self._wake.clear()
            while self._items:
                began = perf_counter()
                try:
                    self._work(self._items.popleft())
                except Exception:
                    # What one item holds ends no thread, and nobody waits to be told.
                    self.failures += 1
                    _log.exception("%s failed", self._name)
                if not self._closed:
                    sleep(min(perf_counter() - began, _LONGEST_REST))
            with self._lock:
                if self._items:
                    continue
                self._idle.set()
                if self._closed or not woken:
                    self._thread = None
                    return


_WORKERS: WeakSet[Worker[Any]] = WeakSet()


def _after_fork() -> None:
    for worker in list(_WORKERS):
        # The thread is the parent's, and so is what it held.
        worker._begin()


os.register_at_fork(after_in_child=_after_fork)
