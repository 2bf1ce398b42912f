"""Who gets a request: the layers, a Triton, or the routes beside the protocol."""

from __future__ import annotations

from collections.abc import Awaitable
from time import monotonic

from tritonkit.errors import NotConnected, RequestError, ServerUnavailable
from tritonkit.gateway.http.asgi import AsgiApp, run_asgi
from tritonkit.gateway.http.connection import Connection, Outcome
from tritonkit.gateway.http.message import Answer, Head, Request, refuse
from tritonkit.gateway.serving import Serving
from tritonkit.gateway.upstream.forward import Forward, answer_of

__all__ = ["GatewayApp"]

_PROBE = 2.0
"""Seconds for a question after a server's readiness."""

_PLAIN = (("Content-Type", "text/plain"),)
# As Triton says them.
_LIVE = Answer(headers=_PLAIN)
_NOT_FOUND = Answer(404, b'{"error":"Not Found"}', _PLAIN)
_NOT_ALLOWED = Answer(405, b'{"error":"Method Not Allowed"}', _PLAIN)


class GatewayApp:
    """
    Args:
        serving: Of this worker.
        forward: To the policy's servers.
        max_body: Bytes of a body.
        routes: Of everything that is not Triton's protocol.
    """

    def __init__(
        self, serving: Serving, forward: Forward, *, max_body: int, routes: AsgiApp
    ) -> None:
        self.leaving = ""
        """Why readiness says no, though the servers may be ready; empty where it does not."""
        self._serving = serving
        self._forward = forward
        self._max_body = max_body
        self._routes = routes

    def admit(self, head: Head) -> int | Answer:
        """The most bytes that a body may have, or why the request is refused."""
        place = head.place
        if head.method == "CONNECT":
            return refuse(405, "the gateway is no tunnel", close=True)
        if place.kind in ("wrong", "unknown"):
            return _NOT_FOUND
        if place.kind == "admin":
            return refuse(403, f"{place.path} needs the right 'admin'")
        return self._max_body

    def answer(self, request: Request, connection: Connection) -> Outcome:
        """The answer to a whole request, at once where it needs no waiting."""
        kind = request.head.place.kind
        if kind in ("live", "ready") and request.head.method not in ("GET", "HEAD"):
            return _NOT_ALLOWED
        if kind == "live":
            return _LIVE
        if kind == "ready":
            return self._ready()
        if kind == "app":
            return run_asgi(self._routes, request, connection)
        return self._forwarded(request)

    def _ready(self) -> Outcome:
        if self.leaving:
            return refuse(503, self.leaving)
        return self._asked()

    async def _asked(self) -> Answer:
        try:
            ready = await self._serving.client.ready(timeout=_PROBE)
        except RequestError as error:
            return refuse(503, f"no server is ready: {error}")
        # As Triton says it, without a word.
        return _LIVE if ready else Answer(400, headers=_PLAIN)

    def _forwarded(self, request: Request) -> Awaitable[Answer]:
        return self._sent_on(request)

    async def _sent_on(self, request: Request) -> Answer:
        deadline = None if request.head.method == "POST" else monotonic() + 60
        try:
            return answer_of(await self._forward(request, request.body, deadline=deadline))
        except NotConnected as error:
            return refuse(503, str(error), headers=(("Retry-After", "1"),))
        except ServerUnavailable as error:
            return refuse(502, str(error))
        except RequestError as error:
            return refuse(504, str(error))
