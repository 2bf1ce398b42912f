"""When an endpoint, or one model on it, is left out, and when it is taken back."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Health", "HealthPolicy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthPolicy:
    """
    What counts as ill.

    Args:
        failures: Failures in a row that suffice.
        failure_rate: Share of failures among the calls of a window that suffices, 0 to 1.
        min_calls: Fewer calls in a window say nothing by their rate.
        window: Seconds of a window.
        ejection: Seconds that the first ejection lasts; each one soon after is twice as long.
        max_ejection: Seconds that none is longer than.
        probe_interval: Seconds between two probes of what is out.
    """

    failures: int = 5
    failure_rate: float = 0.5
    min_calls: int = 20
    window: float = 10.0
    ejection: float = 1.0
    max_ejection: float = 60.0
    probe_interval: float = 1.0


class Health:
    """
    The health of one endpoint, or of one model on it. Seconds come as arguments.

    It is out for a time, and then until a probe succeeds. Whatever answers from a
    call that began before says nothing any more.
    """

    __slots__ = (
        "_calls",
        "_failed",
        "_policy",
        "_probe_at",
        "_row",
        "_window_end",
        "ejections",
        "out_since",
        "period",
        "returned",
        "until",
    )

    def __init__(self, policy: HealthPolicy) -> None:
        self._policy = policy
        self.ejections = 0
        """Ejections that count towards the time of the next one."""
        self.period = 0.0
        """Seconds of the last ejection."""
        self.out_since: float | None = None
        self.until = 0.0
        """When it may be probed, while it is out."""
        self.returned = float("-inf")
        """When it was taken back last."""
        self._probe_at = 0.0
        self._calls = self._failed = self._row = 0
        self._window_end = 0.0

    @property
    def out(self) -> bool:
        """Whether it is left out."""
        return self.out_since is not None

    def succeeded(self, now: float) -> None:
        """A call was answered."""
        self._turn(now)
        self._calls += 1
        self._row = 0

    def failed(self, now: float) -> bool:
        """A call failed by its fault; whether it is out now for that."""
        self._turn(now)
        self._calls += 1
        self._failed += 1
        self._row += 1
        policy = self._policy
        in_row = self._row >= policy.failures
        often = (
            self._calls >= policy.min_calls and self._failed >= policy.failure_rate * self._calls
        )
        if self.out or not (in_row or often):
            return False
        self.eject(now)
        return True

    def eject(self, now: float) -> None:
        """Leave it out from now on; one that is out stays out as it is."""
        if self.out:
            return
        policy = self._policy
        if self.ejections and self.period > 0:
            # Each of its last periods that it kept well takes one back.
            periods = (now - self.returned) / self.period
            self.ejections -= int(min(self.ejections, periods))
        # A power that is bounded before it is taken: floats end at 2**1024.
        self.period = min(policy.ejection * 2.0 ** min(self.ejections, 64), policy.max_ejection)
        self.ejections += 1
        self.out_since = now
        self.until = self._probe_at = now + self.period
        self._clear()

    def probe_due(self, now: float) -> bool:
        """Whether it is time for a probe; asking takes the turn."""
        if not self.out or now < self._probe_at:
            return False
        self._probe_at = now + self._policy.probe_interval
        return True

    def probed(self, well: bool, now: float) -> bool:
        """What a probe found; whether it is in again for that."""
        if not (self.out and well and now >= self.until):
            return False
        self.take_back(now)
        return True

    def take_back(self, now: float) -> None:
        """It is in again, whatever was planned."""
        self.out_since = None
        self.returned = now
        self._clear()

    def _turn(self, now: float) -> None:
        """Begin another window where this one is over."""
        if now >= self._window_end:
            self._calls = self._failed = 0
            self._window_end = now + self._policy.window

    def _clear(self) -> None:
        self._calls = self._failed = self._row = 0
        self._window_end = 0.0
