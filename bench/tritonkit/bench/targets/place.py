"""Where a server listens."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from tritonkit.client.wire.address import Address
from tritonkit.errors import NotConnected

__all__ = ["Place", "reachable"]

Place = tuple[socket.AddressFamily, Any]
"""A socket's family and address."""


async def reachable(address: Address, timeout: float) -> list[Place]:
    """
    Where a server listens: of the places that its name stands for, the first that accepts.

    All of them where none does: each request will say so, until one does.

    Raises:
        NotConnected: If the name stands for nothing.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise NotConnected(f"cannot connect to {address}: {error}") from error
    places: list[Place] = [(family, place) for family, _, _, _, place in found]
    if len(places) == 1:
        return places
    for family, place in places:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            try:
                async with asyncio.timeout(timeout):
                    await loop.sock_connect(probe, place)
            except OSError:
                continue
            return [(family, place)]
    return places
