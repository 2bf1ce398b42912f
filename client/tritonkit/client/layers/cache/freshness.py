"""How old an answer may be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum

from tritonkit.units import parse_duration

__all__ = ["Freshness", "State"]


class State(IntEnum):
    """What may be done with an entry, by its age; the less, the better."""

    FRESH = 0
    STALE = 1
    SPARE = 2
    GONE = 3


@dataclass(frozen=True, slots=True)
class Freshness:
    """
    The ages, in seconds since the model computed an answer, at which it changes state.

    Args:
        ttl: Until here it is as good as a new one.
        stale: Until here it is served, and computed anew behind the back of the
            one who asked.
        spare: Until here it is served if the model cannot be had.
        for_errors: Whether the user wants an answer also where the server cannot
            say which model it has.
    """

    ttl: float
    stale: float
    spare: float
    for_errors: bool

    @classmethod
    def of(
        cls,
        ttl: str | float | timedelta | None,
        stale: str | float | timedelta | None,
        stale_if_error: str | float | timedelta | None,
    ) -> Freshness:
        """
        From what a user says: both kinds of staleness count from the end of *ttl*.

        Raises:
            ConfigError: If one is no duration.
        """
        limit = math.inf if ttl is None else parse_duration(ttl, name="ttl")
        late = 0.0 if stale is None else parse_duration(stale, name="stale")
        failing = (
            0.0 if stale_if_error is None else parse_duration(stale_if_error, name="stale_if_error")
        )
        return cls(limit, limit + late, limit + max(late, failing), failing > 0)

    @property
    def lifetime(self) -> float | None:
        """Seconds that a store must keep an entry; None for ever."""
        return None if math.isinf(self.spare) else self.spare

    def state(self, age: float) -> State:
        """What may be done with an entry of this *age*."""
        if age < self.ttl:
            return State.FRESH
        if age < self.stale:
            return State.STALE
        return State.SPARE if age < self.spare else State.GONE
