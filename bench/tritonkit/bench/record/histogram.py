"""A histogram of latencies: whole nanoseconds in, percentiles out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.bench.record.counts import HIGHEST_NS, Counts, bucket_lowest
from tritonkit.extras import require

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["HIGHEST_NS", "SIGNIFICANT_FIGURES", "Histogram"]

SIGNIFICANT_FIGURES = 3
"""A percentile is at most 0.1 % above the exact one."""


class Histogram:
    """
    An HdrHistogram that refuses what it cannot hold and keeps the exact extremes.

    The underlying `record_value` answers False where a value is out of range,
    and its largest value is the upper edge of a bucket; here the first raises
    and the second is the value that was recorded.

    Source: Tene, HdrHistogram, http://hdrhistogram.org.
    """

    def __init__(self) -> None:
        module = require("hdrh.histogram", extra="bench")
        self._counts: Any = module.HdrHistogram(1, HIGHEST_NS, SIGNIFICANT_FIGURES)
        self._total_ns = 0
        self.count = 0
        self.min_ns = 0
        self.max_ns = 0

    def record(self, values_ns: Iterable[int] | NDArray[np.int64]) -> None:
        """
        Add values.

        Args:
            values_ns: Nanoseconds, each from 0 to HIGHEST_NS.

        Raises:
            ConfigError: If a value is out of range; none of the values is added.
        """
        self.add(Counts.of(np.asarray(values_ns, dtype=np.int64)))

    def add(self, counts: Counts) -> None:
        """Add values that are counted already."""
        if not counts.count:
            return
        floors = bucket_lowest(counts.buckets.astype(np.int64))
        # The library records one value in 2.6 us; here all of a bucket are one call.
        for floor, count in zip(floors.tolist(), counts.counts.tolist(), strict=True):
            self._counts.record_value(floor, count)
        self.min_ns = min(self.min_ns, counts.min_ns) if self.count else counts.min_ns
        self.max_ns = max(self.max_ns, counts.max_ns)
        self.count += counts.count
        self._total_ns += counts.total_ns

    @property
    def mean_ns(self) -> float:
        """The exact mean; NaN of an empty histogram."""
        return self._total_ns / self.count if self.count else math.nan

    def percentiles_ns(self, percentiles: Iterable[float]) -> dict[float, float]:
        """
        Values that the given shares of all values do not exceed.

        Args:
            percentiles: Each in (0, 100].

        Returns:
            Nanoseconds by percentile, within 0.1 % of the exact value and never
            above the largest; NaN of an empty histogram.
        """
        wanted = list(percentiles)
        if not self.count:
            return dict.fromkeys(wanted, math.nan)
        found = self._counts.get_percentile_to_value_dict(wanted)
        return {p: float(min(max(found[p], self.min_ns), self.max_ns)) for p in wanted}

    def encode(self) -> str:
        """The counts as HdrHistogram's base64 text (V2), which its tools read and merge."""
        text: bytes = self._counts.encode()
        return text.decode("ascii")
