"""Services that talk to a server, chosen by the scheme of a URL."""

from __future__ import annotations

from tritonkit.client.stack import Transport
from tritonkit.client.transports.http import HttpTransport
from tritonkit.client.wire.address import Address

__all__ = ["transport_for"]


def transport_for(url: str) -> Transport:
    """
    The transport of a URL, with its defaults.

    Args:
        url: Starts with http, https, grpc or grpcs.

    Raises:
        ConfigError: If it is no such URL.
    """
    if Address.parse(url).scheme in ("http", "https"):
        return HttpTransport(url)
    # grpc takes 100 ms and 20 MB to import.
    from tritonkit.client.transports.grpc import GrpcTransport

    return GrpcTransport(url)
