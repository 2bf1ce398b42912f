"""What a search has taken of its budget, and what it bears."""

from __future__ import annotations

from tritonkit.bench.search.trial import Budget

__all__ = ["Spending"]

_REFUSED = 0.5
"""Measurements that settings count for which the server refused."""


class Spending:
    """
    Counts measurements of the base duration, and seconds with warm-ups and changes.

    Args:
        budget: What may be spent.
        seconds: The base duration.
        warmup: Seconds before each measurement.
        change_seconds: What a change of settings takes.
    """

    def __init__(
        self, budget: Budget, *, seconds: float, warmup: float, change_seconds: float
    ) -> None:
        self.budget = budget
        self.measurements = 0.0
        self.seconds = 0.0
        self._base = seconds
        self._warmup = warmup
        self._change = change_seconds

    @property
    def one(self) -> float:
        """Seconds that a measurement of the base duration takes if it changes settings."""
        return self._base + self._warmup + self._change

    @property
    def bears(self) -> float:
        """Measurements that the whole budget is enough for."""
        if self.budget.measurements is not None:
            return self.budget.measurements
        assert self.budget.seconds is not None
        return self.budget.seconds / self.one

    @property
    def longest(self) -> float:
        """Seconds that the budget takes if each measurement changes settings."""
        if self.budget.measurements is None:
            return self.budget.seconds or 0.0
        return self.budget.measurements * self.one

    @property
    def pace(self) -> float:
        """Measurements without a change in the time of one with a change."""
        return self.one / (self.one - self._change)

    def takes(self, seconds: float, *, changes: bool) -> float:
        """Seconds of a measurement altogether."""
        return seconds + self._warmup + (self._change if changes else 0.0)

    def add(self, seconds: float, *, took: float, refused: bool) -> None:
        """A trial with a window of *seconds* that *took* so long altogether."""
        self.measurements += _REFUSED if refused else seconds / self._base
        self.seconds += took

    def affords(self, seconds: float, *, changes: bool, keep: bool) -> bool:
        """Whether the budget bears a window of *seconds*, with a base one after it if *keep*."""
        kept = self._base if keep else 0.0
        most, longest = self.budget.measurements, self.budget.seconds
        if most is not None and self.measurements + (seconds + kept) / self._base > most + 1e-9:
            return False
        if longest is None:
            return True
        reserve = self.one if keep else 0.0
        return self.seconds + self.takes(seconds, changes=changes) + reserve <= longest + 1e-9
