"""A request to a Triton as it came, and its answer as it came back."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tritonkit.client.stack import Transport
from tritonkit.client.wire.codec import model_path
from tritonkit.client.wire.http1 import Reply
from tritonkit.client.wire.passage import Passage
from tritonkit.errors import ConfigError
from tritonkit.gateway.http.message import Answer, Request
from tritonkit.gateway.http.paths import Place
from tritonkit.gateway.upstream.statistics import summed

__all__ = ["Forward", "answer_of", "passed_headers"]

_HOP = frozenset(
    (
        b"accept-encoding",  # answers are compressed here
        b"authorization",  # the tenant's; the policy has what the server is to get
        b"connection",
        b"content-encoding",  # and bodies unpacked
        b"content-length",
        b"cookie",
        b"expect",
        b"host",
        b"http2-settings",
        b"keep-alive",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
"""Headers between two neighbours, or of the gateway's own."""

_WHOLE_WAY = frozenset((b"content-type", b"inference-header-content-length"))
"""Headers by which a body is read: here as by the server, whatever Connection says of them."""

_KEPT = {
    "content-type": "Content-Type",
    "inference-header-content-length": "Inference-Header-Content-Length",
    "retry-after": "Retry-After",
    "allow": "Allow",
    "cache-control": "Cache-Control",
}
"""Of an answer what a client may want; the rest is of the connection."""


class Forward:
    """
    Sends requests on.

    Args:
        transport: Of the policy's server or servers.

    Raises:
        ConfigError: If it speaks no HTTP.
    """

    def __init__(self, transport: Transport) -> None:
        if not transport.forwards:
            raise ConfigError(
                f"server must be reached over http:// or https:// behind a gateway, "
                f"but got {transport!r}."
            )
        self._transport = transport

    async def __call__(
        self,
        request: Request,
        body: bytes,
        *,
        deadline: float | None = None,
        replay: bool = True,
        sequence: str = "",
    ) -> Reply:
        """
        Ask a server; after statistics all of them.

        Args:
            request: Its place has the path that is asked for.
            body: Without content coding.
            deadline: In seconds of `time.monotonic`.
            replay: Whether the server may get it twice.
            sequence: Id of the sequence that it is a step of.

        Raises:
            RequestError: If no server answers.
        """
        head = request.head
        place = head.place
        if self._transport.several and head.method == "GET" and _is_statistics(place):
            # Of one after the other they would go up and down.
            entries = await self._transport.statistics(
                place.model, place.version, deadline=deadline
            )
            text = json.dumps({"model_stats": summed(entries)}, separators=(",", ":"))
            return Reply(200, {"content-type": "application/json"}, memoryview(text.encode()))
        passage = Passage(
            # An answer to HEAD has a length and no body; ours leaves the body out.
            "GET" if head.method == "HEAD" else head.method,
            f"{place.path}?{place.query}" if place.query else place.path,
            passed_headers(head.headers),
            body,
            place.model,
            place.version,
            replay,
            sequence,
        )
        return await self._transport.forward(passage, deadline=deadline)


def _is_statistics(place: Place) -> bool:
    if not place.model:
        return place.path == "/v2/models/stats"
    return place.path == f"{model_path(place.model, place.version)}/stats"


def passed_headers(headers: Mapping[bytes, bytes]) -> bytes:
    """What goes on of a request's headers, rendered."""
    named = {
        token.strip().lower() for token in headers.get(b"connection", b"").split(b",") if token
    }
    return b"".join(
        b"%s: %s\r\n" % (name, value)
        for name, value in headers.items()
        if name not in _HOP
        and (name not in named or name in _WHOLE_WAY)
        and b"\r" not in value
        and b"\n" not in value
    )


def answer_of(reply: Reply) -> Answer:
    """A server's answer as ours."""
    headers = [(_KEPT[name], value) for name, value in reply.headers.items() if name in _KEPT]
    return Answer(reply.status, reply.body, headers)
