"""Confidence intervals for throughput and percentiles, by block bootstrap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from tritonkit.bench.measurement import PERCENTILES, Band, percentile_name
from tritonkit.bench.record.counts import Counts, bucket_highest

__all__ = ["CONFIDENCE", "FEWEST_BEYOND", "FEWEST_BLOCKS", "bands", "block_length", "likeness"]

CONFIDENCE = 0.95

FEWEST_BLOCKS = 8
"""Of all windows together; with fewer an interval would be a guess."""

FEWEST_BEYOND = 10
"""Answers above a percentile; with fewer its tail was hardly seen."""

_RESAMPLES = 400
"""The ends of an interval then vary by a twentieth of its width."""


def bands(
    repeats: Sequence[Sequence[Counts]],
    slice_seconds: float | Sequence[float],
    percentiles: Sequence[float] = PERCENTILES,
    *,
    seed: int = 0,
) -> dict[str, Band]:
    """
    Intervals that hold the value of an endless run with CONFIDENCE.

    Blocks of neighbouring slices are drawn with replacement, so that what lasts longer
    than a request, a queue or a busy minute, is drawn whole; of several repeats, repeats
    are drawn first. The intervals are widened for how few the blocks are, as Student's t
    is. With two or three repeats that differ more than their slices do, they are still
    too narrow.

    Args:
        repeats: The latencies of each slice of each repeat's window.
        slice_seconds: Length of a slice, or of a slice of each window: where a count ends
            them, they differ.
        percentiles: Each in (0, 100].
        seed: Of the draws.

    Returns:
        By name: "requests_per_second", and "p50", "p99.9" in microseconds. What too little
        was seen of is missing.

    Source: Politis and Romano, A circular block-resampling procedure for stationary data
    (1992); Davison and Hinkley, Bootstrap Methods and their Application (1997), 3.8.
    """
    lengths = [slice_seconds] * len(repeats) if isinstance(slice_seconds, float) else slice_seconds
    windows = [window for window in repeats if window]
    if not windows:
        return {}
    widths = np.repeat(
        [width for width, window in zip(lengths, repeats, strict=True) if window],
        [len(window) for window in windows],
    )
    length = max(_longest_memory(window) for window in windows)
    blocks = sum(len(window) // length for window in windows)
    whole = Counts.joined([counts for window in windows for counts in window])
    if blocks < FEWEST_BLOCKS or not whole.count:
        return {}
    weights = _weights(
        [len(window) for window in windows], length, np.random.default_rng(seed), _RESAMPLES
    )
    rows = np.zeros((weights.shape[1], whole.buckets.size), dtype=np.float32)
    for row, counts in enumerate(counts for window in windows for counts in window):
        rows[row, np.searchsorted(whole.buckets, counts.buckets)] = counts.counts
    drawn = np.cumsum(weights @ rows, axis=1, dtype=np.float64)
    totals = drawn[:, -1]
    widened = _widening(blocks)
    seconds = weights @ widths
    found = {
        "requests_per_second": _band(totals / seconds, whole.count / float(widths.sum()), widened)
    }
    tops = bucket_highest(whole.buckets.astype(np.int64)) / 1e3
    for percentile in percentiles:
        if whole.count * (1 - percentile / 100) < FEWEST_BEYOND:
            continue
        ranks = np.maximum(1, np.floor(percentile / 100 * totals + 0.5))
        at = np.minimum((drawn < ranks[:, None]).sum(axis=1), len(tops) - 1)
        found[percentile_name(percentile)] = _band(
            tops[at], whole.percentile_ns(percentile) / 1e3, widened
        )
    return found


def block_length(values: NDArray[np.float64]) -> int:
    """
    Slices of a block: more where a slice resembles its neighbours.

    Args:
        values: One of each slice.

    Returns:
        1 to an eighth of the slices.

    Source: Carlstein, The use of subseries values for estimating the variance of a general
    statistic (1986), with the first autocorrelation, corrected for its bias.
    """
    count = len(values)
    correlation = likeness(values)
    if correlation <= 0:
        return 1
    ideal: float = (math.sqrt(6) * correlation / (1 - correlation**2)) ** (2 / 3) * count ** (1 / 3)
    return max(1, min(math.ceil(float(ideal)), count // FEWEST_BLOCKS))


def likeness(values: NDArray[np.float64]) -> float:
    """The first autocorrelation of what is known of them, corrected for its bias; at most 0.95."""
    known = values[np.isfinite(values)]
    if len(known) < 4 or not known.std():
        return 0.0
    steps = known - known.mean()
    found = float((steps[1:] * steps[:-1]).sum() / (steps * steps).sum())
    return min(0.95, found + (1 + 4 * max(found, 0.0)) / len(known))


def _longest_memory(window: Sequence[Counts]) -> int:
    numbers = np.array([counts.count for counts in window], dtype=np.float64)
    means = np.array([counts.mean_ns for counts in window])
    return max(block_length(numbers), block_length(means))


def _weights(
    sizes: Sequence[int], length: int, rng: np.random.Generator, resamples: int
) -> NDArray[np.float32]:
    """How often each slice is drawn, shape (resamples, slices of all windows)."""
    weights = np.zeros((resamples, sum(sizes)), dtype=np.float32)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    chosen = rng.integers(0, len(sizes), size=(resamples, len(sizes)))
    if len(sizes) == 1:
        chosen[:] = 0
    draw = np.arange(resamples)
    for window in chosen.T:
        size = np.asarray(sizes)[window]
        for block in range(-(-max(sizes) // length)):
            begin = (rng.random(resamples) * size).astype(np.int64)
            for step in range(length):
                # The last block is cut off where the window is full.
                inside = block * length + step < size
                at = starts[window] + (begin + step) % size
                weights[draw[inside], at[inside]] += 1
    return weights


def _widening(blocks: int) -> float:
    """Student's t over the normal quantile, and the bias of a variance of few blocks."""
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    free = blocks - 1
    # Cornish and Fisher's expansion: within 1 % from 4 degrees of freedom on.
    t = z + (z**3 + z) / (4 * free) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * free**2)
    return t / z * math.sqrt(blocks / free)


def _band(drawn: NDArray[np.float64], value: float, widened: float) -> Band:
    low, high = np.quantile(drawn, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return Band(
        low=max(0.0, min(value, value - widened * (value - float(low)))),
        high=max(value, value + widened * (float(high) - value)),
        confidence=CONFIDENCE,
    )
