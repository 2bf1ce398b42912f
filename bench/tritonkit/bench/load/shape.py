"""How requests are issued: kept in flight, or sent at times of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tritonkit.bench.schedule.arrivals import Arrivals
from tritonkit.errors import ConfigError

__all__ = ["MAX_IN_FLIGHT", "Closed", "Load", "Open"]

MAX_IN_FLIGHT = 1024
"""Requests of an open loop that may wait for their answers: a second's worth at 1,000/s."""


@dataclass(frozen=True, slots=True)
class Closed:
    """
    A number of requests in flight; each slot sends its next when its last has ended.

    Args:
        concurrency: Requests in flight.
    """

    concurrency: int

    def __post_init__(self) -> None:
        if self.concurrency < 1:
            raise ConfigError(f"concurrency must be at least 1, but got {self.concurrency}.")

    def describe(self) -> Mapping[str, Any]:
        """The settings in JSON's types."""
        return {"loop": "closed", "concurrency": self.concurrency}

    def __str__(self) -> str:
        return f"concurrency {self.concurrency}"


@dataclass(frozen=True, slots=True)
class Open:
    """
    Requests that start at times of their own, whether or not earlier ones have ended.

    Args:
        arrivals: The times.
        max_in_flight: Requests that may wait for their answers; one whose time comes
            meanwhile is dropped and counted, never sent later.
    """

    arrivals: Arrivals
    max_in_flight: int = MAX_IN_FLIGHT

    def __post_init__(self) -> None:
        if self.max_in_flight < 1:
            raise ConfigError(f"max_in_flight must be at least 1, but got {self.max_in_flight}.")

    def describe(self) -> Mapping[str, Any]:
        """The settings in JSON's types."""
        return {
            "loop": "open",
            "arrivals": dict(self.arrivals.describe()),
            "max_in_flight": self.max_in_flight,
        }

    def __str__(self) -> str:
        return str(self.arrivals)


Load = Closed | Open
"""Of one point."""
