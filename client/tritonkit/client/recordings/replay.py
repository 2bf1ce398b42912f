"""What a recorded trace of keys would have met in caches of other sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.recordings.recorded import Recorded
from tritonkit.client.stores.memory import PLACE
from tritonkit.client.stores.s3fifo import S3FIFO

__all__ = ["Outcome", "Setting", "known", "replay"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """
    A cache to try.

    Args:
        memory: Bytes of each process's Memory; 0 for none.
        ttl: Seconds that an answer is good for; None for no end.
        shared: Whether a store of all processes is behind it that evicts nothing.
    """

    memory: int
    ttl: float | None
    shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    What came of it.

    Args:
        setting: What was tried.
        rows: Rows that were asked for.
        memory_hits: Rows that memory had.
        shared_hits: Rows that only the shared store had.
        seconds: What the model would take for every row.
        seconds_saved: What it would take for the hits.
        evictions: Entries that memory gave up for others.
    """

    setting: Setting
    rows: int
    memory_hits: int
    shared_hits: int
    seconds: float
    seconds_saved: float
    evictions: int

    @property
    def rows_avoided(self) -> int:
        """Rows that the model does not compute."""
        return self.memory_hits + self.shared_hits

    @property
    def hit_ratio(self) -> float:
        """Share of rows that are a hit; 0 to 1."""
        return self.rows_avoided / self.rows if self.rows else 0.0

    @property
    def time_ratio(self) -> float:
        """Share of the model's time that is saved; 0 to 1."""
        return self.seconds_saved / self.seconds if self.seconds else 0.0

    def saved(self, price: float) -> float:
        """What is saved, where an hour of the model's time costs *price*."""
        return self.seconds_saved / 3600 * price


def replay(recorded: Recorded, setting: Setting) -> Outcome:
    """
    Ask a cache that is empty at first for the rows of a trace.

    Memory evicts as `Memory` does, one for each process. A row is a miss until the
    same row was asked for before; the time that the model takes for it is passed
    over, so rows that a real cache would have joined in flight are hits here.
    """
    sizes = (known(recorded.sizes, recorded)).astype(np.int64).tolist()
    seconds = known(recorded.seconds, recorded)
    memories: dict[int, S3FIFO[int, float]] = {}
    shared: dict[int, float] = {}
    ttl = np.inf if setting.ttl is None else setting.ttl
    hits = np.zeros(len(recorded), dtype=np.bool_)
    shared_hits = 0
    columns = (recorded.keys, recorded.times, recorded.processes)
    for row, (key, time, process) in enumerate(zip(*map(_listed, columns), strict=True)):
        memory = memories.get(process)
        if memory is None:
            memory = memories[process] = S3FIFO(setting.memory, place=PLACE)
        (created,) = memory.find((key,))
        if created is not None:
            if time - created < ttl:
                hits[row] = True
                continue
            memory.drop(key, created)
        if setting.shared:
            created = shared.get(key)
            if created is not None and time - created < ttl:
                hits[row] = True
                shared_hits += 1
                memory.put(key, created, sizes[row])
                continue
            shared[key] = time
        memory.put(key, time, sizes[row])
    return Outcome(
        setting=setting,
        rows=len(recorded),
        memory_hits=int(hits.sum()) - shared_hits,
        shared_hits=shared_hits,
        seconds=float(seconds.sum()),
        seconds_saved=float(seconds[hits].sum()),
        evictions=sum(memory.evictions for memory in memories.values()),
    )


def known(values: NDArray[Any], recorded: Recorded) -> NDArray[np.float64]:
    """
    *values* without the zeros that stand for unknown.

    In their place comes what the same row had last, else what it has next, else
    the mean of the model's rows; 0 where nothing is known.
    """
    filled = _last(values.astype(np.float64), recorded.keys)
    filled = _last(filled[::-1], recorded.keys[::-1])[::-1].copy()
    for model in range(len(recorded.names)):
        of_model = recorded.models == model
        there = filled[of_model & (filled > 0)]
        if len(there):
            filled[of_model & (filled == 0)] = there.mean()
    return filled


def _last(values: NDArray[np.float64], keys: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Zeros replaced by the last value of the same key that is not zero."""
    order = np.argsort(keys, kind="stable")
    places = np.arange(len(keys))
    sorted_keys, sorted_values = keys[order], values[order]
    first = np.ones(len(keys), dtype=np.bool_)
    first[1:] = sorted_keys[1:] != sorted_keys[:-1]
    begin = np.maximum.accumulate(np.where(first, places, 0))
    # The first of a key looks no further back than itself.
    latest = np.maximum.accumulate(np.where((sorted_values > 0) | first, places, 0))
    filled = np.empty(len(keys), dtype=np.float64)
    filled[order] = sorted_values[np.maximum(latest, begin)]
    return filled


def _listed(array: NDArray[Any]) -> list[Any]:
    # Python's own numbers: several times faster one by one.
    values: list[Any] = array.tolist()
    return values
