"""How a client works on its jobs."""

from __future__ import annotations

from datetime import timedelta

from tritonkit.errors import ConfigError
from tritonkit.units import format_duration, parse_duration

__all__ = ["Pace"]


class Pace:
    """
    How many jobs a client works on, how many wait, and how long closing it waits.

    Args:
        in_flight: Jobs that are sent at a time. 16: enough to keep a server busy, few
            enough to leave it to others.
        pending: Jobs that wait for their turn, with their inputs in memory.
        drain: How long closing a client waits for its jobs, those in flight and those
            that wait; what is left then fails. 5 s: of the 30 that Kubernetes grants a
            process to end, that leaves time for the rest.

    Raises:
        ConfigError: If an argument is out of range.
    """

    def __init__(
        self,
        in_flight: int = 16,
        *,
        pending: int = 1000,
        drain: str | float | timedelta = "5s",
    ) -> None:
        if in_flight < 1:
            raise ConfigError(f"in_flight must be at least 1, but got {in_flight=}.")
        if pending < 0:
            raise ConfigError(f"pending must not be negative, but got {pending=}.")
        self.in_flight = in_flight
        self.pending = pending
        self.drain = parse_duration(drain, name="drain")

    def __repr__(self) -> str:
        drain = format_duration(self.drain)
        return f"Pace({self.in_flight}, pending={self.pending}, drain={drain!r})"
