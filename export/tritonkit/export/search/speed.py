"""How fast graphs are, beside fp32 and in turns with it."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from typing import Protocol

import numpy as np

from tritonkit.export.samples.samples import Samples
from tritonkit.export.search.candidate import Speed
from tritonkit.export.sources.source import Feeds, Source

__all__ = ["BASE", "Runs", "measure_speed", "speed_batches"]

BASE = "fp32"
"""Name of the network that all others are measured beside."""

_LARGE_BATCH = 32
_SAMPLED = 256
_LONGEST_NS = 10**9
"""Time that fp32 may take for the large batch; a slow network gets a smaller one."""

_SHORTEST_NS = 5 * 10**6
"""A turn takes so long at least: runs of microseconds are repeated, as noise would drown one."""

_LEAST_ROUNDS = 5
_ENOUGH_ROUNDS = 11
_ENOUGH_ERROR = 0.01
"""After enough rounds, a relative standard error below this ends the measurement early."""

_FAIR_ERROR, _PATIENCE = 0.025, 4
"""
At a larger relative standard error of the largest batch it takes so many times as long at most.

Two of these are the most that a choice counts as noise: a busy machine is to be waited for, as
the ratio decides what is served.
"""


class Runs(Protocol):
    """What is timed: a `Network`."""

    def run(self, feeds: Feeds) -> object:
        """Answer one batch."""


def speed_batches(
    source: Source,
    samples: Samples,
    base: Runs,
    *,
    clock: Callable[[], int] = time.perf_counter_ns,
) -> dict[int, Feeds]:
    """
    What `measure_speed` runs: one sample, and a larger batch.

    Both are of median size, so that a batch is not all padding to its longest text.
    The larger has 32 rows or, where *base* would take more than a second for them,
    fewer. Extremes take no part.
    """
    some = np.random.default_rng(0).permutation(samples.judged)[:_SAMPLED]
    sizes = [_size(source.prepare(samples.take([position]))) for position in some]
    by_size = some[np.argsort(sizes, kind="stable")]
    one = source.prepare(samples.take(by_size[len(by_size) // 2 :][:1]))
    if not source.batched:
        return {1: one}
    base.run(one)
    alone = _turn(base, one, 1, clock)
    rows = _LARGE_BATCH
    while rows > 2 and rows * alone > _LONGEST_NS:
        rows //= 2
    start = max(0, len(by_size) // 2 - rows // 2)
    return {1: one, rows: source.prepare(samples.take(np.resize(by_size[start:][:rows], rows)))}


def measure_speed(
    networks: Mapping[str, Runs],
    batches: Mapping[int, Feeds],
    *,
    seconds: float,
    clock: Callable[[], int] = time.perf_counter_ns,
) -> dict[str, Speed]:
    """
    Let *networks* take turns on *batches*, after a warm-up.

    What else the machine does slows the turns of one round alike, so a ratio is
    taken within a round; each network comes first in turn. Hold few networks at
    a time: idle threads of others take the cores.

    Args:
        networks: By name; the one named "fp32" is what the others are compared with.
        batches: By count of rows, what one run is fed.
        seconds: Time to measure for. Five rounds are measured in any case, and no
            more than eleven once every ratio is sure to 1 %. Where the ratio of the
            largest batch is not sure to 2.5 % by then, up to four times as long.
        clock: In nanoseconds; another one in tests.

    Returns:
        The speed of each network, by name.
    """
    start = clock()
    end, last = start + seconds * 1e9, start + _PATIENCE * seconds * 1e9
    repeats = {}
    for rows, feeds in batches.items():
        for network in networks.values():
            network.run(feeds)
        once = _turn(networks[BASE], feeds, 1, clock)
        repeats[rows] = math.ceil(_SHORTEST_NS / once)
    times: dict[str, dict[int, list[float]]] = {
        name: {rows: [] for rows in batches} for name in networks
    }
    names = list(networks)
    for number in count():
        if number >= _ENOUGH_ROUNDS and _sure(times, batches, _ENOUGH_ERROR):
            break
        if number >= _LEAST_ROUNDS and _over(times, max(batches), clock(), end, last):
            break
        first = number % len(names)
        for rows, feeds in batches.items():
            for name in names[first:] + names[:first]:
                times[name][rows].append(_turn(networks[name], feeds, repeats[rows], clock))
    return {
        name: Speed(
            rows_per_second={
                rows: rows * 1e9 / statistics.median(turns) for rows, turns in by_rows.items()
            },
            times_faster={rows: statistics.median(_ratios(times, name, rows)) for rows in by_rows},
            error={rows: _error(_ratios(times, name, rows)) for rows in by_rows},
        )
        for name, by_rows in times.items()
    }


def _turn(network: Runs, feeds: Feeds, repeats: int, clock: Callable[[], int]) -> float:
    """Nanoseconds of one run, the mean of *repeats*."""
    start = clock()
    for _ in range(repeats):
        network.run(feeds)
    # A clock may stand still during a run; a rate must be finite.
    return max(clock() - start, 1) / repeats


def _size(feeds: Feeds) -> int:
    return sum(array.size for array in feeds.values())


def _ratios(
    times: Mapping[str, Mapping[int, Sequence[float]]], name: str, rows: int
) -> list[float]:
    return [base / own for base, own in zip(times[BASE][rows], times[name][rows], strict=True)]


def _over(
    times: Mapping[str, Mapping[int, Sequence[float]]],
    batch: int,
    now: float,
    end: float,
    last: float,
) -> bool:
    """Whether time is up: at *end* where the ratio at *batch* is fairly sure, else at *last*."""
    return now >= last or (now >= end and _sure(times, [batch], _FAIR_ERROR))


def _sure(
    times: Mapping[str, Mapping[int, Sequence[float]]], batches: Iterable[int], error: float
) -> bool:
    """Whether each ratio at *batches* has a relative standard error of *error* at most."""
    return all(
        _error(ratios) <= error * statistics.median(ratios)
        for rows in batches
        for ratios in (_ratios(times, name, rows) for name in times)
    )


def _error(ratios: Sequence[float]) -> float:
    """
    Standard error of the median.

    Spread by the median absolute deviation, which a disturbed round does not move;
    1.4826 makes it a standard deviation and sqrt(pi / 2) the mean's error the median's.
    """
    middle = statistics.median(ratios)
    deviation = statistics.median(abs(ratio - middle) for ratio in ratios)
    return 1.4826 * deviation * math.sqrt(math.pi / 2 / len(ratios))
