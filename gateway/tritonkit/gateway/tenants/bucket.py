"""A token bucket in one number."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tritonkit.errors import ConfigError

__all__ = ["Bucket"]

# Of a token: what adding up fractions of seconds may lose, and nobody is refused for.
_SLACK = 1e-6


@dataclass(frozen=True, slots=True)
class Bucket:
    """
    Lets *rate* through a second, and *burst* at once after a quiet time.

    What is known between two calls is one number, when the bucket is full again, so that
    it can lie in memory that processes share. 0 is a bucket that has always been full.

    Args:
        rate: Tokens a second; 0 lets through what is in the bucket, once.
        burst: Tokens that it holds; 0 lets nothing through.

    Raises:
        ConfigError: If one is negative or not finite.

    Source: the generic cell rate algorithm, ITU-T I.371 (2004), annex A, virtual scheduling.
    """

    rate: float
    burst: float

    def __post_init__(self) -> None:
        for name, value in (("rate", self.rate), ("burst", self.burst)):
            if not math.isfinite(value) or value < 0:
                raise ConfigError(f"{name} must be finite and not negative, but got {value!r}.")

    def take(self, full_at: float, now: float, tokens: float) -> tuple[float, float]:
        """
        Take tokens out, all of them or none.

        Args:
            full_at: What was returned last; 0 at first.
            now: Seconds of a clock that only grows, from above 0.
            tokens: How many.

        Returns:
            When it is full again, and the seconds to wait until it has so many: 0 where
            they are taken, infinity where it never has.
        """
        if tokens <= 0:
            return full_at, 0.0
        if tokens > self.burst:
            return full_at, math.inf
        if self.rate == 0:
            # Without a rate the number is how many are gone, written as a time that is past.
            gone = -full_at
            left = self.burst - gone
            return (-(gone + tokens), 0.0) if tokens <= left + _SLACK else (full_at, math.inf)
        missing = max(0.0, full_at - now) * self.rate
        short = tokens - (self.burst - missing)
        if short > _SLACK:
            return full_at, short / self.rate
        return max(full_at, now) + tokens / self.rate, 0.0
