"""The two requests of a call go to different servers."""

from __future__ import annotations

from tritonkit.client.placement import Placement

__all__ = ["Apart"]


class Apart(Placement):
    """
    A wish of both requests: not where the other one is.

    Args:
        first: That of the first request, for the second one.
    """

    __slots__ = ("_servers", "spare")

    def __init__(self, first: Apart | None = None) -> None:
        self.spare = first is not None
        # Both may be at one server, where there is no other.
        self._servers: list[str] = [] if first is None else first._servers

    def suits(self, server: str) -> bool:
        """Whether neither is there now."""
        return server not in self._servers

    def begin(self, server: str) -> None:
        """One of them goes there."""
        self._servers.append(server)

    def end(self, server: str) -> None:
        """It has left."""
        self._servers.remove(server)
