"""Services that talk to a server, chosen by the scheme of a URL."""

from __future__ import annotations

from collections.abc import Sequence

from tritonkit.client.stack import Transport
from tritonkit.client.transports.http import HttpTransport
from tritonkit.client.wire.address import Address

__all__ = ["transport_for"]


def transport_for(server: str | Sequence[str]) -> Transport:
    """
    The transport of a URL, or of several as one, with its defaults.

    Args:
        server: Starts with http, https, grpc or grpcs; several become `Endpoints`.

    Raises:
        ConfigError: If it is no such URL.
    """
    if not isinstance(server, str):
        from tritonkit.client.transports.endpoints.endpoints import Endpoints

        return Endpoints(*server)
    if Address.parse(server).scheme in ("http", "https"):
        return HttpTransport(server)
    # grpc takes 100 ms and 20 MB to import.
    from tritonkit.client.transports.grpc import GrpcTransport

    return GrpcTransport(server)
