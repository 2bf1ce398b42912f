"""The course of one measurement, its windows one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, nan

from tritonkit.bench.measurement import Measurement, Slice
from tritonkit.bench.record.counts import Counts
from tritonkit.bench.record.decoded import decode_counts

__all__ = ["Course", "Part", "course"]


@dataclass(frozen=True, slots=True)
class Part:
    """
    Slices that lie beside each other.

    Args:
        start: Where they begin on the axis of the course.
        slices: At least one, of one window or of its warm-up.
    """

    start: float
    slices: tuple[Slice, ...]

    @property
    def seconds(self) -> float:
        """From the start of the first to the end of the last."""
        return self.slices[-1].start + self.slices[-1].seconds - self.slices[0].start

    def rate(self, name: str) -> float:
        """How many a second were "answered", "failed" or "dropped"."""
        count: int = sum(getattr(one, name) for one in self.slices)
        return count / self.seconds if self.seconds else nan

    def percentile(self, percentile: float) -> float:
        """Of all their latencies, in microseconds; NaN where these were not kept."""
        if any(one.answered and not one.histogram for one in self.slices):
            return nan
        counts = Counts.joined([decode_counts(one.histogram) for one in self.slices])
        return min(counts.percentile_ns(percentile) / 1e3, self.slowest) if counts.count else nan

    @property
    def slowest(self) -> float:
        """In microseconds; NaN without any."""
        return max((one.max_us for one in self.slices if one.answered), default=nan)


@dataclass(frozen=True, slots=True)
class Course:
    """
    All slices on one axis, whose zero is where the first window begins.

    Args:
        windows: Slices of each window with its warm-up.
        begins: Where the first slice of each stands on the axis.
        end: Where the axis ends.
    """

    windows: tuple[tuple[Slice, ...], ...]
    begins: tuple[float, ...]
    end: float

    @property
    def warm_ups(self) -> list[tuple[float, float]]:
        """From where to where each warm-up lasts."""
        ends = [*self.begins[1:], self.end]
        return [
            (begin, min(begin - window[0].start, end))
            for begin, end, window in zip(self.begins, ends, self.windows, strict=True)
            if window[0].start < 0
        ]

    def points(self) -> Iterator[tuple[float, Slice | None]]:
        """The middle of each slice; None for each gap between two that are not neighbours."""
        for number, (begin, window) in enumerate(zip(self.begins, self.windows, strict=True)):
            if number:
                yield begin, None
            for before, one in pairwise([window[0], *window]):
                at = begin + one.start - window[0].start
                if one.start > before.start + 1.5 * before.seconds:
                    yield at, None
                yield at + one.seconds / 2, one

    def parts(self, most: int) -> list[Part]:
        """About so many parts of equal length, none of a window and its warm-up."""
        each = max(1, ceil(sum(map(len, self.windows)) / most))
        found = []
        for begin, window in zip(self.begins, self.windows, strict=True):
            for side in (
                [one for one in window if one.start < 0],
                [one for one in window if one.start >= 0],
            ):
                for at in range(0, len(side), each):
                    slices = tuple(side[at : at + each])
                    found.append(Part(begin + slices[0].start - window[0].start, slices))
        return found


def course(measurement: Measurement) -> Course | None:
    """None where there are fewer than two slices."""
    windows: dict[int, list[Slice]] = {}
    for one in sorted(measurement.timeline, key=lambda one: (one.repeat, one.start)):
        windows.setdefault(one.repeat, []).append(one)
    if len(measurement.timeline) < 2:
        return None
    kept = tuple(map(tuple, windows.values()))
    return Course(kept, *_placed(kept))


def _placed(windows: Sequence[Sequence[Slice]]) -> tuple[tuple[float, ...], float]:
    begins, at = [], windows[0][0].start
    for window in windows:
        begins.append(at)
        at += window[-1].start + window[-1].seconds - window[0].start
    return tuple(begins), at
