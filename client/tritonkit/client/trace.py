"""Where an answer came from."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["COALESCED", "MODEL", "STALE", "UNSEEN", "Trace"]

MODEL = "model"
"""The origin of a row that the model computed for this request."""

COALESCED = "coalesced"
"""The origin of a row that another request was asking for already."""

STALE = "stale"
"""The origin of a row that is older than its time to live, and was served all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """
    Where an answer came from, and what it took.

    Args:
        origins: One for each row: the name of a store, such as "memory" or
            "redis", or "coalesced", "stale" or "model". One for the whole answer
            where it is cached whole. Empty where no cache looked: all of it is
            the model's.
        ages: Seconds since the model computed each of them; 0 for what it
            computed just now.
        tiers: Name of the route that answered, one for each row where rows took
            different routes; empty where there was no choice.
        degraded: Why the answer is less than what was asked for, such as
            "fallback: accurate timed out", "stale" or "constant"; empty for a full
            answer. A degraded answer is never kept.
        attempts: Requests that were sent to a server for it, all layers together, those
            that failed included; 0 where none was counted.
        cost: What was spent on it, in millionths of the budget's unit, also on
            attempts and routes that failed.
        answer: By what its outcome is recorded later: `client.record(answer, ...)`.
            Empty where no experiment takes part.
        arms: The experiments that it takes part in and the arm of each, as pairs,
            the outermost first.
    """

    origins: tuple[str, ...] = ()
    ages: tuple[float, ...] = ()
    tiers: tuple[str, ...] = ()
    degraded: str = ""
    attempts: int = 0
    cost: int = 0
    answer: str = ""
    arms: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        counts = {origin: self.origins.count(origin) for origin in dict.fromkeys(self.origins)}
        return ", ".join(f"{count} {origin}" for origin, count in counts.items()) or MODEL


UNSEEN = Trace()
"""The trace of what no cache looked at."""
