"""Arrays of arrivals, a chunk at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError

__all__ = ["accumulated", "checked_rate", "chunk_size", "every", "every_turned"]

_LARGEST = 10_000
"""Arrivals of a chunk."""

_LEAST_RATE, _MOST_RATE = 1e-6, 1e6
"""One in eleven days, beyond which times do not fit; and more than any process sends."""


def checked_rate(rate: float, name: str = "rate") -> float:
    """
    A rate that a schedule can have.

    Raises:
        ConfigError: If it is not above 0, or so small or large that nobody means it.
    """
    if not _LEAST_RATE <= rate <= _MOST_RATE:
        raise ConfigError(
            f"{name} must be {_LEAST_RATE:f} to {_MOST_RATE:.0f} arrivals a second, but got {rate}."
        )
    return float(rate)


def chunk_size(rate: float) -> int:
    """About a second's arrivals, at least one."""
    return max(1, min(_LARGEST, math.ceil(rate)))


def accumulated(
    gaps: Callable[[int], NDArray[np.float64]], size: int
) -> Iterator[NDArray[np.int64]]:
    """
    Offsets from independent gaps.

    Args:
        gaps: Draws so many gaps, in nanoseconds.
        size: Of a chunk.
    """
    last = 0.0
    while True:
        times = last + np.cumsum(gaps(size))
        last = float(times[-1])
        yield np.rint(times).astype(np.int64)


def every(chunks: Iterator[NDArray[Any]], of: int, number: int) -> Iterator[NDArray[Any]]:
    """
    The elements *number*, *number* + *of*, and so on: the share of one process out of *of*.

    All shares together are all elements, each once.
    """
    if of == 1:
        yield from chunks
        return
    ahead = number
    for chunk in chunks:
        mine = chunk[ahead::of]
        # So many elements of the next chunk belong to others.
        ahead = (ahead - len(chunk)) % of if ahead < len(chunk) else ahead - len(chunk)
        if len(mine):
            yield mine


def every_turned(
    chunks: Iterator[NDArray[Any]], of: int, number: int, items: int
) -> Iterator[NDArray[Any]]:
    """
    Likewise, but of each turn of *items* elements another share than of the last.

    All shares of an order in turn then have every item equally often, where `every` may
    give one of two shares the odd items alone.
    """
    shift = next(step for step in range(of) if math.gcd(items + step, of) == 1)
    if not shift:
        yield from every(chunks, of, number)
        return
    start = 0
    for chunk in chunks:
        places = np.arange(start, start + len(chunk))
        mine = chunk[(places + shift * (places // items)) % of == number]
        start += len(chunk)
        if len(mine):
            yield mine
