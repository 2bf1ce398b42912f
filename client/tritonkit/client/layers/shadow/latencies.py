"""How long answers took: a histogram that can be merged, and what its percentiles may be."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from tritonkit.client.statistics.proportions import evidence_of_side

__all__ = ["Latencies"]

_LEAST, _RATIO, _BINS = 1e-6, 1.02, 1165
"""From 1 us to 10,000 s in steps of 2 %."""

_EDGES = _LEAST * _RATIO ** np.arange(_BINS)
"""Upper ends of the bins but the last, which has none."""


class Latencies:
    """A histogram of seconds, in bins of 2 %."""

    def __init__(self) -> None:
        self.counts = np.zeros(_BINS + 1, np.int64)

    @property
    def n(self) -> int:
        """How many."""
        return int(self.counts.sum())

    def add(self, seconds: float) -> None:
        """One more."""
        self.counts[np.searchsorted(_EDGES, seconds)] += 1

    def merge(self, other: Latencies) -> None:
        """All of another's."""
        self.counts += other.counts

    def percentile(self, share: float) -> float:
        """The upper end of the bin in which a share of them ends; NaN of none."""
        if not self.n:
            return math.nan
        return _upper(int(np.searchsorted(self.counts.cumsum(), max(1.0, share * self.n))))

    def bounds(self, share: float, *, alpha: float) -> tuple[float, float]:
        """
        Where the percentile of all answers is, at this and every other look.

        Where answers come alike and independently, the percentile is below the first at any
        time with probability alpha at most, and above the second likewise. Exact but for the
        width of the bins, which both ends include.

        Returns:
            Seconds; 0 and infinite where nothing is known.
        """
        n = self.n
        if not n:
            return 0.0, math.inf
        bins = np.flatnonzero(self.counts)
        upto = self.counts.cumsum()[bins]
        before = upto - self.counts[bins]
        enough = math.log(1 / alpha)
        # Where surely more than the share end within a bin, so does the percentile; where
        # surely fewer end before it, neither does the percentile.
        high = np.flatnonzero(evidence_of_side(upto, n, share) >= enough)
        low = np.flatnonzero(evidence_of_side(n - before, n, 1 - share) >= enough)
        return (
            _lower(int(bins[low[-1]])) if len(low) else 0.0,
            _upper(int(bins[high[0]])) if len(high) else math.inf,
        )

    def values(self) -> dict[str, int]:
        """Counts by bin, for JSON."""
        return {str(i): int(self.counts[i]) for i in np.flatnonzero(self.counts)}

    @classmethod
    def of(cls, values: Mapping[str, int]) -> Latencies:
        """What `values` gave."""
        made = cls()
        for index, count in values.items():
            made.counts[int(index)] = count
        return made


def _upper(index: int) -> float:
    return float(_EDGES[index]) if index < _BINS else math.inf


def _lower(index: int) -> float:
    return float(_EDGES[index - 1]) if index else 0.0
