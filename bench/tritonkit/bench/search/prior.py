"""What a service model expects of every candidate, as a search wants to hear it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tritonkit.bench.load.shape import Closed
from tritonkit.bench.measurement import Measurement, Point
from tritonkit.bench.search.batcher import Batching
from tritonkit.bench.search.objective import Objective, reserved_cores
from tritonkit.bench.search.outlook import Expectation
from tritonkit.bench.search.service_model import Seen, ServiceModel, Work

__all__ = ["ServicePrior", "batching_of", "seen_of", "work_of"]

_STAND_INS = {"mean": 50.0, "max": 99.9}
"""Percentiles that the model gives in place of figures that it does not."""

_ENOUGH = 3
"""Measurements before the model's parameters say more than a guess."""


class ServicePrior:
    """
    A `Prior`: fits a service model to what was measured and simulates every candidate.

    Args:
        works: What each candidate means to the batcher, in the order of the candidates.
        points: The candidates.
        objective: Which figures matter.
        model: Name of the model whose batches the server counts; empty for the first
            that computes.
        seed: Of the simulations.
    """

    def __init__(
        self,
        works: Sequence[Work],
        points: Sequence[Point],
        objective: Objective,
        *,
        model: str = "",
        seed: int = 0,
    ) -> None:
        self._works = list(works)
        self._points = list(points)
        self._objective = objective
        self._model = model
        self._seed = seed
        wanted = [
            _STAND_INS.get(c.figure, c.percentile or 50.0)
            for c in objective.target.named
            if c.of_latency
        ]
        self._percentiles = sorted({50.0, *wanted})
        self.fitted: ServiceModel | None = None

    def __call__(self, measured: Mapping[int, Measurement]) -> Expectation | None:
        """None before anything was answered."""
        seen = [
            seen_of(self._works[i], measurement, self._percentiles, self._model)
            for i, measurement in measured.items()
            if measurement.requests
        ]
        if not seen:
            return None
        # Where the search is again with the same measurements, the same fit.
        self.fitted = ServiceModel.fit(seen, seed=self._seed, start=self.fitted)
        forecast = self.fitted.forecast(self._works, self._percentiles, seed=self._seed)
        rows = np.array([point.batch_size for point in self._points])
        gain = np.log(forecast.rate * rows)
        if self._objective.smaller_is_better:
            gain = gain - np.log([reserved_cores(point) or 1.0 for point in self._points])
        margin = np.full(gain.shape, 3.0)
        for criterion in self._objective.target.named:
            if criterion.of_latency and criterion.limit > 0:
                percentile = _STAND_INS.get(criterion.figure, criterion.percentile or 50.0)
                kept = math.log(criterion.limit) - np.log(forecast.percentiles[percentile])
                margin = np.minimum(margin, kept)
        margin = np.maximum(margin, -3.0)
        return Expectation(
            gain=gain[0],
            margin=margin[0],
            sure=len(seen) >= _ENOUGH,
            gain_moves=(gain[1:] - gain[0]).T,
            margin_moves=(margin[1:] - margin[0]).T,
        )


def batching_of(config: Mapping[str, Any], rows: int) -> Batching:
    """
    How a model configuration makes batches.

    Args:
        config: As the server completed it, of a model that is no ensemble.
        rows: Of each request.
    """
    batcher = config.get("dynamic_batching")
    groups = config.get("instance_group") or [{}]
    count = sum(
        int(group.get("count", 1) or 1) * max(len(group.get("gpus", ())), 1) for group in groups
    )
    largest = max(int(config.get("max_batch_size", 0)), 1)
    if batcher is None or largest == 1:
        return Batching(max_batch=largest, delay=None, instances=count, rows=rows)
    return Batching(
        max_batch=largest,
        delay=int(batcher.get("max_queue_delay_microseconds", 0)) / 1e6,
        preferred=tuple(int(size) for size in batcher.get("preferred_batch_size", ())),
        instances=count,
        rows=rows,
    )


def work_of(point: Point, config: Mapping[str, Any]) -> Work:
    """What a point means to the batcher of a model with this configuration."""
    batching = batching_of(config, point.batch_size)
    if isinstance(point.load, Closed):
        return Work(batching=batching, concurrency=point.load.concurrency)
    return Work(batching=batching, rate=point.load.arrivals.rate)


def seen_of(
    work: Work, measurement: Measurement, percentiles: Sequence[float], model: str = ""
) -> Seen:
    """What a measurement tells a service model."""
    found = measurement.latency.percentiles_us
    batch = None
    for times in measurement.server or ():
        if times.executions and (not model or times.model == model):
            batch = times.mean_batch
            break
    return Seen(
        work=work,
        rate=measurement.requests_per_second,
        percentiles={p: found[p] / 1e6 for p in percentiles if p in found},
        batch=batch,
    )
