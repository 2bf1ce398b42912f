"""The last minute, of all workers together."""

from __future__ import annotations

from tritonkit.gateway.live.sample import Sample

__all__ = ["Window"]


class Window:
    """
    Samples by how long ago they were taken.

    Args:
        now: When it begins, in seconds that only grow.
        seconds: How long it is, in whole seconds.
    """

    def __init__(self, now: float, seconds: int = 60) -> None:
        self.seconds = seconds
        self._began = now
        self._bins: dict[int, Sample] = {}

    def add(self, now: float, sample: Sample, *, age: float = 0.0) -> None:
        """
        A sample came.

        Args:
            now: Seconds that only grow.
            sample: What it has counted is added; it is not kept.
            age: Seconds since it was taken; what a clock that was set makes of it is bounded.
        """
        self._forget(now)
        taken = now - max(0.0, age)
        if taken <= now - self.seconds:
            return
        # It holds what went through in the second before.
        self._began = min(self._began, taken - 1.0)
        self._bins.setdefault(int(taken), Sample()).merge(sample)

    def total(self, now: float) -> Sample:
        """All that was taken within it."""
        self._forget(now)
        total = Sample()
        for sample in self._bins.values():
            total.merge(sample)
        return total

    def span(self, now: float) -> float:
        """Seconds of which it tells: less than its length where it began later."""
        return min(float(self.seconds), max(1.0, now - self._began))

    def _forget(self, now: float) -> None:
        for place in [place for place in self._bins if place <= int(now) - self.seconds]:
            del self._bins[place]
