"""How much a server bears, learned from its latencies: arithmetic without a clock."""

from __future__ import annotations

import math

__all__ = ["LESS", "Gradient"]

LESS = 0.75
"""The share of the limit at which the latency to compare with is measured."""

QUEUE = 0.05
"""The queue that is aimed at, as a share of the limit."""

MIN_QUEUE = 0.5
"""And in requests, at least."""

BACKOFF = 0.9
"""What is left of the limit after the server refused a request, or was too late."""

WINDOWS = 4
"""Comparisons with one measurement at less."""

MIN_SAMPLES = 64
"""Of a measurement: the mean of exponential latencies is then 12 % off."""

ROUNDS = 3
"""Samples of a measurement for each request in flight."""


class Gradient:
    """
    A limit of requests in flight that follows what the server can do.

    The rule is Netflix's Gradient2: at the end of every window of answers

        new = limit * clamp(tolerance * long / short, 0.5, 1) + queue

    where *short* is the mean latency of the window. In Gradient2 *long* is the mean over
    a long time, which a lasting queue spoils: both are the same then, and the
    limit grows for ever. Here *long* is measured every few windows, while the limit
    is 3/4 of what it is. Below the server's capacity both latencies are the same, and
    above it they are as 3 to 4, whatever the model takes.

    An overload takes a tenth of the limit, once for all that was sent before it was
    noticed.

    Every time is a number of seconds of one clock.

    Args:
        initial: The limit to begin with.
        minimum: What it never falls below, at least 1.
        maximum: What it never exceeds.
        tolerance: How much longer an answer may take at the limit than at 3/4 of it;
            at least 1. From 4/3 on, nothing but an overload lowers the limit.
        smoothing: The share of a step that is taken.

    Source: Netflix concurrency-limits, Gradient2Limit; measuring at less is what
    Envoy's adaptive concurrency does with its minimum latency.
    """

    def __init__(
        self,
        *,
        initial: float,
        minimum: int,
        maximum: int,
        tolerance: float = 1.05,
        smoothing: float = 0.8,
    ) -> None:
        self.limit = float(initial)
        self.minimum, self.maximum = minimum, maximum
        self.tolerance, self.smoothing = tolerance, smoothing
        self.long: float | None = None
        """Mean latency at less than the limit, in seconds; None before it was measured."""
        self._long_error = 0.0
        self._starting = True
        self._less = True
        self._windows = 0
        self._lowered: float | None = None
        self._since: float | None = None
        self._settled: float | None = None
        self._count, self._busiest = 0, 0
        self._sum, self._squares = 0.0, 0.0

    @property
    def allowed(self) -> int:
        """Requests that may be in flight now."""
        return max(self.minimum, int(self.limit * LESS if self._less else self.limit))

    def answered(self, started: float, ended: float, in_flight: int) -> None:
        """
        An answer came.

        Args:
            started: When it was sent.
            ended: When it was there.
            in_flight: How many were in flight when it was sent, itself included.
        """
        if self._since is None:
            self._since = started
        if started < self._since:
            return
        if self._settled is None:
            # Whatever was sent under the limit before is through by now; its queue is not
            # in the latency of what is sent from here on.
            self._settled = ended
            return
        if started < self._settled:
            return
        latency = ended - started
        self._count += 1
        self._sum += latency
        self._squares += latency * latency
        self._busiest = max(self._busiest, in_flight)
        if self._count >= max(MIN_SAMPLES, ROUNDS * self.allowed):
            mean = self._sum / self._count
            variance = max(0.0, self._squares / self._count - mean * mean)
            self._measured(ended, mean, math.sqrt(variance / self._count))

    def late(self, started: float, now: float) -> None:
        """The time for what was sent at *started* ran out."""
        # A deadline that was hopeless from the start says nothing of the server.
        if self.long is not None and now - started >= self.long:
            self.overloaded(started, now)

    def overloaded(self, started: float, now: float) -> None:
        """The server refused what was sent at *started*."""
        if self._lowered is not None and started <= self._lowered:
            return
        self._lowered = now
        self._starting = False
        self._set(self.limit * BACKOFF)

    def _measured(self, now: float, mean: float, error: float) -> None:
        if self._less:
            self.long, self._long_error = mean, error
            self._less, self._windows = False, 0
        else:
            if self._busiest >= self.limit / 2:
                self._compare(mean, error)
            self._windows += 1
            # After a fall another comparison is due.
            self._less = self._less or self._windows >= WINDOWS
        self._begin(now)

    def _compare(self, short: float, error: float) -> None:
        assert self.long is not None
        # Chance alone must not lower the limit: it would do so again and again.
        noise = math.hypot(error, self._long_error)
        gradient = (self.tolerance * self.long + noise) / short if short else 1.0
        gradient = min(1.0, max(0.5, gradient))
        if gradient < 1:
            self._starting, self._less = False, True
        queue = self.limit if self._starting else max(MIN_QUEUE, QUEUE * self.limit)
        new = self.limit * gradient + queue
        self._set(self.limit + self.smoothing * (new - self.limit))

    def _set(self, limit: float) -> None:
        self.limit = min(float(self.maximum), max(float(self.minimum), limit))

    def _begin(self, now: float) -> None:
        """Measure under another limit, once what was sent under the last one is through."""
        self._since, self._settled = now, None
        self._count, self._busiest = 0, 0
        self._sum, self._squares = 0.0, 0.0
