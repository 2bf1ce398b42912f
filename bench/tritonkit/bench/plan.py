"""How each point is measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tritonkit.bench.load.shape import Closed, Load
from tritonkit.bench.measurement import PERCENTILES
from tritonkit.errors import ConfigError
from tritonkit.units import format_duration

__all__ = ["MAX_TIMEOUT", "Plan", "arrivals_end"]

MAX_TIMEOUT = 1800.0
"""Seconds; well below what a histogram holds."""

_SLICE = 0.25
"""Seconds of a slice of a window of usual length."""

_FEWEST, _MOST = 20, 240
"""Slices of a window whose length is known."""

_UNKNOWN_SLICE = 0.05
"""Seconds of a slice where a count ends the window, which may be soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    How each point is measured.

    Args:
        duration: Seconds of the window; None to end by `max_requests` only.
        warmup: Seconds of load before it, at the least.
        max_requests: Requests after which the window ends, if it has not ended before.
        timeout: Seconds after which a request fails.
        percentiles: What is reported.
        seed: Of everything random; each repeat adds its number.
        repeats: Windows, each with a warm-up of its own.
        processes: That send.
    """

    duration: float | None = 10.0
    warmup: float = 2.0
    max_requests: int | None = None
    timeout: float = 60.0
    percentiles: tuple[float, ...] = PERCENTILES
    seed: int = 0
    repeats: int = 1
    processes: int = 1

    def __post_init__(self) -> None:
        if self.duration is None and self.max_requests is None:
            raise ConfigError("a run needs a duration or a number of requests.")
        if self.duration is not None and not 0 < self.duration < float("inf"):
            raise ConfigError(f"duration must be positive, but got {self.duration}.")
        if not 0 <= self.warmup < float("inf"):
            raise ConfigError(f"warmup must not be negative, but got {self.warmup}.")
        if not 0 < self.timeout <= MAX_TIMEOUT:
            raise ConfigError(f"timeout must be above 0 and at most 30m, but got {self.timeout}.")
        for name in ("max_requests", "repeats", "processes"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} must be at least 1, but got {value}.")
        if self.seed < 0:
            raise ConfigError(f"seed must not be negative, but got {self.seed}.")
        for percentile in self.percentiles:
            if not 0 < percentile <= 100:
                raise ConfigError(f"a percentile must be in (0, 100], but got {percentile}.")

    def describe(self) -> Mapping[str, Any]:
        """The settings in JSON's types."""
        return asdict(self) | {"percentiles": list(self.percentiles)}

    def seed_of(self, repeat: int) -> int:
        """Of the repeat of that number, from 0."""
        return self.seed + repeat

    def end_ns(self, load: Load, repeat: int) -> int | None:
        """
        When the window of a repeat ends, from the start of the load.

        In an open loop a count is one of arrivals, so that slow answers count as fast
        ones do; a trace that is over ends it as well. None where only the answers of a
        closed loop tell.

        Raises:
            ConfigError: If a trace is over before the window begins.
        """
        self.check(load)
        start_ns = round(self.warmup * 1e9)
        ends: list[int | None] = []
        if self.duration is not None:
            ends.append(start_ns + round(self.duration * 1e9))
        if not isinstance(load, Closed):
            ends.append(load.arrivals.end_ns)
            if self.max_requests is not None:
                chunks = load.arrivals.offsets(self.seed_of(repeat))
                ends.append(arrivals_end(chunks, start_ns, self.max_requests))
        return min((end for end in ends if end is not None), default=None)

    def check(self, load: Load) -> None:
        """
        Whether a load can be measured so.

        Raises:
            ConfigError: If it is a trace that is over before the window begins.
        """
        over_ns = None if isinstance(load, Closed) else load.arrivals.end_ns
        if over_ns is not None and over_ns <= round(self.warmup * 1e9):
            raise ConfigError(
                f"{load} end after {format_duration(over_ns / 1e9)}, within the warm-up of "
                f"{format_duration(self.warmup)}: give a shorter --warmup, such as 0s."
            )

    def slice_seconds(self, end_ns: int | None) -> float:
        """
        Of a window that ends there: a part of it, so that its end ends a slice.

        Of the counts near the one wanted it is one that divides the window without a
        rest: with a constant rate a request may be due at the very end, and what comes
        then is no part of it. Where none does, the last slice ends some nanoseconds later.
        """
        if end_ns is None:
            return _UNKNOWN_SLICE
        length_ns = max(1, end_ns - round(self.warmup * 1e9))
        slices = min(max(round(length_ns / 1e9 / _SLICE), _FEWEST), _MOST)
        near = sorted(range(max(_FEWEST, slices // 2), 2 * slices), key=lambda n: abs(n - slices))
        slices = next((n for n in near if not length_ns % n), slices)
        return -(-length_ns // slices) / 1e9

    @property
    def seconds(self) -> float | None:
        """About how long a point takes; None where a count ends it."""
        if self.duration is None:
            return None
        return self.repeats * (self.warmup + self.duration)


def arrivals_end(chunks: Iterator[Any], start_ns: int, count: int) -> int | None:
    """
    When the arrival is due that follows *count* of them since *start_ns*; None where none does.

    Up to there and not to the last of them, or a window would lack the gap behind it, and
    its rate be too high: a constant rate's by one part in *count*.
    """
    last_ns = start_ns
    for chunk in chunks:
        since = chunk[chunk >= start_ns]
        if len(since) > count:
            last_ns = int(since[count - 1]) if count else last_ns
            # Where several come at one instant, none of them is cut off.
            return max(int(since[count]), last_ns + 1)
        if len(since):
            last_ns = int(since[-1])
        count -= len(since)
    return None
