"""A histogram of latencies: whole nanoseconds in, percentiles out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError
from tritonkit.extras import require

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["HIGHEST_NS", "SIGNIFICANT_FIGURES", "Histogram"]

HIGHEST_NS = 3_600_000_000_000
"""One hour; a request that takes longer is a timeout, not a latency."""

SIGNIFICANT_FIGURES = 3
"""A percentile is at most 0.1 % above the exact one."""

_EXACT_BITS = 11
"""HdrHistogram keeps 2 * 10**3 values apart, rounded up to 2**11."""


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
        values = np.asarray(values_ns, dtype=np.int64)
        if not values.size:
            return
        low, high = int(values.min()), int(values.max())
        if low < 0 or high > HIGHEST_NS:
            raise ConfigError(
                f"a latency must be 0 to {HIGHEST_NS} ns, but got {low if low < 0 else high}."
            )
        # The library records one value in 2.6 us. Values that share a bucket
        # are joined first, so that a million take milliseconds.
        floors, counts = np.unique(_bucket_floor(values), return_counts=True)
        for floor, count in zip(floors.tolist(), counts.tolist(), strict=True):
            self._counts.record_value(floor, count)
        self.min_ns = low if not self.count else min(self.min_ns, low)
        self.max_ns = max(self.max_ns, high)
        self.count += values.size
        self._total_ns += int(values.sum())

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


def _bucket_floor(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The least value that HdrHistogram counts in the same bucket."""
    _, bits = np.frexp(values.astype(np.float64))
    shift = np.maximum(bits - _EXACT_BITS, 0).astype(np.int64)
    floors: NDArray[np.int64] = (values >> shift) << shift
    return floors
