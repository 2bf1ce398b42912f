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

    __slots__ = ("_at", "_began", "_clock", "_closed", "_in_flight", "_limits", "_server")

    def __init__(self, limits: ServerLimits, clock: Callable[[], float]) -> None:
        self._limits, self._clock = limits, clock
        # None before it is sent: what a layer below answers says nothing of a server.
        self._server: ServerLimit | None = None
        self._at: str | None = None
        self._closed = False
        self._began, self._in_flight = 0.0, 0

    def suits(self, server: str) -> bool:
        """Whether there is room."""
        return self._limits.room(server)

    def begin(self, server: str) -> None:
        """
        The request goes there.

        What a layer below sends besides, or leaves behind, has no place of its own, and
        takes none.
        """
        if self._closed or self._at is not None:
            return
        self._at, self._server = server, self._limits.of(server)
        self._server.in_flight += 1
        self._in_flight = self._server.in_flight
        self._began = self._clock()

    def end(self, server: str) -> None:
        """It is there no longer."""
        if self._at == server and self._server is not None:
            self._at = None
            self._server.in_flight -= 1

    def close(self) -> None:
        """It is over."""
        if self._at is not None:
            self.end(self._at)
        self._closed = True

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
