"""From what was recorded to the fields of a measurement."""

from __future__ import annotations

import math
from collections.abc import Iterable

from tritonkit.bench.measurement import PERCENTILES, Failure, Latency
from tritonkit.bench.record.counts import Counts
from tritonkit.bench.record.histogram import Histogram
from tritonkit.bench.record.recorder import Recorder
from tritonkit.bench.record.slices import SliceRecord

__all__ = ["cut", "failures_of", "latency_of"]


def cut(recorder: Recorder, start_ns: int, end_ns: int) -> SliceRecord:
    """All that the slices hold which begin in [start_ns, end_ns), as one."""
    return SliceRecord.joined(
        record for start, record in recorder.slices() if start_ns <= start < end_ns
    )


def latency_of(counts: Counts, percentiles: Iterable[float] = PERCENTILES) -> Latency:
    """A distribution in figures, which are NaN where it is empty."""
    histogram = Histogram()
    histogram.add(counts)
    empty = not counts.count
    return Latency(
        count=counts.count,
        mean_us=counts.mean_ns / 1e3,
        min_us=math.nan if empty else counts.min_ns / 1e3,
        max_us=math.nan if empty else counts.max_ns / 1e3,
        percentiles_us={p: counts.percentile_ns(p) / 1e3 for p in percentiles},
        histogram=histogram.encode(),
    )


def failures_of(recorder: Recorder, record: SliceRecord) -> tuple[Failure, ...]:
    """Failed requests of *record* by kind, most frequent first."""
    kinds = sorted(record.failures, key=lambda kind: (-record.failures[kind], kind))
    return tuple(
        Failure(kind=kind, count=record.failures[kind], first=recorder.first_message(kind))
        for kind in kinds
    )
