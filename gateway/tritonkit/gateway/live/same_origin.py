"""Refuses what a page of another site sends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from ipaddress import IPv6Address, ip_address
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from tritonkit.gateway.live.document import to_json

__all__ = ["SameOrigin", "foreign", "misled"]

_App: TypeAlias = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]],
    Awaitable[None],
]


class SameOrigin:
    """
    An ASGI app that lets only a page of this gateway, or no page at all, come to another one.

    Args:
        app: What is guarded.
        anybody: Whether no token is asked for. Then a page that comes from this machine must
            have been opened by a name of this machine: a name of another site can be made to
            lead here, and its page is then of one origin with the gateway.
    """

    def __init__(self, app: _App, *, anybody: bool) -> None:
        self._app, self._anybody = app, anybody

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        """Answer 403, or hand on."""
        came = dict(scope["headers"])
        why = foreign(came)
        if not why and self._anybody and _here((scope.get("client") or ("",))[0]):
            why = misled(came)
        if not why:
            await self._app(scope, receive, send)
            return
        body = to_json({"error": why})
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": 403, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def foreign(headers: Mapping[bytes, bytes]) -> str:
    """
    Why a request is of another site; empty where it is not.

    Browsers say so in Sec-Fetch-Site, older ones in Origin; what is no browser says neither,
    and cannot be led astray by a page.

    Args:
        headers: By name in lower case.
    """
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        if site in (b"same-origin", b"none"):
            return ""
        return f"a page of another site may not change anything here ({site.decode('latin-1')})"
    origin = headers.get(b"origin")
    if origin is None:
        return ""
    # Behind a proxy that ends TLS the scheme is another one, the host is not.
    host = urlsplit(origin.decode("latin-1")).netloc.lower()
    if host and host == headers.get(b"host", b"").decode("latin-1").lower():
        return ""
    return f"a page of another site may not change anything here ({origin.decode('latin-1')})"


def misled(headers: Mapping[bytes, bytes]) -> str:
    """
    Why a page of this machine may have been led here; empty where it was not, or is no page.

    Args:
        headers: By name in lower case.
    """
    if b"origin" not in headers and b"sec-fetch-site" not in headers:
        return ""
    host = headers.get(b"host", b"").decode("latin-1")
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        name = ""
    if _here(name):
        return ""
    return (
        f"where no tenants are, a page of this machine may change something only under a name "
        f"of it, such as localhost, but not under {host[:100]!r}; open it by that, or name tenants"
    )


def _here(host: str) -> bool:
    """Whether a name or an address is this machine's alone."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    # As a socket for both families has IPv4's.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback
