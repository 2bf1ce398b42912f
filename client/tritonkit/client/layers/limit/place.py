"""The place that a request has at a server."""

from __future__ import annotations

from collections.abc import Callable

from tritonkit.client.layers.limit.servers import ServerLimit, ServerLimits
from tritonkit.client.placement import Placement

__all__ = ["Place"]


class Place(Placement):
    """
    A wish for a server that has room, and what becomes of the request there.

    Args:
        limits: Of the request's model.
        clock: Seconds that only grow.
    """

    __slots__ = ("_began", "_clock", "_in_flight", "_limits", "_server")

    def __init__(self, limits: ServerLimits, clock: Callable[[], float]) -> None:
        self._limits, self._clock = limits, clock
        # None before it is sent: what a layer below answers says nothing of a server.
        self._server: ServerLimit | None = None
        self._began, self._in_flight = 0.0, 0

    def suits(self, server: str) -> bool:
        """Whether there is room."""
        return self._limits.room(server)

    def begin(self, server: str) -> None:
        """The request goes there."""
        self._server = self._limits.of(server)
        self._server.in_flight += 1
        self._in_flight = self._server.in_flight
        self._began = self._clock()

    def end(self, server: str) -> None:
        """It is there no longer."""
        self._limits.of(server).in_flight -= 1

    def answered(self) -> None:
        """The server where it was last answered it."""
        if self._server is not None:
            self._server.answered(self._began, self._clock(), self._in_flight)

    def overloaded(self) -> None:
        """That server refused it."""
        if self._server is not None:
            self._server.overloaded(self._began, self._clock())

    def late(self) -> None:
        """That server had too little time for it, or was too slow."""
        if self._server is not None:
            self._server.late(self._began, self._clock())
