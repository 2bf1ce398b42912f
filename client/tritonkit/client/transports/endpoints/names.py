"""What endpoints are called, and the addresses behind a host name."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias

from tritonkit.client.stack import Transport
from tritonkit.client.transports import transport_for
from tritonkit.client.wire.address import Address
from tritonkit.errors import ConfigError

__all__ = ["Names", "Resolver", "named", "resolve"]

_log = logging.getLogger(__name__)

_PATIENCE = 5.0
"""Seconds that a name server has."""

Resolver: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""IP addresses of a host and port; raises OSError where there is no answer."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """What the system's resolver says."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def named(servers: Sequence[str | Transport]) -> dict[str, Transport]:
    """
    Transports by what they are called, which is the URL of most.

    Raises:
        ConfigError: If a URL is wrong, or there twice.
    """
    found: dict[str, Transport] = {}
    for server in servers:
        if isinstance(server, Transport):
            address = getattr(server, "address", None)
            base = repr(server) if address is None else str(address)
            name, count = base, 1
            while name in found:
                count += 1
                name = f"{base} #{count}"
            found[name] = server
            continue
        transport = transport_for(server)
        name = str(Address.parse(server))
        if name in found:
            raise ConfigError(f"each server must be named once, but got {server!r} twice.")
        found[name] = transport
    return found


class Names:
    """
    The endpoints behind some servers: a host name may have several addresses.

    Args:
        servers: What they are called.
        urls: Those of them whose host names are to be looked up.
        resolver: Looks up a name.

    Raises:
        ConfigError: If a name with TLS is to be looked up.
    """

    def __init__(self, servers: Iterable[str], urls: Iterable[str], resolver: Resolver) -> None:
        self.servers = tuple(servers)
        self._resolver = resolver
        self._found: dict[str, list[str]] = {}
        parsed = {url: Address.parse(url) for url in urls}
        self._addresses = {url: address for url, address in parsed.items() if _is_name(address)}

    async def look_up(self) -> list[str]:
        """The endpoints now, each once; of a name without an answer those that it had."""
        for name, address in self._addresses.items():
            hosts = await self._ask(address)
            if hosts:
                # An order that does not depend on the answer's.
                self._found[name] = [str(replace(address, host=host)) for host in sorted(hosts)]
        every = (self._found.get(name, [name]) for name in self.servers)
        return list(dict.fromkeys(endpoint for found in every for endpoint in found))

    async def _ask(self, address: Address) -> set[str]:
        try:
            async with asyncio.timeout(_PATIENCE):
                return set(await self._resolver(address.host, address.port))
        except (OSError, TimeoutError) as error:
            _log.warning("%s was not looked up: %s", address.host, error or "no answer")
            return set()


def _is_name(address: Address) -> bool:
    """Whether the host is a name that can be looked up, rather than an IP address."""
    try:
        ipaddress.ip_address(address.host)
    except ValueError:
        if address.secure:
            raise ConfigError(
                f"dns= does not go with TLS, whose certificates are for names: '{address}'."
            ) from None
        return True
    return False
