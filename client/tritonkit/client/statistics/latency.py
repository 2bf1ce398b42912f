"""A histogram of latencies in fixed memory, whose percentiles are off by at most one percent."""

from __future__ import annotations

import math
import struct
import zlib
from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError

__all__ = ["ACCURACY", "LatencySketch"]

ACCURACY = 0.01
"""The relative error of a percentile, for latencies from LEAST_NS to MOST_NS."""

LEAST_NS = 100
"""What takes less is in the first bucket: its percentile is off by at most so much."""

MOST_NS = 10_000 * 10**9
"""What takes more is in the last bucket; the largest of all is known exactly."""

_GROWTH = (1 + ACCURACY) / (1 - ACCURACY)
_PER_LOG = 1 / math.log(_GROWTH)
_OFFSET = 1 - math.log(LEAST_NS) * _PER_LOG
_LAST = math.ceil(math.log(MOST_NS) * _PER_LOG + _OFFSET)
BUCKETS = _LAST + 1
_NONE = bytes(8 * BUCKETS)

_VERSION = 1
_HEAD = struct.Struct("<4sBHQQQQ")
_MAGIC = b"tkls"
_BOUNDS: NDArray[np.float64] = LEAST_NS * _GROWTH ** np.arange(BUCKETS, dtype=np.float64)
"""The largest latency of each bucket."""


class LatencySketch:
    """
    Counts latencies in buckets that grow by two percent each.

    A percentile is the middle of a bucket, so it is off by at most ACCURACY of itself. All
    sketches have the same buckets and everything is counted in whole numbers: a merged
    sketch is, to the bit, the sketch of both streams. Takes about 10 kB, whatever it
    counts. Not locked: who records from several threads holds a lock.

    Source: Masson, Rim and Lee, DDSketch (2019), without the collapsing of buckets.
    """

    __slots__ = ("_counts", "count", "greatest_ns", "least_ns", "sum_ns")

    def __init__(self) -> None:
        self._counts = array("Q", _NONE)
        self.count = 0
        """How many latencies."""
        self.sum_ns = 0
        """Their sum."""
        self.least_ns = 0
        """The smallest; 0 without any."""
        self.greatest_ns = 0
        """The largest; 0 without any."""

    def __repr__(self) -> str:
        return f"LatencySketch(count={self.count}, sum_ns={self.sum_ns})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LatencySketch):
            return NotImplemented
        return self._state() == other._state()

    __hash__ = None  # type: ignore[assignment]  # it changes

    def record(self, ns: int) -> None:
        """One call took *ns* nanoseconds; a clock that ran backwards counts as 0."""
        if ns > LEAST_NS:
            # From the bucket's open end: the bounds themselves belong to the bucket below.
            index = math.ceil(math.log(ns) * _PER_LOG + _OFFSET) - 1
            if index > _LAST:
                index = _LAST
        else:
            index = 0
            if ns < 0:
                ns = 0
        self._counts[index] += 1
        self.sum_ns += ns
        if ns > self.greatest_ns:
            self.greatest_ns = ns
        if ns < self.least_ns or not self.count:
            self.least_ns = ns
        self.count += 1

    def merge(self, other: LatencySketch) -> None:
        """Add what *other* has counted."""
        if not other.count:
            return
        both = self._numbers() + other._numbers()
        self._counts = array("Q", both.tobytes())
        least = min(self.least_ns, other.least_ns)
        self.least_ns = least if self.count else other.least_ns
        self.greatest_ns = max(self.greatest_ns, other.greatest_ns)
        self.sum_ns += other.sum_ns
        self.count += other.count

    def copy(self) -> LatencySketch:
        """Another one that has counted the same."""
        made = LatencySketch()
        made._counts = self._counts[:]
        made.count, made.sum_ns = self.count, self.sum_ns
        made.least_ns, made.greatest_ns = self.least_ns, self.greatest_ns
        return made

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        """
        Seconds below which the *shares* of all latencies are; NaN without any.

        The latency itself that has floor(share * (count - 1)) others before it, to ACCURACY.

        Raises:
            ConfigError: If a share is not 0 to 1.
        """
        for share in shares:
            if not 0 <= share <= 1:
                raise ConfigError(f"a quantile must be 0 to 1, but got {share!r}.")
        if not self.count:
            return [math.nan for _ in shares]
        cumulated = np.cumsum(self._numbers())
        ranks = [math.floor(share * (self.count - 1)) for share in shares]
        found = np.searchsorted(cumulated, ranks, side="right")
        return [self._value(int(index)) / 1e9 for index in found]

    def up_to(self, bounds: Sequence[float]) -> list[int]:
        """How many took at most so many seconds; a bound is off by at most 2 percent."""
        cumulated = np.concatenate(([0], np.cumsum(self._numbers())))
        # Buckets that lie below the bound for the greater part.
        whole = np.searchsorted(_BOUNDS / math.sqrt(_GROWTH), [bound * 1e9 for bound in bounds])
        return [int(cumulated[index]) for index in whole]

    def to_bytes(self) -> bytes:
        """For another process; a few hundred bytes."""
        head = _HEAD.pack(
            _MAGIC, _VERSION, BUCKETS, self.count, self.sum_ns, self.least_ns, self.greatest_ns
        )
        return head + zlib.compress(self._numbers().astype("<u8").tobytes(), 1)

    @classmethod
    def from_bytes(cls, data: bytes) -> LatencySketch:
        """
        Read what `to_bytes` wrote.

        Raises:
            ConfigError: If it did not, or another version did.
        """
        try:
            magic, version, buckets, count, sum_ns, least, greatest = _HEAD.unpack_from(data)
            unpacking = zlib.decompressobj()
            counts = unpacking.decompress(data[_HEAD.size :], 8 * BUCKETS)
        except (struct.error, zlib.error) as error:
            raise ConfigError(f"these {len(data)} bytes are no LatencySketch: {error}") from error
        numbers = np.frombuffer(counts[: len(counts) // 8 * 8], dtype="<u8")
        if (magic, version, buckets) != (_MAGIC, _VERSION, BUCKETS) or len(numbers) != BUCKETS:
            raise ConfigError(f"these {len(data)} bytes are no LatencySketch of this version.")
        if sum(numbers.tolist()) != count:
            raise ConfigError(f"a LatencySketch of {count} holds {sum(numbers.tolist())}.")
        made = cls()
        made._counts = array("Q", numbers.astype(np.uint64).tobytes())
        made.count, made.sum_ns, made.least_ns, made.greatest_ns = count, sum_ns, least, greatest
        return made

    def _value(self, index: int) -> float:
        """Nanoseconds of a bucket: as far from its least as from its largest, relatively."""
        value = LEAST_NS if index == 0 else float(_BOUNDS[index]) * 2 / (1 + _GROWTH)
        if index == _LAST:
            return self.greatest_ns
        return min(max(value, self.least_ns), self.greatest_ns)

    def _numbers(self) -> NDArray[np.uint64]:
        return np.frombuffer(self._counts, dtype=np.uint64)

    def _state(self) -> tuple[object, ...]:
        return self._counts, self.count, self.sum_ns, self.least_ns, self.greatest_ns
