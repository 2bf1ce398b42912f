"""The way in to the routes for applications, and the way out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from time import monotonic, perf_counter_ns
from typing import TYPE_CHECKING, Any, TypeAlias

from tritonkit.client.layers.telemetry.labels import error_kind
from tritonkit.errors import ConfigError, RequestError
from tritonkit.extras import require
from tritonkit.gateway.api.call import Call
from tritonkit.gateway.api.fields import parse, wrong
from tritonkit.gateway.api.metrics.traffic import Traffic
from tritonkit.gateway.api.traced import HEADER, as_header, origins_of, tier_of
from tritonkit.gateway.api.writing import to_json
from tritonkit.gateway.http.aside import aside
from tritonkit.gateway.http.coding import TooLarge, Unpackable, coding_of, unpack
from tritonkit.gateway.http.connection import Connection
from tritonkit.gateway.passed import Passed
from tritonkit.gateway.protocol.errors import retry_after, status_of
from tritonkit.gateway.serving import Serving
from tritonkit.gateway.tenants.refused import Refused
from tritonkit.gateway.tenants.rights import Right
from tritonkit.gateway.tenants.tenants import Tenants

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

__all__ = ["Entrance", "Reply", "Work"]

_LOOK = 0.05
"""Seconds from one look whether a caller is still there to the next, while the gateway ends."""

GONE = 499
"""Status of a request whose caller did not wait for its answer: nobody reads it but a log."""


@dataclass(frozen=True, slots=True)
class Reply:
    """
    Args:
        content: A value of JSON, or bytes as they are.
        status: Of the answer.
        headers: In addition.
        long: Whether it takes long to write, so that it is done in a thread.
    """

    content: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    long: bool = False


Work: TypeAlias = Callable[[Call], Awaitable[Reply]]
"""What a route does for a caller that was let in."""


class Entrance:
    """
    Lets in whoever may, reads what they send, and ends the work for who leaves.

    Args:
        serving: Of the worker.
        tenants: Who may.
        traffic: Counts what no observer is told of.
        max_body: Bytes of a body.
    """

    def __init__(self, serving: Serving, tenants: Tenants, traffic: Traffic, max_body: int) -> None:
        self._serving = serving
        self._tenants = tenants
        self._traffic = traffic
        self._max_body = max_body

    def route(
        self,
        path: str,
        methods: Sequence[str],
        right: Right | None,
        name: str,
        work: Work,
        *,
        observed: bool = False,
    ) -> Route:
        """
        A route for Starlette.

        Args:
            path: As Starlette has them.
            methods: HTTP's.
            right: That a caller needs; None for what everybody may know.
            name: In metrics, and in what observers are told.
            work: What it does.
            observed: Whether a model is asked, which observers are told of.
        """

        async def endpoint(request: Request) -> Response:
            return await self._answer(request, right, name, work, observed)

        route: Route = require("starlette.routing", extra="gateway").Route(
            path, endpoint, methods=list(methods), name=name
        )
        return route

    async def _answer(
        self, request: Request, right: Right | None, name: str, work: Work, observed: bool
    ) -> Response:
        began = perf_counter_ns()
        call = Call(self._serving.client, self._tenants, monotonic())
        failure = ""
        try:
            reply = await self._let_in(request, right, work, call)
            if reply.long:
                headers = {"content-type": "application/json", **reply.headers}
                body = await aside(to_json, reply.content)
                reply = replace(reply, content=body, headers=headers)
        except Refused as refused:
            failure = "Refused"
            call.name = call.name or refused.tenant
            headers = {key.decode(): value.decode() for key, value in refused.headers()}
            reply = Reply({"error": str(refused)}, refused.status, headers)
        except RequestError as error:
            failure = error_kind(error)
            after = retry_after(error)
            headers = {} if after is None else {"retry-after": str(after)}
            reply = Reply({"error": str(error)}, status_of(error), headers)
        except ConfigError as error:
            failure = error_kind(error)
            reply = Reply({"error": str(error)}, 400)
        except _Left:
            failure = "Cancelled"
            reply = Reply(b"", GONE)
        seconds = (perf_counter_ns() - began) / 1e9
        if observed:
            self._serving.passed(_passed(call, name, reply.status, failure, seconds))
        else:
            self._traffic.count(name, reply.status, call.name, seconds)
        return _response(reply, call)

    async def _let_in(self, request: Request, right: Right | None, work: Work, call: Call) -> Reply:
        if right is None:
            return await work(call)
        headers: dict[bytes, bytes] = {}
        for name, value in request.scope["headers"]:
            # Repeated, they are one list, as RFC 9110 has it.
            headers[name] = b"%s, %s" % (headers[name], value) if name in headers else value
        call.tenant = self._tenants.admit(headers, right)
        call.name = call.tenant.name
        call.marks = self._tenants.marks(call.tenant, headers)
        call.path, call.query = request.path_params, request.query_params
        call.accept = request.headers.get("accept", "")
        with self._tenants.flight(call.tenant):
            if request.method == "POST":
                call.document = await self._document(request, call)
            return await _unless_left(request, call, work(call))

    async def _document(self, request: Request, call: Call) -> Any:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        # What a page of another site may send without asking is none of these.
        if kind != "application/json":
            raise wrong(
                f"the body must be JSON, with 'Content-Type: application/json', but got {kind!r}",
                status=415,
            )
        named = request.headers.get("content-encoding", "identity")
        coding = coding_of(named.encode("latin-1"))
        if coding is None:
            raise wrong(
                f"the body may come in gzip or deflate, but not in {named[:40]!r}", status=415
            )
        most = self._max_body
        size, pieces = 0, []
        async for piece in request.stream():
            size += len(piece)
            self._tenants.check_body(call.tenant, size)
            if size > most:
                raise wrong(f"the body must have {most} bytes at most", status=413)
            pieces.append(piece)
        if call.tenant.max_body is not None:
            most = min(most, call.tenant.max_body)
        try:
            body = await unpack(b"".join(pieces), coding, most)
            call.size = len(body)
            return parse(body)
        except TooLarge as error:
            raise wrong(str(error), status=413) from None
        except Unpackable as error:
            raise wrong(str(error)) from None


class _Left(Exception):
    """The caller is gone."""


async def _unless_left(request: Request, call: Call, work: Awaitable[Reply]) -> Reply:
    """What *work* says; it is cancelled where the caller leaves first."""
    task = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request, call))
    try:
        await asyncio.wait((task, leaving), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise _Left
    finally:
        # Whoever cancels this cancels both.
        for each in (task, leaving):
            each.cancel()
        await asyncio.gather(task, leaving, return_exceptions=True)


async def _left(request: Request, call: Call) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    connection: Connection | None = request.scope.get("state", {}).get("connection")
    if connection is not None and not connection.gone:
        # The gateway drains, which ends streams; what is in flight has its answer first.
        call.leaving.set()
        while not connection.gone:  # noqa: ASYNC110, a connection tells nobody else
            await asyncio.sleep(_LOOK)


def _passed(call: Call, name: str, status: int, failure: str, seconds: float) -> Passed:
    trace = call.trace
    answered = not failure
    return Passed(
        at=datetime.now(UTC).timestamp(),
        seconds=seconds,
        route=name,
        model=call.model,
        tenant=call.name,
        rows=call.rows,
        status=status,
        error=failure,
        # Who submits a job asks no model yet.
        origins=origins_of(trace, call.rows) if answered and call.asked else {},
        tier=tier_of(trace),
        arms=trace.arms,
        attempts=trace.attempts,
        cost=trace.cost,
        degraded=trace.degraded,
    )


def _response(reply: Reply, call: Call) -> Response:
    body = reply.content
    headers = {"cache-control": "no-store", "x-content-type-options": "nosniff", **reply.headers}
    if not isinstance(body, bytes):
        body = to_json(body)
        headers.setdefault("content-type", "application/json")
    if call.asked and reply.status < 300 and call.tenant.trace:
        headers[HEADER.lower()] = as_header(call.trace, call.rows)
    made: Response = require("starlette.responses", extra="gateway").Response(
        body, status_code=reply.status, headers=headers
    )
    return made
