"""
Triton's dynamic batcher and the instances behind it, simulated for many scenarios at once.

Every scenario takes one batch a step, so a step is a handful of operations on arrays
whatever the number of scenarios.

Source: core's dynamic_batch_scheduler.cc. An instance that is free takes what waits
as soon as (1) the number of waiting rows meets a preferred batch size exactly, or has
passed one, or (2) the oldest request has waited for max_queue_delay. In the first case
the batch is the largest preferred size that there are rows for, in the second it is
all that waits, up to max_batch_size. Without preferred sizes, max_batch_size is the
one. With a delay of 0 the second case is at once, and a preferred size still goes first.
While all instances are busy, requests gather.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError

__all__ = ["Batching", "Outcome", "ServiceTimes", "simulate_closed", "simulate_open"]

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]

_QUARTERS = 4
"""Requests of a batch whose latency is kept, each for a quarter of it."""

_WARM_UP = 0.2
"""The share of the batches at the start that is not counted."""

_NEVER = 1e30
"""Seconds; a request that does not come. Infinities would make NaN of differences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batching:
    """
    How requests become batches.

    Args:
        max_batch: Rows of a batch at most; 1 for a model that does not batch.
        delay: max_queue_delay in seconds; None without a dynamic batcher.
        preferred: preferred_batch_size; empty where none is named.
        instances: That take batches.
        rows: Of each request.
    """

    max_batch: int = 1
    delay: float | None = 0.0
    preferred: tuple[int, ...] = ()
    instances: int = 1
    rows: int = 1

    def __post_init__(self) -> None:
        for name in ("max_batch", "instances", "rows"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, but got {getattr(self, name)}.")
        if self.delay is not None and self.delay < 0:
            raise ConfigError(f"delay must not be negative, but got {self.delay}.")

    @property
    def most(self) -> int:
        """Requests of a batch at most."""
        return 1 if self.delay is None else max(self.max_batch // self.rows, 1)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Preferred batch sizes in requests: those that requests of this size can meet."""
        whole = {size // self.rows for size in self.preferred if size % self.rows == 0}
        found = sorted(size for size in whole if 1 <= size <= self.most)
        return tuple(found) if found else (self.most,)


@dataclass(frozen=True, slots=True)
class ServiceTimes:
    """
    How long things take, one value a scenario.

    Args:
        fixed: Seconds of a batch, however small.
        row: Seconds more for each row.
        contention: How much slower a batch is for each other one that runs: 0 with
            cores to spare, 1 where all instances share what one can use.
        turn: Seconds of a request outside the queue and the instances: the wire, the
            server's front, the client.
        spacing: Seconds between the answers of one batch, which leave one by one.
        noise: Standard deviation of a batch's time, as a share of it.
    """

    fixed: _Floats
    row: _Floats
    contention: _Floats
    turn: _Floats
    spacing: _Floats
    noise: _Floats


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What the scenarios came to, one value each.

    Args:
        rate: Requests a second.
        mean: Of the latency, in seconds.
        percentiles: Of the latency, shape (percentiles asked for, scenarios).
        batch: Rows of a mean batch.
    """

    rate: _Floats
    mean: _Floats
    percentiles: _Floats
    batch: _Floats


def simulate_closed(
    batching: Sequence[Batching],
    concurrency: Sequence[int],
    times: ServiceTimes,
    *,
    percentiles: Sequence[float],
    batches: int = 400,
    seed: int = 0,
) -> Outcome:
    """
    A number of callers, each with one request at a time.

    Args:
        batching: Of each scenario.
        concurrency: Callers of each scenario.
        times: Of each scenario.
        percentiles: Of the latency, 0 to 100.
        batches: That are simulated, the first fifth of them to warm up.
        seed: The same seed is the same noise in every scenario, so that differences
            come from the settings.
    """
    shape = _Shape(batching)
    callers = np.asarray(concurrency, dtype=np.int64)
    width = int(callers.max())
    rng = np.random.default_rng(seed)
    # All callers come within the first turn, not at one instant.
    first = np.sort(rng.random(width)) * 1e-4
    waiting = np.where(np.arange(width) < callers[:, None], first, _NEVER)
    state = _State(shape, times, percentiles, batches, rng)
    place = np.arange(width)
    for step in range(batches):
        head = waiting[:, : shape.widest]
        taken, ends = state.step(step, head)
        again = (ends + times.turn)[:, None] + times.spacing[:, None] * place
        waiting = np.where(place < taken[:, None], again, waiting)
        waiting.sort(axis=1)
    return state.outcome()


def simulate_open(
    batching: Sequence[Batching],
    rate: Sequence[float],
    times: ServiceTimes,
    *,
    percentiles: Sequence[float],
    requests: int = 4000,
    seed: int = 0,
) -> Outcome:
    """
    Requests that come by themselves, at exponential intervals.

    A rate that the server does not keep up with shows in latencies that grow with
    *requests*, and in a lower rate of answers.

    Args:
        batching: Of each scenario.
        rate: Requests a second of each scenario.
        times: Of each scenario.
        percentiles: Of the latency, 0 to 100.
        requests: That are simulated.
        seed: Of the intervals and the noise.
    """
    shape = _Shape(batching)
    rng = np.random.default_rng(seed)
    intervals = rng.exponential(size=requests)
    arrivals = np.cumsum(intervals) / np.asarray(rate, dtype=np.float64)[:, None]
    arrivals = np.pad(arrivals, ((0, 0), (0, shape.widest)), constant_values=_NEVER)
    state = _State(shape, times, percentiles, requests, rng)
    position = np.zeros(shape.count, dtype=np.int64)
    ahead = np.arange(shape.widest)
    for step in range(requests):
        if (position >= requests).all():
            break
        head = np.take_along_axis(
            arrivals, np.minimum(position[:, None] + ahead, arrivals.shape[1] - 1), axis=1
        )
        taken, _ = state.step(step, head)
        position += taken
    return state.outcome()


class _Shape:
    """The settings of all scenarios as arrays."""

    def __init__(self, batching: Sequence[Batching]) -> None:
        self.count = len(batching)
        self.most = np.array([b.most for b in batching], dtype=np.int64)
        self.delay = np.array([b.delay or 0.0 for b in batching])
        self.rows = np.array([b.rows for b in batching], dtype=np.int64)
        self.instances = np.array([b.instances for b in batching], dtype=np.int64)
        self.widest = int(self.most.max())
        sizes = [b.sizes for b in batching]
        widest = max(map(len, sizes))
        # Padded with a size that no queue meets.
        self.sizes = np.array(
            [[*s, *[np.iinfo(np.int64).max] * (widest - len(s))] for s in sizes], dtype=np.int64
        )
        self.smallest = self.sizes[:, 0]


class _State:
    """The instances of all scenarios, and what was seen so far."""

    def __init__(
        self,
        shape: _Shape,
        times: ServiceTimes,
        percentiles: Sequence[float],
        steps: int,
        rng: np.random.Generator,
    ) -> None:
        self._shape = shape
        self._times = times
        self._percentiles = np.asarray(percentiles, dtype=np.float64) / 100
        width = int(shape.instances.max())
        # An instance that a scenario does not have is busy for ever.
        self._free = np.where(np.arange(width) < shape.instances[:, None], 0.0, _NEVER)
        # Lognormal with mean 1, so that noise does not change the mean.
        sigma = np.sqrt(np.log1p(times.noise**2))
        draws = rng.standard_normal(steps)
        self._factors = np.exp(sigma[:, None] * draws - 0.5 * sigma[:, None] ** 2)
        self._each = np.arange(shape.count)
        self._latencies = np.zeros((steps, shape.count, _QUARTERS))
        self._taken = np.zeros((steps, shape.count), dtype=np.int64)
        self._ends = np.zeros((steps, shape.count))
        self._steps = 0

    def step(self, step: int, head: _Floats) -> tuple[_Ints, _Floats]:
        """
        The next batch of every scenario.

        Args:
            step: Its number.
            head: Arrivals of the requests that are next in line, sorted.

        Returns:
            Requests that each batch took, and when it ended.
        """
        shape, times = self._shape, self._times
        instance = self._free.argmin(axis=1)
        free = self._free[self._each, instance]
        oldest = head[:, 0]
        due = oldest + shape.delay
        column = np.minimum(shape.smallest, head.shape[1]) - 1
        met = np.where(shape.smallest <= head.shape[1], head[self._each, column], _NEVER)
        start = np.maximum(free, np.minimum(met, due))
        queued = (head <= start[:, None]).sum(axis=1)
        if shape.sizes.shape[1] == 1:
            best = np.where(shape.smallest <= queued, shape.smallest, 0)
        else:
            best = np.where(shape.sizes <= queued[:, None], shape.sizes, 0).max(axis=1)
        overdue = (shape.delay > 0) & (start >= due)
        taken = np.where(overdue | (best == 0), np.minimum(queued, shape.most), best)
        taken = np.where(oldest < _NEVER, np.maximum(taken, 1), 0)
        others = ((self._free > start[:, None]) & (self._free < _NEVER)).sum(axis=1)
        seconds = (times.fixed + times.row * taken * shape.rows) * (1 + times.contention * others)
        ends = start + seconds * self._factors[:, step]
        done = oldest >= _NEVER
        self._free[self._each, instance] = np.where(done, free, ends)
        quarter = ((np.arange(_QUARTERS) + 0.5) * taken[:, None] / _QUARTERS).astype(np.int64)
        arrived = head[self._each[:, None], quarter]
        outside = times.turn[:, None] + times.spacing[:, None] * quarter
        self._latencies[step] = ends[:, None] - arrived + outside
        self._taken[step] = taken
        self._ends[step] = np.where(done, 0.0, ends)
        self._steps = step + 1
        return taken, ends

    def outcome(self) -> Outcome:
        """All that came after the warm-up."""
        cold = int(self._steps * _WARM_UP)
        kept = slice(cold, self._steps)
        taken = self._taken[kept]
        weights = np.repeat(taken[:, :, None], _QUARTERS, axis=2) / _QUARTERS
        latencies = self._latencies[kept]
        answered = taken.sum(axis=0)
        total = np.maximum(answered, 1)
        began = self._ends[:cold].max(axis=0) if cold else np.zeros(self._shape.count)
        span = np.maximum(self._ends[kept].max(axis=0) - began, 1e-12)
        flat = latencies.transpose(1, 0, 2).reshape(self._shape.count, -1)
        shares = weights.transpose(1, 0, 2).reshape(self._shape.count, -1)
        order = flat.argsort(axis=1)
        ordered = np.take_along_axis(flat, order, axis=1)
        below = np.take_along_axis(shares, order, axis=1).cumsum(axis=1)
        found = [
            ordered[self._each, (below < p * below[:, -1:]).sum(axis=1).clip(max=flat.shape[1] - 1)]
            for p in self._percentiles
        ]
        runs = np.maximum((taken > 0).sum(axis=0), 1)
        return Outcome(
            rate=answered / span,
            mean=(flat * shares).sum(axis=1) / total,
            percentiles=np.array(found).reshape(len(self._percentiles), self._shape.count),
            batch=answered / runs * self._shape.rows,
        )
