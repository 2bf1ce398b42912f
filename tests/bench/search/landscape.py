"""Measurements that are made up, and servers that are simulated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tritonkit.bench.load.shape import Closed
from tritonkit.bench.measurement import Failure, Latency, Measurement, Point, Usage
from tritonkit.bench.search.batcher import Batching, ServiceTimes, simulate_closed
from tritonkit.bench.search.service_model import Work

PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9)


def measured(
    point: Point,
    *,
    rate: float,
    percentiles: Mapping[float, float],
    seconds: float = 5.0,
    failed: int = 0,
    dropped: int = 0,
) -> Measurement:
    """
    A measurement with these figures.

    Args:
        rate: Answered requests a second.
        percentiles: Of the latency in seconds.
    """
    count = max(int(rate * seconds), 0)
    in_us = {p: value * 1e6 for p, value in percentiles.items()}
    latency = Latency(
        count=count,
        mean_us=in_us.get(50.0, 0.0),
        min_us=0.0,
        max_us=max(in_us.values(), default=0.0) * 1.5,
        percentiles_us=in_us,
        histogram="",
    )
    failures = (Failure(kind="InferenceFailed", count=failed, first="no"),) if failed else ()
    return Measurement(
        point=point,
        seconds=seconds,
        latency=latency,
        service_time=latency,
        failures=failures,
        intended=count + failed + dropped,
        dropped=dropped,
        usage=Usage(client_cpu=0.1),
    )


def space(
    delays: Sequence[str] = ("0us", "500us", "1ms", "2ms", "5ms", "10ms"),
    instances: Sequence[int] = (1, 2),
    concurrency: Sequence[int] = (1, 4, 8, 16, 32, 64, 128, 256),
    max_batch: int = 32,
) -> tuple[list[Point], list[Work]]:
    """Candidates, and what they mean to the batcher."""
    points, works = [], []
    for delay in delays:
        for count in instances:
            for callers in concurrency:
                settings = {"max_queue_delay": delay, "instances": str(count)}
                points.append(Point(load=Closed(callers), settings=settings))
                unit = 1e-6 if delay.endswith("us") else 1e-3
                seconds = float(delay.removesuffix("us").removesuffix("ms")) * unit
                batching = Batching(max_batch=max_batch, delay=seconds, instances=count)
                works.append(Work(batching=batching, concurrency=callers))
    return points, works


class SimulatedServer:
    """
    Answers points with what Triton's batcher makes of service times of its own.

    Args:
        points: All that it will be asked.
        works: What they mean.
        noise: Standard deviation of one measurement's throughput over a second, as a
            share; four times that of a p99.
        between: What whole runs differ by beyond that, however long they are; half as
            much again of a p99. A busy machine slows a run down and its tail with it.
    """

    def __init__(
        self,
        points: Sequence[Point],
        works: Sequence[Work],
        *,
        seed: int,
        noise: float = 0.03,
        between: float = 0.0,
    ) -> None:
        rng = np.random.default_rng(seed)
        self._rng = rng
        self._noise = noise
        self._between = between
        self._place = {self._key(point): i for i, point in enumerate(points)}
        ones = np.ones(len(points))
        fixed = np.exp(rng.uniform(np.log(0.3e-3), np.log(20e-3)))
        self.times = ServiceTimes(
            fixed=fixed * ones,
            row=fixed * np.exp(rng.uniform(np.log(0.005), np.log(0.8))) * ones,
            contention=rng.uniform(0.05, 1.0) * ones,
            turn=rng.uniform(1e-4, 5e-4) * ones,
            spacing=rng.uniform(1e-5, 6e-5) * ones,
            noise=rng.uniform(0.02, 0.4) * ones,
        )
        self.truth = simulate_closed(
            [work.batching for work in works],
            [work.concurrency or 1 for work in works],
            self.times,
            percentiles=PERCENTILES,
            batches=300,
            seed=seed + 1,
        )

    def measure(self, point: Point, seconds: float = 5.0) -> Measurement:
        """One run, with noise that falls with its length."""
        at = self._place[self._key(point)]
        spread = self._noise / np.sqrt(seconds)
        rate = self.truth.rate[at] * np.exp(spread * self._rng.standard_normal())
        tail = np.exp(4 * spread * self._rng.standard_normal())
        if self._between:
            slowed = self._between * self._rng.standard_normal()
            rate, tail = rate * np.exp(-slowed), tail * np.exp(1.5 * slowed)
        factors = dict.fromkeys(PERCENTILES, 1.0) | {95.0: tail**0.5, 99.0: tail, 99.9: tail**2}
        percentiles = {
            p: float(self.truth.percentiles[i, at] * factors[p]) for i, p in enumerate(PERCENTILES)
        }
        return measured(point, rate=float(rate), percentiles=percentiles, seconds=seconds)

    @staticmethod
    def _key(point: Point) -> str:
        return str(point)
