"""The store in this process: what is asked for most often, within a number of bytes."""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.stores.s3fifo import S3FIFO
from tritonkit.client.stores.store import Entry, Store
from tritonkit.client.types import Parameter
from tritonkit.units import format_size, parse_size

__all__ = ["PLACE", "Memory", "entry_bytes"]


@dataclass(frozen=True, slots=True, eq=False)
class _Kept(Entry):
    until: float = math.inf


# Of 16 bytes, and of four epochs that a cache may add for this process alone.
_LONGEST_KEY = 48

# A dict that is filled and emptied has up to six slots of 4 bytes for a key, and
# four of 24. A place is an object of its own, and stands in up to two deques.
PLACE = sys.getsizeof(bytes(_LONGEST_KEY)) + 6 * 4 + 4 * 24 + 2 * 8 + 72 + 32
"""Bytes of a key that is only remembered; at most, in CPython, as are those below."""

_NONE: Mapping[str, Parameter] = MappingProxyType({})
_ENTRY = PLACE + sys.getsizeof(_Kept({}, 0.0)) + 2 * 24 + sys.getsizeof(_NONE) + 16
_ARRAY = sys.getsizeof(np.empty(0)) - 2 * 8
_DIMENSION = 2 * 8
# What malloc adds to the memory of an array, and numpy to an array without any.
_BLOCK = 24


class Memory(Store):
    """
    Entries in this process, answered in the thread that asks.

    A hit takes no lock. What is kept is decided by how often it is asked for: a
    scan of rows that are asked for once does not push out the others. The size
    counts everything that is held: arrays, texts, keys, and the objects around
    them. It is never exceeded, and an entry larger than it is not kept.

    An array that is writeable, or that is a part of a larger one, is copied.
    After a fork the child has what the parent had, or nothing if another thread
    was writing at that moment.

    `hits` and `misses` count keys, `evictions` the entries that made room for
    others, `refused` those larger than the size, or of what cannot be measured.

    Args:
        size: "64MB", or a number of bytes.
        clock: Seconds that only go forward; the clock of `Entry.created`.
    """

    name = "memory"

    def __init__(
        self, size: str | int = "64MB", *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.size = parse_size(size)
        # Threads may lose a count to each other.
        self.hits = 0
        self.misses = 0
        self.refused = 0
        self._clock = clock
        self._begin()
        _MEMORIES.add(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._policy: S3FIFO[bytes, _Kept] = S3FIFO(self.size, place=PLACE)

    @property
    def nbytes(self) -> int:
        """Bytes held, of all kinds."""
        return self._policy.used

    @property
    def evictions(self) -> int:
        """Entries that made room for others."""
        return self._policy.evictions

    def __len__(self) -> int:
        return len(self._policy)

    def __repr__(self) -> str:
        return f"Memory({format_size(self.size)!r})"

    def now(self, model: str, keys: Sequence[bytes]) -> list[Entry | None]:
        """What it has, in the order of *keys*; None for a miss."""
        found: list[Any] = self._policy.find(keys)
        misses = 0
        # Read after the entries: none is older than this says.
        now = self._clock()
        for index, kept in enumerate(found):
            if kept is None:
                misses += 1
            elif now >= kept.until:
                misses += 1
                found[index] = None
                with self._lock:
                    self._policy.drop(keys[index], kept)
        self.misses += misses
        self.hits += len(found) - misses
        return found

    async def get(self, model: str, keys: Sequence[bytes]) -> list[Entry | None]:
        """As `now`."""
        return self.now(model, keys)

    async def put(self, model: str, entries: Mapping[bytes, Entry], lifetime: float | None) -> None:
        """Keep *entries*; others leave for them."""
        for key, entry in entries.items():
            until = math.inf if lifetime is None else entry.created + lifetime
            if self._clock() >= until:
                continue
            size = entry_bytes(entry)
            if size is None or size > self.size or len(key) > _LONGEST_KEY:
                self.refused += 1
                continue
            kept = _Kept(
                MappingProxyType({name: _own(array) for name, array in entry.outputs.items()}),
                entry.created,
                MappingProxyType(dict(entry.parameters)) if entry.parameters else _NONE,
                until,
            )
            with self._lock:
                self._policy.put(key, kept, size)

    def clear(self) -> None:
        """Let go of everything; the counters stay."""
        with self._lock:
            evictions = self._policy.evictions
            self._policy = S3FIFO(self.size, place=PLACE)
            self._policy.evictions = evictions

    def _after_fork(self) -> None:
        if self._lock.locked():
            # By a thread that is not here, in the middle of a change.
            self._begin()


def _own(array: NDArray[Any]) -> NDArray[Any]:
    """An array that nobody can write to, and that keeps no other memory alive."""
    if type(array) is np.ndarray and array.flags.owndata and not array.flags.writeable:
        return array
    copy: NDArray[Any] = np.array(array, order="C", subok=False)
    copy.flags.writeable = False
    return copy


def entry_bytes(entry: Entry) -> int | None:
    """Bytes that *entry* takes in a `Memory`; None where that cannot be known."""
    size = _ENTRY + sys.getsizeof(dict(entry.outputs))
    for name, array in entry.outputs.items():
        size += sys.getsizeof(name) + _ARRAY + _DIMENSION * array.ndim + array.nbytes + _BLOCK
        kind = array.dtype.kind
        if kind == "O":
            items = array.ravel().tolist()
            if not set(map(type, items)) <= {bytes, str}:
                return None
            size += sum(map(sys.getsizeof, items))
        elif array.dtype.hasobject or kind == "T":
            return None
    if entry.parameters:
        size += sys.getsizeof(dict(entry.parameters)) + sys.getsizeof(_NONE)
        for name, value in entry.parameters.items():
            size += sys.getsizeof(name) + sys.getsizeof(value)
    return size


_MEMORIES: WeakSet[Memory] = WeakSet()


def _after_fork() -> None:
    for memory in list(_MEMORIES):
        memory._after_fork()


os.register_at_fork(after_in_child=_after_fork)
