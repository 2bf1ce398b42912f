"""The last minute, of all workers together."""

from __future__ import annotations

from collections import deque

from tritonkit.gateway.live.sample import Sample

__all__ = ["Window"]


class Window:
    """
    Samples by when they came here, so that a clock that is set changes nothing.

    Args:
        seconds: How long it is, in whole seconds.
    """

    def __init__(self, seconds: int = 60) -> None:
        self.seconds = seconds
        self._bins: deque[tuple[int, Sample]] = deque()

    def add(self, now: float, sample: Sample) -> None:
        """
        A sample came.

        Args:
            now: Seconds that only grow.
            sample: What it has counted is added; it is not kept.
        """
        self._forget(now)
        if not self._bins or self._bins[-1][0] != int(now):
            self._bins.append((int(now), Sample()))
        self._bins[-1][1].merge(sample)

    def total(self, now: float) -> Sample:
        """All that came within it."""
        self._forget(now)
        total = Sample()
        for _, sample in self._bins:
            total.merge(sample)
        return total

    def _forget(self, now: float) -> None:
        while self._bins and self._bins[0][0] <= int(now) - self.seconds:
            self._bins.popleft()
