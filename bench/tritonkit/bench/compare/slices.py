"""The slices of a measurement as arrays, to draw from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tritonkit.bench.measurement import Measurement, Slice
from tritonkit.bench.record.counts import bucket_highest
from tritonkit.bench.record.decoded import decode_counts

__all__ = ["SliceArrays", "slices_of"]


@dataclass(frozen=True, slots=True, eq=False)
class SliceArrays:
    """
    Slices of the windows, without those of the warm-up.

    Args:
        repeat: The window of each, rising.
        seconds: Length of each.
        answered: Requests of each that were answered.
        unanswered: Those that failed or could not start.
        values_ns: Latencies that came in any of them, rising.
        counts: How often each came: a row for each slice, a column for each value.
    """

    repeat: NDArray[np.int64]
    seconds: NDArray[np.float64]
    answered: NDArray[np.float64]
    unanswered: NDArray[np.float64]
    values_ns: NDArray[np.float64]
    counts: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.repeat)

    @property
    def windows(self) -> list[SliceArrays]:
        """The slices of each window by themselves."""
        return [self._only(self.repeat == number) for number in np.unique(self.repeat)]

    def _only(self, chosen: NDArray[np.bool_]) -> SliceArrays:
        return SliceArrays(
            self.repeat[chosen],
            self.seconds[chosen],
            self.answered[chosen],
            self.unanswered[chosen],
            self.values_ns,
            self.counts[chosen],
        )

    def throughput(self, weights: NDArray[np.float32]) -> NDArray[np.float64]:
        """Answers a second of each row of *weights*, which says how often a slice is in it."""
        rates: NDArray[np.float64] = (weights @ self.answered) / (weights @ self.seconds)
        return rates

    def within(self, weights: NDArray[np.float32], ns: float) -> NDArray[np.float64]:
        """Answers a second that took no longer than that, likewise."""
        good = self.counts[:, self.values_ns <= ns].sum(axis=1, dtype=np.float64)
        rates: NDArray[np.float64] = (weights @ good) / (weights @ self.seconds)
        return rates

    def errors(self, weights: NDArray[np.float32]) -> NDArray[np.float64]:
        """The share of requests without an answer."""
        missing = weights @ self.unanswered
        shares: NDArray[np.float64] = missing / np.maximum(missing + weights @ self.answered, 1)
        return shares

    def mean(self, weights: NDArray[np.float32]) -> NDArray[np.float64]:
        """Mean latency in ns; NaN of a row without answers."""
        sums = weights.astype(np.float64) @ (self.counts @ self.values_ns)
        total = weights.astype(np.float64) @ self.counts.sum(axis=1, dtype=np.float64)
        means: NDArray[np.float64] = np.full(len(weights), np.nan)
        np.divide(sums, total, out=means, where=total > 0)
        return means

    def percentiles(
        self, weights: NDArray[np.float32], percentiles: Sequence[float]
    ) -> NDArray[np.float64]:
        """Latency in ns, a row for each percentile; NaN without answers."""
        found = np.full((len(percentiles), len(weights)), np.nan)
        if not self.values_ns.size:
            return found
        # Rows by the dozen, so that a long run does not take the memory.
        rows = max(1, 4_000_000 // self.values_ns.size)
        for start in range(0, len(weights), rows):
            part = slice(start, start + rows)
            running = np.cumsum(weights[part] @ self.counts, axis=1, dtype=np.float64)
            total = running[:, -1]
            for number, percentile in enumerate(percentiles):
                rank = np.maximum(1, np.floor(percentile / 100 * total + 0.5))
                place = np.minimum((running < rank[:, None]).sum(axis=1), self.values_ns.size - 1)
                found[number, part] = np.where(total > 0, self.values_ns[place], np.nan)
        return found


def slices_of(measurement: Measurement) -> SliceArrays | None:
    """None where a measurement has no slices, or their distributions were not kept."""
    chosen = [one for one in measurement.timeline if one.start >= 0 and one.seconds > 0]
    if any(one.answered and not one.histogram for one in chosen) or not chosen:
        return None
    chosen.sort(key=lambda one: (one.repeat, one.start))
    return _arrays(chosen)


def _arrays(chosen: Sequence[Slice]) -> SliceArrays:
    parts = [decode_counts(one.histogram) for one in chosen]
    used = np.unique(np.concatenate([part.buckets for part in parts]))
    counts = np.zeros((len(parts), used.size), dtype=np.float32)
    for row, part in enumerate(parts):
        counts[row, np.searchsorted(used, part.buckets)] = part.counts
    return SliceArrays(
        np.array([one.repeat for one in chosen], dtype=np.int64),
        np.array([one.seconds for one in chosen]),
        np.array([one.answered for one in chosen], dtype=np.float64),
        np.array([one.failed + one.dropped for one in chosen], dtype=np.float64),
        bucket_highest(used.astype(np.int64)).astype(np.float64),
        counts,
    )
