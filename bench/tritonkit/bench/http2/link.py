"""A connection that callers share, and that is opened again when it broke."""

from __future__ import annotations

import asyncio
import ssl

from tritonkit.bench.http2.connection import Http2Connection
from tritonkit.bench.http2.headers import HeaderBlocks
from tritonkit.client.wire.address import Address

__all__ = ["Link", "Links"]


class Link:
    """
    Made by `Links`.

    Args:
        address: The server.
        blocks: The header fields of each request.
        tls: How to check a grpcs server.
    """

    def __init__(self, address: Address, blocks: HeaderBlocks, tls: ssl.SSLContext | None) -> None:
        self.callers = 0
        """Who share it."""
        self._address = address
        self._blocks = blocks
        self._tls = tls
        self._opening = asyncio.Lock()
        self._connection: Http2Connection | None = None

    @property
    def connection(self) -> Http2Connection | None:
        """What the next call may use; None where it must be opened."""
        connection = self._connection
        return connection if connection is not None and connection.reusable else None

    async def open(self, deadline: float) -> Http2Connection:
        """
        The connection; the first who needs it opens it, the others wait for that.

        Raises:
            RequestError: As `Http2Connection.open`.
        """
        async with self._opening:
            connection = self.connection
            if connection is None:
                connection = await Http2Connection.open(
                    self._address, self._blocks, deadline, self._tls
                )
                self._connection = connection
            return connection

    def close(self) -> None:
        """Close now; what is in flight fails."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Links:
    """
    Gives each caller its place on a connection.

    Args:
        address: The server; scheme grpc or grpcs.
        blocks: The header fields of each request.
        tls: How to check a grpcs server.
        callers: The most that share a connection.
    """

    def __init__(
        self, address: Address, blocks: HeaderBlocks, tls: ssl.SSLContext | None, callers: int
    ) -> None:
        self._address = address
        self._blocks = blocks
        self._tls = tls
        self._most = callers
        self._links: list[Link] = []

    def join(self) -> Link:
        """A connection with room, or a new one; it connects when somebody sends."""
        link = next((one for one in self._links if one.callers < self._most), None)
        if link is None:
            link = Link(self._address, self._blocks, self._tls)
            self._links.append(link)
        link.callers += 1
        return link

    def leave(self, link: Link) -> None:
        """A caller has left; the last one closes the connection."""
        link.callers -= 1
        if not link.callers:
            link.close()
            if link in self._links:
                self._links.remove(link)

    def close(self) -> None:
        """Close all of them."""
        for link in self._links:
            link.close()
        self._links.clear()
