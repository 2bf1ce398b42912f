"""How long an answer usually takes, by the size of the request: arithmetic without a clock."""

from __future__ import annotations

import math

__all__ = ["Delays", "Latencies", "size_of"]

WIDTH = 1.05
"""A bar of the histogram holds latencies up to 5 % apart."""

MEMORY = 2000
"""Latencies after which all that is known counts half."""

REFRESH = 32
"""The percentile is found anew when a 32nd of what it rests on is new."""


def size_of(rows: int) -> int:
    """Requests of one size are alike: the power of two that holds the rows, as an exponent."""
    return max(0, rows - 1).bit_length()


class Latencies:
    """
    A histogram that forgets.

    Args:
        memory: Latencies after which all that is known counts half.
        half_life: Seconds after which it does, besides.
    """

    __slots__ = ("_bars", "_half_life", "_halved", "_memory", "count")

    def __init__(self, memory: int = MEMORY, half_life: float = math.inf) -> None:
        self._memory = memory
        self._half_life = half_life
        self._halved = -math.inf
        self._bars: dict[int, float] = {}
        self.count = 0.0
        """What is known, in latencies of full weight."""

    def add(self, seconds: float, now: float = 0.0) -> None:
        """One more, at *now*."""
        self.fade(now)
        bar = math.floor(math.log(max(seconds, 1e-9), WIDTH))
        self._bars[bar] = self._bars.get(bar, 0.0) + 1.0
        self.count += 1.0
        if self.count >= self._memory:
            self._halve(1)

    def fade(self, now: float) -> None:
        """Forget what is long ago at *now*, which is no earlier than any time before."""
        if now - self._halved < self._half_life:
            return
        if self._bars:
            self._halve(int((now - self._halved) / self._half_life))
        self._halved = now

    def percentile(self, percentile: float) -> float:
        """The upper end of the bar that holds it, in seconds; at least one must be known."""
        wanted = self.count * percentile / 100
        below = 0.0
        bar = 0
        for bar in sorted(self._bars):
            below += self._bars[bar]
            # A sum of halves may miss the whole by a rounding.
            if below >= wanted * (1 - 1e-9):
                break
        return float(WIDTH ** (bar + 1))

    def _halve(self, times: int) -> None:
        # What weighs next to nothing is forgotten altogether.
        self._bars = {
            bar: part for bar, n in self._bars.items() if (part := n * 0.5**times) >= 2**-10
        }
        self.count = sum(self._bars.values())


class Delays:
    """
    When an answer takes longer than most, by size of the request.

    Sizes are powers of two of rows, each with a histogram of its own: large
    requests would look like late ones otherwise.

    Args:
        percentile: Of the latencies of one size; what takes longer is late.
        min_samples: Latencies of a size before anything of it is late; at least one.
        memory: Latencies after which all that is known of a size counts half.
        half_life: Seconds after which it does, besides, until too little is known: for
            those who ask no more where an answer would be late, and must try again.
    """

    __slots__ = ("_half_life", "_memory", "_sizes", "min_samples", "percentile")

    def __init__(
        self,
        percentile: float,
        min_samples: int,
        *,
        memory: int = MEMORY,
        half_life: float = math.inf,
    ) -> None:
        self.percentile, self.min_samples = percentile, min_samples
        # Half of it is enough still.
        self._memory = max(memory, 4 * min_samples)
        self._half_life = half_life
        self._sizes: dict[int, _Size] = {}

    def after(self, rows: int, now: float = 0.0) -> float | None:
        """Seconds after which a request of so many rows is late; None where nobody knows."""
        size = self._sizes.get(size_of(rows))
        if size is None:
            return None
        latencies = size.latencies
        latencies.fade(now)
        return size.delay if latencies.count >= self.min_samples and latencies.count else None

    def add(self, rows: int, seconds: float, now: float = 0.0) -> None:
        """A request took so long, or longer where it was given up."""
        key = size_of(rows)
        size = self._sizes.get(key)
        if size is None:
            size = self._sizes[key] = _Size(Latencies(self._memory, self._half_life))
        latencies = size.latencies
        latencies.add(seconds, now)
        size.fresh += 1
        if latencies.count < self.min_samples:
            return
        if size.delay is None or size.fresh >= latencies.count / REFRESH:
            size.delay, size.fresh = latencies.percentile(self.percentile), 0


class _Size:
    """What is known of requests of one size."""

    __slots__ = ("delay", "fresh", "latencies")

    def __init__(self, latencies: Latencies) -> None:
        self.latencies = latencies
        self.delay: float | None = None
        self.fresh = 0
