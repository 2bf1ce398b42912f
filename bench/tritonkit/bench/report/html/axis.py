"""Axes of the bench's pictures: values as people write them, on lines that are round."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import isfinite, log10

from tritonkit.client.experiments.axes import Scale, linear, log_ticks, logarithmic, ticks
from tritonkit.units import format_duration

__all__ = ["UNKNOWN", "Axis", "amount", "clock", "from_zero", "growing", "nines", "time"]

UNKNOWN = "–"
"""Stands for a number that is not known."""


@dataclass(frozen=True, slots=True)
class Axis:
    """
    One axis.

    Args:
        name: What it measures.
        low: Where it begins.
        high: Where it ends.
        marks: Values with a line.
        word: A value as it is written.
        factors: Whether it grows by factors.
    """

    name: str
    low: float
    high: float
    marks: tuple[float, ...]
    word: Callable[[float], str]
    factors: bool = False

    def between(self, start: float, end: float) -> Scale:
        """From values to places between *start* and *end*."""
        make = logarithmic if self.factors else linear
        return make(self.low, self.high, start, end)


def from_zero(name: str, values: Iterable[float], word: Callable[[float], str]) -> Axis:
    """From 0 to a little more than the largest."""
    high = max((value for value in values if isfinite(value)), default=0.0) * 1.06 or 1.0
    return Axis(name, 0.0, high, tuple(ticks(0, high, 5)), word)


def growing(name: str, values: Iterable[float], word: Callable[[float], str]) -> Axis:
    """By factors around the values above 0; from 0 where they are close together."""
    known = [value for value in values if isfinite(value) and value > 0]
    if not known or max(known) < 3 * min(known):
        return from_zero(name, known, word)
    low, high = min(known) / 1.15, max(known) * 1.15
    return Axis(name, low, high, tuple(log_ticks(low, high)), word, factors=True)


def nines(most: float) -> Axis:
    """Percentiles by 1 / (1 - p), as HdrHistogram draws them: each nine as wide as the last."""
    high = max(most, 20.0)
    marks = [1.0, 2.0, 4.0, *(10.0**power for power in range(1, 8))]
    return Axis(
        "percentile",
        1.0,
        high,
        tuple(mark for mark in marks if mark <= high * 1.001),
        lambda value: f"{100 * (1 - 1 / value):.7g}%" if value > 1 else "0%",
        factors=True,
    )


def time(us: float) -> str:
    """Microseconds as a duration."""
    if not isfinite(us):
        return UNKNOWN
    return format_duration(us / 1e6) if us else "0"


def clock(seconds: float) -> str:
    """Seconds of a run."""
    return f"{seconds:g}s"


def amount(value: float) -> str:
    """A rate or a count: 950, 1.2k, 3.4M."""
    if not isfinite(value):
        return UNKNOWN
    if abs(value) < 1000:
        return f"{value:.3g}"
    power = min(int(log10(abs(value))) // 3, 3)
    return f"{value / 1000**power:.3g}{'kMG'[power - 1]}"
