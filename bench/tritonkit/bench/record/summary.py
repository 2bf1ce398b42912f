"""From what was recorded to the fields of a measurement."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from tritonkit.bench.measurement import PERCENTILES, Failure, Latency, WayRecord
from tritonkit.bench.record.bands import bands
from tritonkit.bench.record.counts import Counts
from tritonkit.bench.record.histogram import Histogram
from tritonkit.bench.record.recorder import Recorder
from tritonkit.bench.record.slices import SliceRecord
from tritonkit.bench.record.steady import difference
from tritonkit.bench.record.window import Window

__all__ = ["LOST", "cut", "failures_of", "latency_of", "summary"]

LOST = 0.01
"""Share of failed or of dropped requests above which a run is no steady state."""


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


def summary(
    windows: Sequence[Window],
    percentiles: Sequence[float] = PERCENTILES,
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """
    The fields of a `Measurement` that the load generator knows.

    Args:
        windows: Of each repeat; at least one.
        percentiles: What is reported.
        seed: Of the confidence intervals.
    """
    records = [SliceRecord.joined(window.records()) for window in windows]
    whole = SliceRecord.joined(records)
    latency = latency_of(whole.latency, percentiles)
    failures = _failures(windows, records)
    ended = latency.count + sum(failure.count for failure in failures)
    return {
        "seconds": sum(window.seconds for window in windows),
        "latency": latency,
        "service_time": (
            latency if whole.service is whole.latency else latency_of(whole.service, percentiles)
        ),
        "failures": failures,
        "intended": ended + whole.dropped,
        "dropped": whole.dropped,
        "late_us": whole.late.percentile_ns(99) / 1e3 if whole.late.count else 0.0,
        "timeline": tuple(
            each for number, window in enumerate(windows) for each in window.timeline(number)
        ),
        "warmup": max(window.warmup for window in windows),
        "unstable": _unstable(windows, ended, failures, whole.dropped),
        "bands": bands(
            [[record.latency for record in window.whole()] for window in windows],
            [window.slice_seconds for window in windows],
            percentiles,
            seed=seed,
        ),
        "repeats": len(windows),
        "ways": tuple(
            WayRecord(
                name=name,
                latency=latency_of(way.latency, percentiles),
                rows=way.rows,
                hits=way.hits,
                cost=way.cost,
            )
            for name, way in sorted(whole.ways.items(), key=lambda each: -each[1].latency.count)
        ),
    }


def _failures(windows: Sequence[Window], records: Sequence[SliceRecord]) -> tuple[Failure, ...]:
    found: dict[str, Failure] = {}
    for window, record in zip(windows, records, strict=True):
        for failure in failures_of(window.recorder, record):
            first = found.get(failure.kind)
            found[failure.kind] = Failure(
                kind=failure.kind,
                count=failure.count + (first.count if first else 0),
                first=first.first if first else failure.first,
            )
    return tuple(sorted(found.values(), key=lambda each: (-each.count, each.kind)))


def _unstable(
    windows: Sequence[Window], ended: int, failures: Sequence[Failure], dropped: int
) -> str | None:
    """The reasons in one sentence, without its full stop; None where there is none."""
    reasons: list[str] = []
    for number, window in enumerate(windows, start=1):
        if window.unstable is not None:
            which = f"in repeat {number} " if len(windows) > 1 else ""
            reasons.append(f"{which}{window.unstable}")
            break
    else:
        reasons.extend(_between_repeats(windows))
    failed = sum(failure.count for failure in failures)
    if failed > LOST * ended:
        reasons.append(f"{failed / ended:.1%} of the requests failed")
    if dropped > LOST * (ended + dropped):
        reasons.append(f"{dropped / (ended + dropped):.1%} of the requests could not start")
    return ", and ".join(reasons) or None


def _between_repeats(windows: Sequence[Window]) -> list[str]:
    """How the first repeat that differs from the very first one does so."""
    first = windows[0].series()
    for number, window in enumerate(windows[1:], start=2):
        found = difference(first, window.series())
        if found is not None:
            return [f"{found} from repeat 1 to repeat {number}"]
    return []
