from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tritonkit.bench.conditions import Conditions
from tritonkit.bench.load.shape import Closed
from tritonkit.bench.measurement import Failure, Measurement, Point, Slice, Usage
from tritonkit.bench.record.counts import Counts
from tritonkit.bench.record.summary import latency_of
from tritonkit.bench.report.json import Report

CONDITIONS = Conditions(
    url="http://localhost:8000",
    model="m",
    version="",
    config_digests={"m": "00"},
    server="triton 2.51.0",
    load="closed loop",
    warmup=0.5,
    duration=5.0,
    max_requests=None,
    timeout=60.0,
    seed=0,
    inputs={"x": "FP32"},
    distinct_requests=64,
    started="2026-01-01T00:00:00+00:00",
    command="tritonkit bench run m",
    load_average=(0.1, 0.1, 0.1),
)

SECONDS = 0.25


def drawn(seed: int, slices: int, each: int, scale: float) -> list[NDArray[np.int64]]:
    """Latencies in ns of each slice: independent, with a median of a millisecond."""
    random = np.random.default_rng(seed)
    return [
        np.round(scale * 1e6 * random.lognormal(0.0, 0.5, random.poisson(each)), -3).astype(
            np.int64
        )
        for _ in range(slices)
    ]


def measured(
    slices: list[NDArray[np.int64]],
    *,
    load: Any = None,
    failed: int = 0,
    windows: int = 1,
    **fields: Any,
) -> Measurement:
    """A measurement of these latencies, with *failed* failures in every slice."""
    per = len(slices) // windows
    timeline = []
    for number, values in enumerate(slices):
        latency = latency_of(Counts.of(values), (50.0, 99.0))
        timeline.append(
            Slice(
                start=SECONDS * (number % per),
                seconds=SECONDS,
                answered=len(values),
                failed=failed,
                dropped=0,
                p50_us=latency.percentiles_us[50.0],
                p99_us=latency.percentiles_us[99.0],
                max_us=latency.max_us,
                histogram=latency.histogram,
                repeat=number // per,
            )
        )
    latency = latency_of(Counts.of(np.concatenate(slices)))
    total = failed * len(slices)
    failures = (Failure(kind="InferenceFailed", count=total, first="no"),) if failed else ()
    return Measurement(
        **{
            "point": Point(load=load or Closed(4)),
            "seconds": SECONDS * len(slices),
            "latency": latency,
            "service_time": latency,
            "failures": failures,
            "intended": latency.count + total,
            "usage": Usage(client_cpu=0.25, client_rss_bytes=1000),
            "timeline": tuple(timeline),
            "repeats": windows,
            **fields,
        }
    )


@pytest.fixture(scope="session")
def run() -> Callable[..., Report]:
    """A report of one point, by the arguments of `drawn` and `measured`."""

    def make(
        seed: int, slices: int = 16, each: int = 40, scale: float = 1.0, **fields: Any
    ) -> Report:
        return Report(CONDITIONS, (measured(drawn(seed, slices, each, scale), **fields),))

    return make
