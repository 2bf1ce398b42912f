"""A distribution as the counts of HdrHistogram's buckets, of which few are in use."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError

__all__ = ["EMPTY", "HIGHEST_NS", "Counts", "bucket_highest", "bucket_lowest", "bucket_of"]

HIGHEST_NS = 3_600_000_000_000
"""One hour; a request that takes longer is a timeout, not a latency."""

_EXACT_BITS = 11
"""HdrHistogram keeps 2 * 10**3 values apart, rounded up to 2**11."""

_HALF_BITS = _EXACT_BITS - 1


def bucket_of(values_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """The numbers of the buckets that HdrHistogram counts values in, of 3 significant figures."""
    _, bits = np.frexp(values_ns.astype(np.float64))
    shift = np.maximum(bits - _EXACT_BITS, 0).astype(np.int64)
    buckets: NDArray[np.int64] = (shift << _HALF_BITS) + (values_ns >> shift)
    return buckets


def bucket_lowest(buckets: NDArray[np.int64]) -> NDArray[np.int64]:
    """The least value of each bucket."""
    shift = _shift(buckets)
    lowest: NDArray[np.int64] = (buckets - (shift << _HALF_BITS)) << shift
    return lowest


def bucket_highest(buckets: NDArray[np.int64]) -> NDArray[np.int64]:
    """The largest value of each bucket, at most 0.1 % above the least."""
    highest: NDArray[np.int64] = bucket_lowest(buckets) + (np.int64(1) << _shift(buckets)) - 1
    return highest


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """
    Values by bucket.

    Args:
        buckets: Numbers of the buckets in use, rising.
        counts: Values in each.
        total_ns: Exact sum of the values.
        min_ns: Exact smallest; 0 where there are none.
        max_ns: Exact largest; 0 where there are none.
    """

    buckets: NDArray[np.int32]
    counts: NDArray[np.int64]
    total_ns: int = 0
    min_ns: int = 0
    max_ns: int = 0

    @classmethod
    def of(cls, values_ns: NDArray[np.int64]) -> Counts:
        """
        Count values.

        Raises:
            ConfigError: If one is below 0 or above HIGHEST_NS.
        """
        if not values_ns.size:
            return EMPTY
        low, high = int(values_ns.min()), int(values_ns.max())
        if low < 0 or high > HIGHEST_NS:
            raise ConfigError(
                f"a latency must be 0 to {HIGHEST_NS} ns, but got {low if low < 0 else high}."
            )
        found = bucket_of(values_ns)
        first = int(bucket_of(np.array([low], dtype=np.int64))[0])
        # Few buckets lie between the extremes, so that counting beats sorting.
        return cls(*_used(np.bincount(found - first), first), int(values_ns.sum()), low, high)

    @classmethod
    def joined(cls, parts: Sequence[Counts]) -> Counts:
        """The values of all *parts* together."""
        filled = [part for part in parts if part.buckets.size]
        if not filled:
            return EMPTY
        if len(filled) == 1:
            return filled[0]
        first = min(int(part.buckets[0]) for part in filled)
        last = max(int(part.buckets[-1]) for part in filled)
        dense = np.zeros(last - first + 1, dtype=np.int64)
        for part in filled:
            dense[part.buckets - first] += part.counts
        return cls(
            *_used(dense, first),
            sum(part.total_ns for part in filled),
            min(part.min_ns for part in filled),
            max(part.max_ns for part in filled),
        )

    @property
    def count(self) -> int:
        """How many values."""
        return int(self.counts.sum())

    @property
    def mean_ns(self) -> float:
        """The exact mean; NaN where there are no values."""
        return self.total_ns / self.count if self.buckets.size else math.nan

    def percentile_ns(self, percentile: float) -> float:
        """
        The value that a share of all values does not exceed, as HdrHistogram tells it.

        Returns:
            Within 0.1 % of the exact value and never outside the extremes; NaN where
            there are no values.
        """
        if not self.buckets.size:
            return math.nan
        rank = max(1, int(percentile / 100 * self.count + 0.5))
        at = int(np.searchsorted(np.cumsum(self.counts), rank))
        highest = int(bucket_highest(self.buckets[at : at + 1].astype(np.int64))[0])
        return float(min(max(highest, self.min_ns), self.max_ns))

    def below(self, value_ns: int) -> int:
        """How many values are in the bucket of *value_ns* or below it."""
        last = bucket_of(np.array([value_ns], dtype=np.int64))[0]
        return int(self.counts[: int(np.searchsorted(self.buckets, last, side="right"))].sum())


EMPTY = Counts(np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64))
"""No values."""


def _used(dense: NDArray[np.int64], first: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The buckets that are in use, and their counts; *dense* starts at bucket *first*."""
    used = np.flatnonzero(dense)
    return (used + first).astype(np.int32), dense[used].astype(np.int64)


def _shift(buckets: NDArray[np.int64]) -> NDArray[np.int64]:
    shift: NDArray[np.int64] = np.maximum((buckets >> _HALF_BITS) - 1, 0)
    return shift
