"""What each of several servers bears, and what is in flight there: bookkeeping without a clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tritonkit.client.layers.limit.gradient import Gradient

__all__ = ["MAX_SERVERS", "ServerLimit", "ServerLimits"]

MAX_SERVERS = 1_000
"""Names that are remembered: addresses come and go."""


class ServerLimit:
    """
    Of one server, for one model.

    Args:
        gradient: What is learned; None where the limit is *fixed*.
        fixed: Used where nothing is learned.
    """

    __slots__ = ("_fixed", "_gradient", "in_flight")

    def __init__(self, gradient: Gradient | None, fixed: int) -> None:
        self._gradient, self._fixed = gradient, fixed
        self.in_flight = 0
        """Requests that are there."""

    @property
    def allowed(self) -> int:
        """Requests that may be there now."""
        return self._fixed if self._gradient is None else self._gradient.allowed

    @property
    def latency(self) -> float | None:
        """Seconds that its answers take without a queue; None where that is not known."""
        return None if self._gradient is None else self._gradient.long

    def answered(self, started: float, now: float, in_flight: int) -> None:
        """It answered what was sent at *started*, as one of so many."""
        if self._gradient is not None:
            self._gradient.answered(started, now, in_flight)

    def overloaded(self, started: float, now: float) -> None:
        """It refused that."""
        if self._gradient is not None:
            self._gradient.overloaded(started, now)

    def late(self, started: float, now: float) -> None:
        """It did not answer that in time."""
        if self._gradient is not None:
            self._gradient.late(started, now)


class ServerLimits:
    """
    Of all servers, for one model.

    All together bear what those in service bear. A server that goes out of service takes
    its part of the limit along, and brings it back when it returns: what it bears is
    remembered. Another one begins anew.

    Args:
        make: Gives the limit of a server that was not known.
    """

    def __init__(self, make: Callable[[], ServerLimit]) -> None:
        self._make = make
        self._by_name: dict[str, ServerLimit] = {}

    def of(self, server: str) -> ServerLimit:
        """That of one server."""
        found = self._by_name.get(server)
        if found is None:
            if len(self._by_name) >= MAX_SERVERS:
                idle = (name for name, one in self._by_name.items() if not one.in_flight)
                self._by_name.pop(next(idle, ""), None)
            found = self._by_name[server] = self._make()
        return found

    def allowed(self, servers: Sequence[str]) -> int:
        """
        Requests that may be in flight now, all servers together.

        Args:
            servers: Those in service. What is still at others takes no place from them.
        """
        serving = [self.of(server) for server in servers]
        places = sum(one.allowed for one in serving)
        if len(self._by_name) > len(servers):
            left = sum(one.in_flight for one in self._by_name.values())
            places += left - sum(one.in_flight for one in serving)
        return places

    @property
    def known(self) -> int:
        """Requests that may be at all servers that were asked so far; from any thread."""
        return sum(one.allowed for one in list(self._by_name.values()))

    def room(self, server: str) -> bool:
        """Whether one more may go there."""
        one = self.of(server)
        return one.in_flight < one.allowed

    def latency(self, servers: Sequence[str]) -> float | None:
        """Seconds that an answer takes at least; None where nobody knows."""
        known = [one.latency for one in map(self.of, servers)]
        return min((seconds for seconds in known if seconds is not None), default=None)
