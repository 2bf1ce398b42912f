from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tritonkit.client import Entry, Memory
from tritonkit.client.recordings.recorded import Recorded
from tritonkit.client.recordings.replay import Setting, known, replay
from tritonkit.client.stores.memory import entry_bytes


def trace(
    keys: Sequence[int],
    *,
    times: Sequence[float] | None = None,
    sizes: Sequence[int] | None = None,
    seconds: Sequence[float] | None = None,
    models: Sequence[int] | None = None,
    processes: Sequence[int] | None = None,
) -> Recorded:
    rows = len(keys)
    zeros = [0] * rows
    return Recorded(
        times=np.array(range(rows) if times is None else times, dtype=np.float64),
        keys=np.array(keys, dtype=np.uint64),
        sizes=np.array(sizes or [1000] * rows, dtype=np.int64),
        seconds=np.array([1.0] * rows if seconds is None else seconds, dtype=np.float64),
        models=np.array(models or zeros, dtype=np.int64),
        processes=np.array(processes or zeros, dtype=np.int64),
        names=("a", "b"),
    )


def setting(memory: int = 10**9, ttl: float | None = None, shared: bool = False) -> Setting:
    return Setting(memory=memory, ttl=ttl, shared=shared)


def test_everything_fits() -> None:
    out = replay(trace([1, 2, 1, 1, 3, 2]), setting())
    assert (out.rows, out.memory_hits, out.rows_avoided, out.evictions) == (6, 3, 3, 0)
    assert (out.hit_ratio, out.time_ratio, out.seconds_saved) == (0.5, 0.5, 3.0)
    assert out.saved(1200) == pytest.approx(1.0)


def test_a_hit_does_not_prolong_a_life() -> None:
    recorded = trace([1, 1, 1, 1], times=[0, 6, 12, 13])
    assert replay(recorded, setting(ttl=10)).memory_hits == 2
    assert replay(recorded, setting(ttl=12.5)).memory_hits == 2
    assert replay(recorded, setting(ttl=13.5)).memory_hits == 3


def test_at_the_end_of_its_life_it_is_gone() -> None:
    assert replay(trace([1, 1], times=[0, 10]), setting(ttl=10)).memory_hits == 0


def test_no_memory() -> None:
    out = replay(trace([1, 1, 1]), setting(memory=0))
    assert (out.memory_hits, out.hit_ratio, out.evictions) == (0, 0.0, 0)


def test_each_process_has_its_own_memory_and_all_share_a_store() -> None:
    recorded = trace([1, 1, 1, 1], processes=[0, 1, 0, 1])
    assert replay(recorded, setting()).rows_avoided == 2
    out = replay(recorded, setting(shared=True))
    assert (out.memory_hits, out.shared_hits) == (2, 1)


def test_what_the_store_gives_memory_keeps_its_age() -> None:
    recorded = trace([1, 1, 1, 1], times=[0, 8, 9, 11], processes=[0, 1, 1, 1])
    out = replay(recorded, setting(ttl=10, shared=True))
    assert (out.memory_hits, out.shared_hits) == (1, 1)


async def test_it_evicts_as_memory_does() -> None:
    """Keys in a loop that is longer than there is room for: as many hits as Memory has."""
    array = np.zeros((1, 400), dtype=np.float32)
    array.flags.writeable = False
    entry = Entry({"y": array}, 0.0)
    keys = [*range(10)] * 10
    size = entry_bytes(entry)
    assert size is not None
    memory = Memory(8 * size)
    for key in keys:
        name = key.to_bytes(16, "big")
        if memory.now("m", [name]) == [None]:
            await memory.put("m", {name: entry}, None)
    assert 0 < memory.hits < len(keys) - 10
    outcome = replay(trace(keys, sizes=[size] * len(keys)), setting(8 * size))
    assert (outcome.memory_hits, outcome.evictions) == (memory.hits, memory.evictions)


def test_more_memory_avoids_more_of_a_zipf_trace() -> None:
    rng = np.random.default_rng(0)
    keys = np.minimum(rng.zipf(1.2, 20_000), 10**6)
    outs = [replay(trace(keys.tolist()), setting(memory)) for memory in (10**4, 10**5, 10**6)]
    assert sorted(out.hit_ratio for out in outs) == [out.hit_ratio for out in outs]
    assert outs[0].evictions > outs[2].evictions
    assert 0.3 < outs[0].hit_ratio < outs[2].hit_ratio < 1
    best = replay(trace(keys.tolist()), setting())
    assert best.rows_avoided == len(keys) - len(np.unique(keys))


def test_unknown_costs_are_those_of_the_same_row() -> None:
    """The last known, else the next, else the mean of its model, else nothing."""
    recorded = trace(
        [1, 2, 1, 3, 1, 1, 2, 4],
        seconds=[0, 0, 2, 0, 0, 4, 6, 0],
        models=[0, 0, 0, 0, 0, 0, 0, 1],
    )
    assert known(recorded.seconds, recorded).tolist() == [
        2,
        6,
        2,
        pytest.approx(22 / 6),
        2,
        4,
        6,
        0,
    ]


def test_time_saved_is_of_the_rows_that_hit() -> None:
    out = replay(trace([1, 1, 2, 2], seconds=[5, 0, 0.5, 0]), setting())
    assert (out.seconds, out.seconds_saved) == (11, 5.5)


async def test_an_entry_weighs_what_it_weighs_in_memory() -> None:
    memory = Memory()
    entries = {
        number.to_bytes(16, "big"): Entry({"embedding": np.zeros((1, 384), np.float32)}, 0.0)
        for number in range(100)
    }
    await memory.put("m", entries, None)
    recorded = trace(range(100), sizes=[entry_bytes(entry) for entry in entries.values()])
    assert replay(recorded, setting(memory.nbytes)).evictions == 0
    assert replay(recorded, setting(memory.nbytes * 9 // 10)).evictions > 0


def test_nothing_was_recorded() -> None:
    out = replay(trace([]), setting())
    assert (out.hit_ratio, out.time_ratio, out.saved(1)) == (0, 0, 0)
    assert trace([]).span == 0
