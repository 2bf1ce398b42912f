"""The points that no other point beats in both throughput and latency."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tritonkit.bench.measurement import Measurement

__all__ = ["pareto_front"]


def pareto_front(measurements: Sequence[Measurement], percentile: float = 99.0) -> list[int]:
    """
    Indices of the measurements on the Pareto front, fastest first.

    Args:
        measurements: Those without an answer, or with failures, are on no front.
        percentile: Of the latency that is to be short.
    """
    order = sorted(
        (
            index
            for index, m in enumerate(measurements)
            if m.requests and not m.failed and not m.dropped
        ),
        key=lambda i: (
            measurements[i].latency.percentiles_us[percentile],
            -measurements[i].inferences_per_second,
        ),
    )
    front: list[int] = []
    best = -math.inf
    for index in order:
        if measurements[index].inferences_per_second > best:
            best = measurements[index].inferences_per_second
            front.append(index)
    return front
