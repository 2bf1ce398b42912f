"""Whether to ask a server that lately did not answer: a state machine without a loop of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Literal

__all__ = ["Attempt", "Breaker"]


@dataclass(slots=True, eq=False)
class Attempt:
    """
    A permit to ask once.

    Args:
        generation: The state of the breaker that gave it; in a later one its
            outcome says nothing.
        probe: Whether it decides if the breaker closes.
        over: Whether its outcome is known; only the first one counts.
    """

    generation: int
    probe: bool
    over: bool = False


class Breaker:
    """
    Closed, it lets everybody ask. Open, nobody. Half-open, one: the probe.

    It belongs to one thread.

    Args:
        failures: In a row, to open it. Three: one may be a connection that the
            server had closed, two a moment's load.
        open_seconds: How long it is open the first time; short, since a cache
            that is not asked costs more than a probe does.
        max_open_seconds: What doubling, once for each probe that fails, ends at.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        *,
        failures: int = 3,
        open_seconds: float = 0.5,
        max_open_seconds: float = 10.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._limit = failures
        self._first = open_seconds
        self._longest = max_open_seconds
        self._clock = clock
        self._failures = 0
        self._generation = 0
        self._opened: float | None = None
        self._open_seconds = open_seconds
        self._probing = False

    @property
    def state(self) -> Literal["closed", "open", "half-open"]:
        """What it is now."""
        if self._opened is None:
            return "closed"
        return "half-open" if self._clock() - self._opened >= self._open_seconds else "open"

    def begin(self) -> Attempt | None:
        """A permit, whose outcome is to be told; None while there is none."""
        state = self.state
        if state == "closed":
            return Attempt(self._generation, probe=False)
        if state == "open" or self._probing:
            return None
        self._probing = True
        return Attempt(self._generation, probe=True)

    def succeed(self, attempt: Attempt) -> None:
        """The server answered in time."""
        if not self._ends(attempt):
            return
        self._failures = 0
        if attempt.probe:
            self._opened = None
            self._open_seconds = self._first
            self._next()

    def fail(self, attempt: Attempt) -> bool:
        """The server did not answer, or too late; returns whether that opened the breaker."""
        if not self._ends(attempt):
            return False
        self._failures += 1
        if attempt.probe:
            self._open_seconds = min(2 * self._open_seconds, self._longest)
        elif self._failures < self._limit:
            return False
        self._opened = self._clock()
        self._next()
        return not attempt.probe

    def forget(self, attempt: Attempt) -> None:
        """It was given up by who asked: it says nothing, and a probe is free again."""
        if self._ends(attempt) and attempt.probe:
            self._probing = False

    def _ends(self, attempt: Attempt) -> bool:
        if attempt.over:
            return False
        attempt.over = True
        return attempt.generation == self._generation

    def _next(self) -> None:
        self._generation += 1
        self._failures = 0
        self._probing = False
