"""The part of a run that counts: a window cut out of what was recorded."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np

from tritonkit.bench.measurement import Slice
from tritonkit.bench.record.counts import Counts
from tritonkit.bench.record.histogram import Histogram
from tritonkit.bench.record.recorder import Recorder
from tritonkit.bench.record.slices import SliceRecord
from tritonkit.bench.record.steady import Series, judge

__all__ = ["Window", "cut_window"]

_ROUNDING_NS = 1000
"""What the lengths of all slices of a window are together above its own, at most."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Window:
    """
    One repeat.

    Args:
        recorder: All that was recorded, the warm-up too.
        start_ns: Where the window begins, from the start of the load.
        end_ns: Where it ends.
        warmup: Seconds that were cut off the start.
        unstable: Why it is no steady state; None where it is one.
    """

    recorder: Recorder
    start_ns: int
    end_ns: int
    warmup: float
    unstable: str | None = None

    @property
    def seconds(self) -> float:
        """Its length."""
        return (self.end_ns - self.start_ns) / 1e9

    @property
    def slice_seconds(self) -> float:
        """Length of its slices; of a shorter window that of the window."""
        return min(self.recorder.slice_ns / 1e9, self.seconds)

    def records(self) -> list[SliceRecord]:
        """Its slices in order, those in which nothing happened too."""
        return _between(self.recorder, self.start_ns, self.end_ns)

    def whole(self) -> list[SliceRecord]:
        """Those of its slices that are not cut off by its end."""
        step = self.recorder.slice_ns
        return _between(self.recorder, self.start_ns, self.start_ns + self._whole * step)

    def series(self) -> Series:
        """Its slices as numbers."""
        return _series(self.whole())

    def timeline(self, repeat: int = 0) -> tuple[Slice, ...]:
        """
        All slices of the window, those in which nothing happened too, and the warm-up's before.

        A stall is a part of what happened: without its slices a rate would be too high.
        """
        step = self.recorder.slice_ns
        before = [(at, record) for at, record in self.recorder.slices() if at < self.start_ns]
        own = range(self.start_ns, self.end_ns, step)
        return tuple(
            _slice(
                record,
                start=(start - self.start_ns) / 1e9,
                seconds=(step if _whole(self.end_ns - start, step) else self.end_ns - start) / 1e9,
                repeat=repeat,
            )
            for start, record in chain(before, zip(own, self.records(), strict=True))
        )

    @property
    def _whole(self) -> int:
        return _whole(self.end_ns - self.start_ns, self.recorder.slice_ns)


def cut_window(
    recorder: Recorder, start_ns: int, end_ns: int, *, stationary: bool, counted: bool = False
) -> Window:
    """
    Cut the warm-up off, and say whether a steady state follows it.

    Args:
        recorder: All that was recorded.
        start_ns: End of the warm-up that was asked for; a slice begins there.
        end_ns: End of the load.
        stationary: Whether the load stays what it is; of a ramp nothing is judged.
        counted: Whether a number of requests was asked for, all of which count then.
    """
    step = recorder.slice_ns
    records = _between(recorder, start_ns, start_ns + _whole(end_ns - start_ns, step) * step)
    # The one before is a whole slice where the warm-up has one.
    last = _series(_between(recorder, start_ns - step, start_ns)) if start_ns >= step else None
    verdict = judge(_series(records), last) if stationary else None
    if verdict is None:
        return Window(recorder=recorder, start_ns=start_ns, end_ns=end_ns, warmup=start_ns / 1e9)
    # Where requests fail or cannot start, what was answered before is no warm-up.
    troubled = any(record.failures or record.dropped for record in records)
    begin_ns = start_ns if counted or troubled else start_ns + verdict.cut * step
    return Window(
        recorder=recorder,
        start_ns=begin_ns,
        end_ns=end_ns,
        warmup=begin_ns / 1e9,
        unstable=verdict.unstable,
    )


def _whole(length_ns: int, step_ns: int) -> int:
    """How many slices end within a length, but for rounding."""
    return (length_ns + min(_ROUNDING_NS, step_ns - 1)) // step_ns


def _between(recorder: Recorder, start_ns: int, end_ns: int) -> list[SliceRecord]:
    step = recorder.slice_ns
    found = dict(recorder.slices())
    return [found.get(at, SliceRecord()) for at in range(start_ns, end_ns, step)]


def _series(records: list[SliceRecord]) -> Series:
    return Series(
        np.array([record.latency.count for record in records], dtype=np.int64),
        np.array([record.latency.total_ns for record in records], dtype=np.float64),
    )


def _slice(record: SliceRecord, *, start: float, seconds: float, repeat: int) -> Slice:
    counts: Counts = record.latency
    histogram = Histogram()
    histogram.add(counts)
    return Slice(
        start=start,
        seconds=seconds,
        answered=counts.count,
        failed=sum(record.failures.values()),
        dropped=record.dropped,
        p50_us=counts.percentile_ns(50) / 1e3,
        p99_us=counts.percentile_ns(99) / 1e3,
        max_us=counts.max_ns / 1e3 if counts.count else float("nan"),
        histogram=histogram.encode() if counts.count else "",
        repeat=repeat,
    )
