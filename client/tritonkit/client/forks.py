"""Locks that a fork leaves open."""

from __future__ import annotations

import os
import threading
from weakref import WeakSet

__all__ = ["fork_safe_lock"]


def fork_safe_lock() -> threading.RLock:
    """
    A lock that nobody holds in the child of a fork.

    Another thread of the parent may hold it at that moment, and that thread is not in
    the child. Whatever it was changing is the owner's to judge.

    Its holder may take it again: a coroutine that is thrown away is ended by the garbage
    collector, wherever that happens to run, and takes in the end what it needs.
    """
    lock = threading.RLock()
    _locks.add(lock)
    return lock


_locks: WeakSet[threading.RLock] = WeakSet()


def _after_fork() -> None:
    for lock in list(_locks):
        # What the standard library does with its own.
        lock._at_fork_reinit()  # type: ignore[attr-defined]


os.register_at_fork(after_in_child=_after_fork)
