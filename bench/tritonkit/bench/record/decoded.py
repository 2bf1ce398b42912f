"""Distributions out of the text that documents hold them as."""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from tritonkit.bench.measurement import Latency
from tritonkit.bench.record.counts import EMPTY, Counts, bucket_highest, bucket_lowest
from tritonkit.bench.record.histogram import SIGNIFICANT_FIGURES
from tritonkit.errors import ConfigError

__all__ = ["counts_of", "decode_counts"]

_COMPRESSED, _PLAIN = 0x1C849314, 0x1C849313
"""What HdrHistogram's second format begins with, around the compressed bytes and in them."""

_HEADER = struct.Struct(">iiiiqqd")
"""Cookie, length, offset, significant figures, lowest and highest value, ratio."""

_MOST_BYTES = 1 << 22
"""More than 20 times what the counts of all buckets take."""


def counts_of(latency: Latency) -> Counts:
    """The distribution of a latency with its exact sum and extremes."""
    counts = decode_counts(latency.histogram)
    if counts.count != latency.count:
        raise ConfigError(
            f"a histogram holds {counts.count} values, but its count says {latency.count}."
        )
    if not counts.count:
        return EMPTY
    if not all(map(isfinite, (latency.mean_us, latency.min_us, latency.max_us))):
        raise ConfigError(f"of {counts.count} latencies mean, smallest and largest must be known.")
    return Counts(
        counts.buckets,
        counts.counts,
        total_ns=round(latency.mean_us * 1e3 * latency.count),
        min_ns=round(latency.min_us * 1e3),
        max_ns=round(latency.max_us * 1e3),
    )


def decode_counts(text: str) -> Counts:
    """
    Read HdrHistogram's base64 text (V2) of nanoseconds, by bucket.

    Sum and extremes are those of the buckets: within 0.1 % of the exact ones.

    Raises:
        ConfigError: If it is no such text, or of another precision than ours.

    Source: HdrHistogram's AbstractHistogram.encodeIntoCompressedByteBuffer: zigzag LEB128
    numbers, a negative one for so many empty buckets.
    """
    if not text:
        return EMPTY
    try:
        packed = base64.b64decode(text, validate=True)
        cookie, length = struct.unpack_from(">ii", packed)
        inflate = zlib.decompressobj()
        plain = inflate.decompress(packed[8 : 8 + length], _MOST_BYTES)
        inner, size, offset, figures, lowest, _, _ = _HEADER.unpack_from(plain)
    except (binascii.Error, struct.error, zlib.error, ValueError) as error:
        raise ConfigError(f"a histogram is not HdrHistogram's text: {error}") from error
    if len(packed) < 8 + length or not inflate.eof:
        raise ConfigError("a histogram is not HdrHistogram's text: it is cut off, or too large.")
    if cookie != _COMPRESSED or inner != _PLAIN or offset:
        raise ConfigError("a histogram is not HdrHistogram's text of its second format (V2).")
    if figures != SIGNIFICANT_FIGURES or lowest != 1:
        raise ConfigError(
            f"a histogram must have {SIGNIFICANT_FIGURES} significant figures from 1 ns, "
            f"but has {figures} from {lowest}."
        )
    numbers = _numbers(np.frombuffer(plain[_HEADER.size : _HEADER.size + size], dtype=np.uint8))
    steps = np.where(numbers < 0, -numbers, 1)
    places = np.cumsum(steps) - steps
    filled = numbers > 0
    buckets, counts = places[filled], numbers[filled]
    if not buckets.size:
        return EMPTY
    middles = (bucket_lowest(buckets) + bucket_highest(buckets)) // 2
    return Counts(
        buckets.astype(np.int32),
        counts,
        total_ns=int(np.dot(middles.astype(np.float64), counts)),
        min_ns=int(bucket_lowest(buckets[:1])[0]),
        max_ns=int(bucket_highest(buckets[-1:])[0]),
    )


def _numbers(octets: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Zigzag LEB128 numbers: 7 bits of each byte, the lowest first, the last without bit 8."""
    if not octets.size:
        return np.empty(0, dtype=np.int64)
    ends = np.flatnonzero(octets < 0x80)
    if not ends.size or ends[-1] != octets.size - 1:
        raise ConfigError("a histogram is not HdrHistogram's text: its last number is cut off.")
    starts = np.concatenate([[0], ends[:-1] + 1])
    place = np.arange(octets.size) - np.repeat(starts, ends - starts + 1)
    if place.max() > 8:
        raise ConfigError("a histogram is not HdrHistogram's text: a number has too many bytes.")
    # The ninth byte of a number is whole, as HdrHistogram writes it.
    bits = np.where(place < 8, octets & 0x7F, octets).astype(np.int64) << (7 * place)
    whole: NDArray[np.int64] = np.add.reduceat(bits, starts)
    return (whole >> 1) ^ -(whole & 1)
