"""An inference: by the policy's layers where they can carry it, by a Triton otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from time import perf_counter_ns

from tritonkit.client.layers.budget.budget import Budget
from tritonkit.client.layers.telemetry.labels import error_kind
from tritonkit.client.spent import Spent
from tritonkit.client.trace import UNSEEN, Trace
from tritonkit.client.types import InferRequest, InferResponse
from tritonkit.errors import RequestError
from tritonkit.gateway.api.traced import HEADER, as_header, origins_of, tier_of
from tritonkit.gateway.http.aside import aside, long_to_read, long_to_write
from tritonkit.gateway.http.coding import TooLarge, Unpackable, accepted, coding_of, pack, unpack
from tritonkit.gateway.http.message import Answer, Request, refuse, refused
from tritonkit.gateway.http.passing import passing
from tritonkit.gateway.http.shop import Outcome
from tritonkit.gateway.passed import Passed
from tritonkit.gateway.protocol.asked import Asked, Opaque
from tritonkit.gateway.protocol.bfloat16 import Bfloat16
from tritonkit.gateway.protocol.decode import decode
from tritonkit.gateway.protocol.depth import check_depth
from tritonkit.gateway.protocol.encode import encode
from tritonkit.gateway.protocol.errors import encode_error
from tritonkit.gateway.serving import Serving
from tritonkit.gateway.tenants.marks import Marks
from tritonkit.gateway.tenants.refused import Refused
from tritonkit.gateway.tenants.settings import Tenant
from tritonkit.gateway.tenants.stamped import deadline_of
from tritonkit.gateway.tenants.tenants import Tenants
from tritonkit.gateway.upstream.forward import Forward, answer_of
from tritonkit.gateway.upstream.guard import Seen, look

__all__ = ["UNSUPPORTED", "Admitted", "Inference", "budgeted", "failed"]

_BINARY = ("Content-Type", "application/octet-stream")
_JSON = ("Content-Type", "application/json")
UNSUPPORTED = Answer(
    501,
    b'{"error":"Unsupported compression type"}',
    (("Content-Type", "text/plain"), ("Accept-Encoding", "gzip, deflate")),
)


class Admitted:
    """
    Whose a request is, and what its headers say of it: the context of its head.

    Args:
        tenant: Who asks.
        marks: Of the headers.
        began: Seconds of `time.monotonic` when it was let in.
    """

    __slots__ = ("began", "marks", "tenant")

    def __init__(self, tenant: Tenant, marks: Marks, began: float) -> None:
        self.tenant, self.marks, self.began = tenant, marks, began


class Inference:
    """
    Answers inferences.

    Args:
        serving: Of this worker.
        tenants: For their limits of rows and of requests in flight.
        forward: To the policy's servers.
        max_body: Bytes that a packed body may become.
        timeout: The longest that one may take; None for no limit.
        accounted: Whether what no layer can read is refused, since a budget would not see it.
    """

    def __init__(
        self,
        serving: Serving,
        tenants: Tenants,
        forward: Forward,
        *,
        max_body: int,
        timeout: float | None,
        accounted: bool,
    ) -> None:
        self._serving = serving
        self._stack = serving.client.stack
        self._telemetry = serving.telemetry
        self._tenants = tenants
        self._forward = forward
        self._bfloat16 = Bfloat16(serving.client.metadata)
        self._max_body = max_body
        self._timeout = timeout
        self._accounted = accounted

    def answer(self, request: Request) -> Outcome:
        """The answer, at once where a layer has it in memory."""
        headers = request.head.headers
        if b"content-encoding" in headers or b"accept-encoding" in headers:
            coding = coding_of(headers.get(b"content-encoding"))
            if coding is None:
                return UNSUPPORTED
            if coding != "identity" or accepted(headers.get(b"accept-encoding")) != "identity":
                return self._packed(request)
        return self._answer(request, request.body)

    async def _packed(self, request: Request) -> Answer:
        """The same for a request whose body is packed, or whose answer is to be."""
        headers = request.head.headers
        coding = coding_of(headers.get(b"content-encoding"))
        admitted: Admitted = request.head.context
        most = self._max_body
        if admitted.tenant.max_body is not None:
            most = min(most, admitted.tenant.max_body)
        try:
            body = await unpack(request.body, coding or "identity", most)
        except TooLarge as error:
            return refuse(413, str(error))
        except Unpackable as error:
            return refuse(400, str(error))
        outcome = self._answer(request, body)
        answer = outcome if isinstance(outcome, Answer) else await outcome
        assert answer is not None
        wanted = accepted(headers.get(b"accept-encoding"))
        if wanted == "identity" or answer.status != 200:
            return answer
        packed = await pack(bytes(answer.body), wanted)
        return Answer(answer.status, packed, (*answer.headers, ("Content-Encoding", wanted)))

    def _answer(self, request: Request, body: bytes) -> Outcome:
        head = request.head
        if head.method != "POST":
            return self._forwarded(request, body)
        try:
            if long_to_read(head.headers, body):
                return self._long(request, body)
            return self._read(request, body, *self._understood(request, body))
        except RequestError as error:
            # What no server must be sent.
            return self._failed(request, 0, error, UNSEEN)

    async def _long(self, request: Request, body: bytes) -> Answer:
        """The same for what takes long to understand."""
        try:
            understood = await aside(self._understood, request, body)
        except RequestError as error:
            return self._failed(request, 0, error, UNSEEN)
        outcome = self._read(request, body, *understood)
        answer = outcome if isinstance(outcome, Answer) else await outcome
        assert answer is not None
        return answer

    def _understood(self, request: Request, body: bytes) -> tuple[Asked | Opaque, Seen]:
        """
        What is asked, and what is seen of it where only a Triton can read it.

        Raises:
            RequestError: If no server must be sent it.
        """
        head = request.head
        place = head.place
        admitted: Admitted = head.context
        tenant, marks = admitted.tenant, admitted.marks
        asked: Asked | Opaque
        if place.kind == "generate":
            check_depth(body, place.model)
            asked = Opaque("what it generates is not kept")
        else:
            asked = decode(
                head.raw,
                place.path.encode(),
                body,
                scope=tenant.scope,
                tags={**marks.tags, **tenant.tags} if marks.tags else tenant.tags,
                deadline=self._deadline(admitted),
            )
        if isinstance(asked, Asked):
            return asked, Seen()
        return asked, look(body, head.headers.get(b"inference-header-content-length"))

    def _read(self, request: Request, body: bytes, asked: Asked | Opaque, seen: Seen) -> Outcome:
        if isinstance(asked, Opaque):
            return self._unread(request, body, asked, seen)
        admitted: Admitted = request.head.context
        tenant, marks = admitted.tenant, admitted.marks
        if marks.priority is not None:
            asked = Asked(asked.request.but(priority=marks.priority), asked.form)
        try:
            if tenant.rows is not None:
                self._tenants.count_rows(tenant, rows_of(asked.request))
            response = self._now(request, asked.request)
            if response is not None:
                bfloat16 = self._bfloat16.now(response)
                if bfloat16 is not None and not long_to_write(response, asked):
                    written = encode(response, asked, bfloat16)
                    return self._said(request, asked, response, written)
        except Refused as error:
            return self._turned_away(request, error)
        except RequestError as error:
            return self._failed(request, rows_of(asked.request), error, UNSEEN)
        return self._asked(request, asked, response)

    def _now(self, request: Request, asked: InferRequest) -> InferResponse | None:
        """What a layer has in memory."""
        if not self._telemetry.traces:
            return self._stack.now(asked)
        with passing(request.head.headers, self._telemetry):
            return self._stack.now(asked)

    async def _asked(
        self, request: Request, asked: Asked, response: InferResponse | None
    ) -> Answer:
        """Of the stack, which has to wait for something."""
        tenant: Tenant = request.head.context.tenant
        spent = Spent()
        try:
            if response is None:
                infer = asked.request.but(spent=spent)
                with self._tenants.flight(tenant), passing(request.head.headers, self._telemetry):
                    response = spent.added_to(await self._stack(infer))
            bfloat16 = await self._bfloat16(response)
            if long_to_write(response, asked):
                written = await aside(encode, response, asked, bfloat16)
            else:
                written = encode(response, asked, bfloat16)
            return self._said(request, asked, response, written)
        except Refused as error:
            return self._turned_away(request, error)
        except RequestError as error:
            trace = Trace(attempts=spent.attempts, cost=spent.cost, arms=spent.arms)
            return self._failed(request, rows_of(asked.request), error, trace)

    def _said(
        self,
        request: Request,
        asked: Asked,
        response: InferResponse,
        written: tuple[bytes, int | None],
    ) -> Answer:
        body, length = written
        headers = [_JSON]
        if length is not None:
            headers = [_BINARY, ("Inference-Header-Content-Length", str(length))]
        rows = rows_of(asked.request)
        if request.head.context.tenant.trace:
            headers.append((HEADER, as_header(response.trace, rows)))
        self._tell(request, rows, 200, "", response.trace, origins_of(response.trace, rows))
        return Answer(200, body, headers)

    def _failed(self, request: Request, rows: int, error: RequestError, trace: Trace) -> Answer:
        answer = failed(error)
        self._tell(request, rows, answer.status, error_kind(error), trace, {})
        return answer

    def _turned_away(self, request: Request, error: Refused) -> Answer:
        self._tell(request, 0, error.status, "Refused", UNSEEN, {})
        return refused(error)

    def _unread(self, request: Request, body: bytes, opaque: Opaque, seen: Seen) -> Outcome:
        """What no layer can read."""
        if seen.harm:
            answer = refuse(400, seen.harm)
        elif not self._accounted or opaque.wrong:
            tenant: Tenant = request.head.context.tenant
            try:
                if seen.shared:
                    # Whose memory it is Triton does not know: any region may be named.
                    self._tenants.check_right(tenant, "admin", "for shared memory")
                if not opaque.wrong:
                    self._tenants.count_rows(tenant, seen.rows)
            except Refused as error:
                return self._turned_away(request, error)
            # What is wrong computes nothing, and Triton has its own words for it.
            return self._forwarded(request, body, opaque.sequence)
        else:
            answer = refuse(
                403,
                f"the budget cannot account for this request, so it is not sent on: "
                f"{opaque.reason}; [gateway] unaccounted = true lets it pass",
            )
        self._tell(request, 0, answer.status, "Refused", UNSEEN, {})
        return answer

    async def _forwarded(self, request: Request, body: bytes, sequence: str = "") -> Answer:
        admitted: Admitted = request.head.context
        error = ""
        try:
            with self._tenants.flight(admitted.tenant):
                # Nobody knows what it is, so no server gets it twice.
                reply = await self._forward(
                    request,
                    body,
                    deadline=self._deadline(admitted),
                    replay=False,
                    sequence=sequence,
                )
            answer = answer_of(reply)
            if reply.status != 200:
                error = "other"
        except Refused as refusal:
            return self._turned_away(request, refusal)
        except RequestError as failure:
            answer = failed(failure)
            error = error_kind(failure)
        self._tell(request, 0, answer.status, error, UNSEEN, {}, route="forwarded")
        return answer

    def _deadline(self, admitted: Admitted) -> float | None:
        deadline = deadline_of(admitted.tenant, admitted.marks, admitted.began)
        if self._timeout is None:
            return deadline
        longest = admitted.began + self._timeout
        return longest if deadline is None else min(deadline, longest)

    def _tell(
        self,
        request: Request,
        rows: int,
        status: int,
        error: str,
        trace: Trace,
        origins: Mapping[str, int],
        *,
        route: str = "infer",
    ) -> None:
        if not self._serving.observers:
            return
        place = request.head.place
        self._serving.passed(
            Passed(
                at=datetime.now(UTC).timestamp(),
                seconds=(perf_counter_ns() - request.came) / 1e9,
                route=route,
                model=place.model,
                version=place.version,
                tenant=request.head.context.tenant.name,
                id=request.head.headers.get(b"x-request-id", b"").decode("latin-1"),
                rows=rows,
                status=status,
                error=error,
                origins=origins,
                tier=tier_of(trace),
                arms=trace.arms,
                attempts=trace.attempts,
                cost=trace.cost,
                degraded=trace.degraded,
            )
        )


def failed(error: RequestError) -> Answer:
    """The answer to a request that got none: the server's own where it said something."""
    status, body, headers = encode_error(error)
    return Answer(status, body, [(n.decode().title(), v.decode()) for n, v in headers])


def rows_of(request: InferRequest) -> int:
    """Rows of the first input: what a batching model has in its first dimension."""
    for array in request.inputs.values():
        return int(array.shape[0]) if array.ndim else 1
    return 0


def budgeted(parts: Iterable[object]) -> bool:
    """Whether a Budget stands among layers, or on a way inside of them."""
    for part in parts:
        if isinstance(part, Budget):
            return True
        inside = getattr(part, "inside", None)
        if inside is not None and any(budgeted(route.layers) for *_, route in inside()):
            return True
    return False
