"""How long to wait before the next attempt."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

__all__ = ["Backoff"]


@dataclass(frozen=True, slots=True)
class Backoff:
    """
    Full jitter: any time between none and a ceiling that doubles with each attempt.

    Args:
        base: The first ceiling, in seconds.
        cap: What doubling ends at.

    Source: Brooker, Exponential Backoff And Jitter, AWS Architecture Blog (2015).
    """

    base: float
    cap: float

    def ceiling(self, attempt: int) -> float:
        """The longest wait after so many attempts."""
        # 2.0 ** 1024 is no float; the cap is reached long before.
        return min(self.cap, self.base * 2.0 ** min(attempt - 1, 64))

    def delay(
        self, attempt: int, random: Random, *, room: float | None = None, least: float = 0.0
    ) -> float | None:
        """
        Seconds to wait.

        Args:
            attempt: How many there were.
            random: What the time is drawn from.
            room: The most there is time for; without it, *least* must not exceed the cap.
            least: What the service asked for.

        Returns:
            At least *least* and at most *room*; None where there is no such time.
        """
        longest = least + self.ceiling(attempt)
        if room is None:
            return random.uniform(least, longest) if least <= self.cap else None
        if room <= 0 or least > room:
            return None
        return random.uniform(least, min(longest, room))
