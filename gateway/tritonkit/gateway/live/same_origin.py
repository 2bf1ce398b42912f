"""Refuses what a page of another site sends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from tritonkit.gateway.live.document import to_json

__all__ = ["SameOrigin", "foreign"]

_App: TypeAlias = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]],
    Awaitable[None],
]


class SameOrigin:
    """
    An ASGI app that lets only a page of this gateway, or no page at all, come to another one.

    Args:
        app: What is guarded.
    """

    def __init__(self, app: _App) -> None:
        self._app = app

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        """Answer 403, or hand on."""
        why = foreign(dict(scope["headers"]))
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
