"""Who asks what, and when: drawn, and steered while it goes on."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from tritonkit.errors import ConfigError

__all__ = ["BURST_SECONDS", "Asked", "Flow", "Traffic"]

BURST_SECONDS = 5.0
"""How long a burst lasts."""

_MOST_RATE = 10_000.0
_MOST_SKEW = 5.0
_CATCH_UP = 1.0
"""Seconds that are made up for, where nobody drew for longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """
    What the traffic is like.

    Args:
        rate: Requests a second, on average; they come independently of each other.
        skew: Exponent of Zipf's law: the text of rank r is asked in proportion to
            1 / r^skew. 0 asks all alike.
        burst: By how much the rate is multiplied while a burst lasts.
        batch: Share of the requests that carry many texts.
        rows: Texts of such a request.
        users: How many there are; each request is one's.
        shifted: Whether they ask about other things than at first.

    Raises:
        ConfigError: If a value is out of range.
    """

    rate: float = 20.0
    skew: float = 1.0
    burst: float = 5.0
    batch: float = 0.05
    rows: int = 8
    users: int = 200
    shifted: bool = False

    def __post_init__(self) -> None:
        for name, most in (("rate", _MOST_RATE), ("skew", _MOST_SKEW), ("batch", 1.0)):
            value = getattr(self, name)
            if not 0 <= value <= most:
                raise ConfigError(f"{name} must be from 0 to {most:g}, but got {value}.")
        if not 1 <= self.burst <= 100:
            raise ConfigError(f"burst must be from 1 to 100, but got {self.burst}.")
        for name, most in (("rows", 1_000), ("users", 1_000_000)):
            value = getattr(self, name)
            if not 1 <= value <= most:
                raise ConfigError(f"{name} must be from 1 to {most}, but got {value}.")


@dataclass(frozen=True, slots=True)
class Asked:
    """
    One request.

    Args:
        at: When it is due, on the clock that the traffic is drawn by.
        ranks: Of its texts, from 0.
        user: Whose it is, from 0.
        shifted: Whether its texts are of the other kind.
    """

    at: float
    ranks: tuple[int, ...]
    user: int
    shifted: bool


class Traffic:
    """
    A Poisson process whose rate may change at any moment; the same for the same seed.

    When requests come and what they ask are drawn apart: whoever steers the rate changes
    nothing of what is asked.

    Args:
        flow: What it is like at first.
        texts: How many there are, of either kind.
        seed: Of all draws.
        now: When it begins, in seconds.

    Raises:
        ConfigError: If there are no texts.
    """

    def __init__(self, flow: Flow, texts: int, *, seed: int = 0, now: float = 0.0) -> None:
        if texts < 1:
            raise ConfigError(f"texts must be at least 1, but got {texts=}.")
        self._texts = texts
        self._gaps, self._draws = Random(f"gaps {seed}"), Random(f"draws {seed}")
        self._flow = flow
        self._bounds = _bounds(texts, flow.skew)
        self._now = now
        self._burst_end = now
        # Of a unit of the process, in which it has one arrival a second.
        self._left = self._gaps.expovariate(1.0)

    @property
    def flow(self) -> Flow:
        """What it is like, bursts aside."""
        return self._flow

    def steer(self, flow: Flow) -> None:
        """Be like *flow* from where it was drawn to."""
        if flow.skew != self._flow.skew:
            self._bounds = _bounds(self._texts, flow.skew)
        self._flow = flow

    def burst(self, now: float, seconds: float = BURST_SECONDS) -> None:
        """From *now* on more of it comes, for a while; a burst that lasts is prolonged."""
        self._burst_end = max(self._burst_end, now + seconds)

    def bursting(self, now: float) -> bool:
        """Whether a burst lasts."""
        return now < self._burst_end

    def until(self, now: float) -> Iterator[Asked]:
        """What is due up to *now*, since the last time; of a long pause only the end."""
        self._now = max(self._now, now - _CATCH_UP)
        while self._now < now:
            bursting = self.bursting(self._now)
            end = min(now, self._burst_end) if bursting else now
            rate = self._flow.rate * (self._flow.burst if bursting else 1.0)
            passing = (end - self._now) * rate
            if self._left > passing:
                self._left -= passing
                self._now = end
                continue
            # Rounding must not move it past the end, or back.
            self._now = min(end, self._now + self._left / rate)
            self._left = self._gaps.expovariate(1.0)
            yield self._asked(self._now)

    def _asked(self, at: float) -> Asked:
        flow, draw = self._flow, self._draws.random
        many = draw() < flow.batch
        user = int(draw() * flow.users)
        ranks = tuple(
            min(bisect_right(self._bounds, draw() * self._bounds[-1]), self._texts - 1)
            for _ in range(flow.rows if many else 1)
        )
        return Asked(at, ranks, user, flow.shifted)


def _bounds(texts: int, skew: float) -> list[float]:
    """Of each rank's part of a line, in proportion to its probability."""
    return list(accumulate(rank**-skew for rank in range(1, texts + 1)))
