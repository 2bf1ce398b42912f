"""The courses of several runs on one clock."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from math import nan

from tritonkit.bench.measurement import Band, Measurement, Slice
from tritonkit.bench.record.bands import bands
from tritonkit.bench.record.counts import EMPTY, Counts
from tritonkit.bench.record.decoded import decode_counts
from tritonkit.bench.record.histogram import Histogram

__all__ = ["align", "bands_of_timeline"]

_ROUNDING = 1e-6
"""Seconds by which slices of equal length differ as numbers."""


def align(parts: Sequence[Measurement]) -> tuple[Slice, ...]:
    """
    Slices of all runs on one clock, whose zero is the start of the earliest.

    Each run's slices move by when it began, rounded to whole slices: a request is shown at
    most half a slice from where it was. Runs that do not say when they began are put as if
    all began at once. Empty where the slices are not equally long, but for the last of a window.
    """
    widths = [width for part in parts for width in _widths(part.timeline)]
    if not widths or not all(part.timeline for part in parts):
        return ()
    width = max(widths)
    if min(widths) < width - _ROUNDING:
        return ()
    starts = [part.started for part in parts]
    known = [start for start in starts if start is not None]
    first = min(known) if len(known) == len(parts) else None
    cells: dict[tuple[int, int], list[Slice]] = {}
    for part, start in zip(parts, starts, strict=True):
        offset = 0.0 if first is None or start is None else start - first
        for one in part.timeline:
            place = round((one.start + offset) / width)
            cells.setdefault((one.repeat, place), []).append(one)
    return tuple(_joined(cells[cell], cell[1] * width, width, cell[0]) for cell in sorted(cells))


def bands_of_timeline(timeline: Sequence[Slice], percentiles: Sequence[float]) -> dict[str, Band]:
    """The confidence intervals of a run's bands, from its slices; empty without them."""
    inside = [one for one in timeline if one.start >= 0]
    if not inside or any(one.answered and not one.histogram for one in inside):
        return {}
    windows: dict[int, list[Counts]] = {}
    for one in inside:
        windows.setdefault(one.repeat, []).append(decode_counts(one.histogram))
    return bands(list(windows.values()), inside[0].seconds, percentiles)


def _widths(timeline: Sequence[Slice]) -> Iterator[float]:
    """Of all slices but the last of each window, which the window's end may cut off."""
    last = {one.repeat: one for one in timeline}
    alone = len(timeline) == len(last)
    return (one.seconds for one in timeline if alone or one is not last[one.repeat])


def _joined(ones: Sequence[Slice], start: float, width: float, repeat: int) -> Slice:
    whole = Slice(
        start=start,
        seconds=min(width, max(one.seconds for one in ones)),
        answered=sum(one.answered for one in ones),
        failed=sum(one.failed for one in ones),
        dropped=sum(one.dropped for one in ones),
        p50_us=nan,
        p99_us=nan,
        max_us=max((one.max_us for one in ones if one.answered), default=nan),
        repeat=repeat,
    )
    if any(one.answered and not one.histogram for one in ones):
        return whole
    counts = Counts.joined([decode_counts(one.histogram) for one in ones])
    if counts is EMPTY:
        return whole
    histogram = Histogram()
    histogram.add(counts)
    return dataclasses.replace(
        whole,
        p50_us=counts.percentile_ns(50.0) / 1e3,
        p99_us=min(counts.percentile_ns(99.0) / 1e3, whole.max_us),
        histogram=histogram.encode(),
    )
