"""What a server's clock says of the moments of this process, and back."""

from __future__ import annotations

import math

__all__ = ["ServerClock"]


class ServerClock:
    """
    The distance between a server's wall clock and `time.monotonic` here.

    Both ways it errs in one direction: what is read may seem older than it is,
    by the round trips in which writer and reader asked for the time, never
    younger. This process's wall clock is not used. Where the server's is set
    back, what was written before then seems older by no less than that.

    A server's clock that was set back before this process met it cannot be
    told; servers of one cluster are expected to agree on the time.
    """

    REFRESH = 60.0
    """Seconds after which the server is asked again, along with something else."""

    DRIFT = 5e-4
    """Seconds per second by which two clocks part at most; NTP corrects no faster."""

    def __init__(self) -> None:
        # Server time minus local time lies between the two.
        self._low = math.nan
        self._high = math.nan
        self._learned: float | None = None
        self._due = True
        # Of the time until the server's clock was last seen to be set back.
        self._before = -math.inf
        self._since = -math.inf

    @property
    def known(self) -> bool:
        """Whether the server's time was ever learned."""
        return self._learned is not None

    def due(self, now: float) -> bool:
        """Whether the server should be asked again."""
        return self._due or self._learned is None or now - self._learned > self.REFRESH

    def doubt(self) -> None:
        """The server may have become another: ask again."""
        self._due = True

    def learn(self, server: float, *, asked: float, answered: float) -> None:
        """
        Take note of an answer to TIME.

        Args:
            server: Seconds of the server's clock.
            asked: Local time before the question was sent.
            answered: Local time after the answer came.
        """
        low, high = server - answered, server - asked
        if self._learned is not None:
            drift = self._drift(answered)
            if high < self._low - drift:
                self._before = max(self._before, self._high + drift)
                self._since = answered
        self._low, self._high = low, high
        self._learned = answered
        self._due = False

    def stamp(self, moment: float, now: float) -> int:
        """Microseconds of the server's clock at a local *moment*, or earlier."""
        return math.floor((moment + self._low - self._drift(now)) * 1e6)

    def moment(self, stamp: int, now: float) -> float:
        """Local time of *stamp*, in microseconds of the server's clock, or earlier."""
        server = stamp / 1e6
        moment = server - self._high - self._drift(now)
        if server - self._before <= self._since:
            # It may be of the time before the clock was set back.
            moment = min(moment, server - self._before)
        return moment

    def _drift(self, now: float) -> float:
        return 0.0 if self._learned is None else max(0.0, now - self._learned) * self.DRIFT
