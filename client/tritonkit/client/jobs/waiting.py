"""When to look at a job again, and what to make of what is seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from tritonkit.client.jobs import record
from tritonkit.client.jobs.record import Record
from tritonkit.client.jobs.seen import BEAT, Seen

__all__ = ["Status", "Waiting", "status_of"]

Status: TypeAlias = Literal["running", "done", "failed", "lost"]
"""running: somebody works on it. lost: nobody does, or there is no such job."""

_FIRST = 0.005
_LAST = 0.25
_GROWTH = 1.5


def status_of(id: bytes, seen: Seen) -> tuple[Status, Record | None]:
    """
    What is seen of a job, and its record where that can be read.

    What was written and cannot be read has failed, whoever is at work.
    """
    if seen.data is None:
        return ("running" if seen.alive else "lost"), None
    found = record.read(id, seen.data)
    if found is None:
        return "failed", None
    if found.state == "running":
        return ("running" if seen.alive else "lost"), found
    return found.state, found


@dataclass(slots=True)
class Waiting:
    """
    One wait for a job: looks again after growing pauses, and believes in a loss slowly.

    A board that was restarted has lost everything until the next sign of life.

    Args:
        patience: Seconds that a job must be lost, or the board silent, before it is.
    """

    patience: float = 2 * BEAT
    _pause: float = _FIRST
    _lost_since: float | None = None
    _silent_since: float | None = None

    def silent(self, now: float) -> bool:
        """Note that the board said nothing; whether that is enough."""
        if self._silent_since is None:
            self._silent_since = now
        return now - self._silent_since >= self.patience

    def lost(self, status: Status, now: float) -> bool:
        """Note what the board said; whether the wait is over, for nobody works on it any more."""
        self._silent_since = None
        if status != "lost":
            self._lost_since = None
            return False
        if self._lost_since is None:
            self._lost_since = now
        return now - self._lost_since >= self.patience

    def pause(self) -> float:
        """Seconds until the next look."""
        pause, self._pause = self._pause, min(self._pause * _GROWTH, _LAST)
        return pause
