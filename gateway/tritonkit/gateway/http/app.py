"""Who gets a request: the layers, a Triton, or the routes beside the protocol."""

from __future__ import annotations

from datetime import UTC, datetime
from time import monotonic, perf_counter_ns

from tritonkit.errors import RequestError
from tritonkit.gateway.http.asgi import AsgiApp, run_asgi
from tritonkit.gateway.http.coding import TooLarge, Unpackable, coding_of, unpack
from tritonkit.gateway.http.connection import Connection
from tritonkit.gateway.http.inference import UNSUPPORTED, Admitted, Inference, failed
from tritonkit.gateway.http.message import Answer, Head, Request, refuse, refused
from tritonkit.gateway.http.shop import Outcome
from tritonkit.gateway.passed import Passed
from tritonkit.gateway.protocol.depth import check_depth
from tritonkit.gateway.serving import Serving
from tritonkit.gateway.tenants.refused import Refused
from tritonkit.gateway.tenants.rights import Right
from tritonkit.gateway.tenants.tenants import Tenants
from tritonkit.gateway.upstream.forward import Forward, answer_of

__all__ = ["GatewayApp"]

_PROBE = 2.0
"""Seconds for a question after a server's readiness."""

_READING = 60.0
"""Seconds for anything else that a server is asked and is no inference."""

_PLAIN = (("Content-Type", "text/plain"),)
# As Triton says them.
_LIVE = Answer(headers=_PLAIN)
_NOT_FOUND = Answer(404, b'{"error":"Not Found"}', _PLAIN)
_NOT_ALLOWED = Answer(405, b'{"error":"Method Not Allowed"}', _PLAIN)

_OF_BODY = (b"content-encoding", b"content-length")

_RIGHTS: dict[str, Right] = {
    "infer": "infer",
    "generate": "infer",
    "read": "read",
    "model ready": "read",
    "admin": "admin",
}


class GatewayApp:
    """
    What stands behind the connections of a worker.

    Args:
        serving: Of this worker.
        tenants: Who may come.
        forward: To the policy's servers.
        inference: For inferences.
        max_body: Bytes of a body.
        routes: Of everything that is not Triton's protocol; they let in by themselves.
        routes_body: Bytes of a body for them.
    """

    def __init__(
        self,
        serving: Serving,
        tenants: Tenants,
        forward: Forward,
        inference: Inference,
        *,
        max_body: int,
        routes: AsgiApp,
        routes_body: int,
    ) -> None:
        self.leaving = ""
        """Why readiness says no, though the servers may be ready; empty where it does not."""
        self._serving = serving
        self._tenants = tenants
        self._forward = forward
        self._inference = inference
        self._max_body = max_body
        self._routes = routes
        self._routes_body = routes_body

    def admit(self, head: Head) -> int | Answer:
        """The most bytes that a body may have, or why the request is refused."""
        kind = head.place.kind
        if kind in ("wrong", "unknown"):
            return _NOT_FOUND
        right = _RIGHTS.get(kind)
        if right is None:
            return self._admit_routed(head)
        came = perf_counter_ns()
        try:
            tenant = self._tenants.admit(head.headers, right)
            marks = self._tenants.marks(tenant, head.headers)
        except Refused as error:
            if right == "infer":
                self._tell(head, "infer", error, came)
            return refused(error)
        head.context = Admitted(tenant, marks, monotonic())
        if tenant.max_body is not None:
            return min(self._max_body, tenant.max_body)
        return self._max_body

    def _admit_routed(self, head: Head) -> int | Answer:
        """Routes let in by themselves, but nobody unknown has a body read before that."""
        headers, came = head.headers, perf_counter_ns()
        if headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers:
            try:
                self._tenants.who(headers)
            except Refused as error:
                self._tell(head, "api", error, came)
                return refused(error)
        return self._routes_body

    def _tell(self, head: Head, route: str, error: Refused, came: int) -> None:
        """Whoever counts requests counts those that were turned away as well."""
        self._serving.passed(
            Passed(
                at=datetime.now(UTC).timestamp(),
                seconds=(perf_counter_ns() - came) / 1e9,
                route=route,
                model=head.place.model,
                version=head.place.version,
                tenant=error.tenant,
                status=error.status,
                error="Refused",
            )
        )

    def answer(self, request: Request, connection: Connection) -> Outcome:
        """The answer to a whole request, at once where it needs no waiting."""
        kind = request.head.place.kind
        if kind in ("infer", "generate"):
            return self._inference.answer(request)
        if kind == "app":
            return self._routed(request, connection)
        if kind in ("live", "ready"):
            if request.head.method not in ("GET", "HEAD"):
                return _NOT_ALLOWED
            if kind == "live":
                return _LIVE
            if self.leaving:
                return refuse(503, self.leaving)
            return self._ready()
        return self._sent_on(request)

    async def _routed(self, request: Request, connection: Connection) -> Answer | None:
        head = request.head
        if b"content-encoding" in head.headers:
            unpacked = await self._unpacked(request, self._routes_body)
            if isinstance(unpacked, Answer):
                return unpacked
            head.raw = [each for each in head.raw if each[0] not in _OF_BODY]
            head.raw.append((b"content-length", b"%d" % len(unpacked)))
            request.body = unpacked
        return await run_asgi(self._routes, request, connection)

    async def _unpacked(self, request: Request, most: int) -> bytes | Answer:
        """The body, or why it cannot be unpacked."""
        coding = coding_of(request.head.headers.get(b"content-encoding"))
        if coding is None:
            return UNSUPPORTED
        try:
            return await unpack(request.body, coding, most)
        except TooLarge as error:
            return refuse(413, str(error))
        except Unpackable as error:
            return refuse(400, str(error))

    async def _ready(self) -> Answer:
        try:
            ready = await self._serving.client.ready(timeout=_PROBE)
        except RequestError as error:
            return refuse(503, f"no server is ready: {error}")
        # As Triton says it, without a word.
        return _LIVE if ready else Answer(400, headers=_PLAIN)

    async def _sent_on(self, request: Request) -> Answer:
        body = await self._unpacked(request, self._max_body)
        if isinstance(body, Answer):
            return body
        # A model may take minutes to load, and what is done is not done twice.
        waits = request.head.place.kind == "admin"
        try:
            check_depth(body, request.head.place.model)
            reply = await self._forward(
                request,
                body,
                deadline=None if waits else monotonic() + _READING,
                replay=not waits,
            )
        except RequestError as error:
            return failed(error)
        return answer_of(reply)
