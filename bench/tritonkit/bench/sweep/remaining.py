"""How long the rest of a sweep takes, from what its points took so far."""

from __future__ import annotations

from dataclasses import dataclass

from tritonkit.units import format_duration

__all__ = ["Remaining"]


@dataclass(slots=True)
class Remaining:
    """
    Counts points down.

    Args:
        total: Points, in every round.
        reloads: Changes of settings, in every round.
        per_point: Seconds of a point, until one was measured.
        per_reload: Seconds of a change, likewise.
    """

    total: int
    reloads: int
    per_point: float
    per_reload: float
    done: int = 0
    _points: int = 0
    _points_seconds: float = 0.0
    _reloaded: int = 0
    _reloads_seconds: float = 0.0

    def count(self, *, seconds: float = 0.0, reloaded: float = 0.0) -> None:
        """
        A point is done.

        Args:
            seconds: That it took; 0 for one that was not measured now.
            reloaded: Seconds that the change of settings before it took; 0 for none.
        """
        self.done += 1
        if seconds:
            self._points += 1
            self._points_seconds += seconds
        if reloaded:
            self._reloaded += 1
            self._reloads_seconds += reloaded

    @property
    def seconds(self) -> float:
        """About how long the rest takes."""
        point = self._points_seconds / self._points if self._points else self.per_point
        reload = self._reloads_seconds / self._reloaded if self._reloaded else self.per_reload
        left = self.total - self.done
        # Changes lie evenly among the points.
        changes = self.reloads * left / self.total if self.total else 0.0
        return left * point + changes * reload

    def __str__(self) -> str:
        left = f", {format_duration(round(self.seconds))} left" if self.done < self.total else ""
        return f"[{self.done}/{self.total}{left}]"
