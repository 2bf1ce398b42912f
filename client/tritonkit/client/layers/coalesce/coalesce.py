"""Many small calls as one request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Hashable, Iterable, Sequence
from datetime import timedelta

from tritonkit.client.layers.coalesce.gathering import Gathering
from tritonkit.client.layers.coalesce.group import Call, Group, Parts
from tritonkit.client.layers.coalesce.joining import joinable_rows, kind
from tritonkit.client.layers.coalesce.lengths import parts_by_length, text_length
from tritonkit.client.readings import Counts, Reading
from tritonkit.client.signature import Signature
from tritonkit.client.signatures import Signatures
from tritonkit.client.stack import Immediate, Layer, Transport
from tritonkit.client.types import InferRequest, InferResponse, Service
from tritonkit.errors import ConfigError, DeadlineExceeded, RequestError
from tritonkit.units import format_duration, parse_duration

__all__ = ["Coalesce"]

IN_FLIGHT = 2
"""Of a model that does not say how many instances it has: one is sent while one is answered."""

_log = logging.getLogger(__name__)


class Coalesce(Layer):
    """
    Joins concurrent calls to one model into one request, and splits its answer by row.

    Calls inner once for many callers: with the rows of all calls that differ in
    nothing but rows, id and deadline. A call that meets no other goes on as it
    came, without waiting; so does one that fills a request by itself, belongs to
    a sequence, or asks a model that does not batch. Where a joined request fails
    with InvalidInput or InferenceFailed it is sent again by halves until only the
    guilty fail; every other error is everybody's. Raises DeadlineExceeded when a
    caller's own deadline passes, and otherwise what inner raises.

    Put it below Cache, so that only missing rows are joined, and above Retry and
    Breaker, so that these see one request. A row's answer is what Triton's own
    dynamic batcher would give it: where it depends on the rest of the batch, as with
    dynamic int8, it does so here. Arrays of an answer are views of the joined answer,
    which lives as long as one of them.

    Args:
        max_rows: Of a joined request; the model's max_batch_size by default, and
            never more.
        window: How long a call waits for others while the model is at work on
            some and has an instance to spare. 2 ms is less than most answers take.
        max_in_flight: Joined requests of a kind that may be on their way; further calls
            wait until one comes back, they fill a request, or a deadline is near.
            By default as many as the model has instances: more would wait in the
            server's queue, where they can no longer grow. 2 where the model's
            configuration does not say, as an ensemble's.
        by_length: For models that pad texts to the longest of a request: what is due
            together is sorted by the length of its longest text and sent in parts of so
            many rows, one after the other. Pays where time grows with rows and
            padding, as on a CPU (16 is a good value), and not where a larger request
            takes hardly longer than a small one; None for not at all.

    Raises:
        ConfigError: If an argument is out of range.
    """

    shares_answers = True

    def __init__(
        self,
        *,
        max_rows: int | None = None,
        window: str | float | timedelta = "2ms",
        max_in_flight: int | None = None,
        by_length: int | None = None,
        apart: Collection[str] | None = None,
    ) -> None:
        limits = {"max_rows": max_rows, "max_in_flight": max_in_flight, "by_length": by_length}
        for name, limit in limits.items():
            if limit is not None and limit < 1:
                raise ConfigError(f"{name} must be at least 1, but got {name}={limit}.")
        if isinstance(apart, str):
            raise ConfigError(f"apart must be a collection of names, but got {apart!r}.")
        self.apart = None if apart is None else frozenset(apart)
        self.max_rows = max_rows
        self.window = parse_duration(window, name="window")
        self.max_in_flight = max_in_flight
        self.by_length = by_length
        self.counts = Counts("joined_calls", "joined_requests")
        """Calls that travelled with others, and the requests that they became."""
        self._transport: Transport | None = None
        self._signatures: Signatures | None = None
        self._doubted: set[tuple[str, str]] = set()
        self._apart: set[tuple[str, str]] = set()
        # What the parent of a fork, or a closed loop, began has no answer here.
        self._groups: dict[asyncio.AbstractEventLoop, dict[Hashable, Group]] = {}

    def __repr__(self) -> str:
        options = {
            "max_rows": self.max_rows,
            "window": format_duration(self.window),
            "max_in_flight": self.max_in_flight,
            "by_length": self.by_length,
            "apart": None if self.apart is None else sorted(self.apart),
        }
        shown = ", ".join(
            f"{name}={value!r}" for name, value in options.items() if value is not None
        )
        return f"Coalesce({shown})"

    def attach(self, transport: Transport) -> None:
        """
        Learn whom to ask how many rows a model takes.

        Raises:
            ConfigError: If the layer stands over another transport already.
        """
        if self._transport not in (None, transport):
            raise ConfigError("a Coalesce belongs to one stack; make another one")
        self._transport, self._signatures = transport, Signatures(transport)

    def observe(self) -> Iterable[Reading]:
        """What was joined, and into how many requests."""
        return self.counts.observe()

    def now(self, request: InferRequest, inner: Immediate, /) -> InferResponse | None:
        """What a layer below has without waiting needs no company."""
        return inner(request)

    async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
        """Answer *request* by a request of many, or by its own."""
        remaining = request.remaining()
        model = (request.model, request.version)
        signature = None
        if (remaining is None or remaining > 0) and not (request.only_kept or model in self._apart):
            signature = await self._signature(request)
        if signature is None:
            return await inner(request)
        rows, max_rows = joinable_rows(request, signature), self._max_rows(signature)
        if not 0 < rows < max_rows:
            return await inner(request)
        call = Call(request, rows)
        in_flight = self.max_in_flight or signature.instances or IN_FLIGHT
        group = self._group(request, inner, max_rows, in_flight)
        group.add(call)
        try:
            outcome = await call.outcome()
            if outcome is None:
                return await inner(request)
        finally:
            group.leave(call)
        if isinstance(outcome, BaseException):
            try:
                raise outcome
            finally:
                # A traceback that holds its own exception is a cycle.
                del outcome
        return outcome

    def _max_rows(self, signature: Signature) -> int:
        most = signature.max_batch_size
        return most if self.max_rows is None else min(most, self.max_rows)

    async def _signature(self, request: InferRequest) -> Signature | None:
        if self._signatures is None:
            return None
        model = (request.model, request.version)
        known = self._signatures.known(*model)
        if known is not None and model not in self._doubted:
            return known
        self._doubted.discard(model)
        try:
            return await self._signatures.read(*model, request.deadline)
        except DeadlineExceeded:
            raise
        except RequestError:
            # The request will tell what is wrong better than a question about it.
            return None

    def _group(self, request: InferRequest, inner: Service, max_rows: int, in_flight: int) -> Group:
        loop = asyncio.get_running_loop()
        groups = self._groups.get(loop)
        if groups is None:
            for other in [other for other in self._groups if other.is_closed()]:
                del self._groups[other]
            groups = self._groups[loop] = {}
        # Requests that another service answers are others.
        key = (id(inner), max_rows, in_flight, kind(request, self.apart))
        group = groups.get(key)
        if group is None:

            def empty(group: Group) -> None:
                if groups.get(key) is group:
                    del groups[key]

            group = groups[key] = Group(
                Gathering(max_rows=max_rows, window=self.window, max_in_flight=in_flight),
                inner,
                parts=self._parts,
                empty=empty,
                refused=self._refuse,
                doubted=self._doubt,
            )
        return group

    def _parts(self, calls: Sequence[Call]) -> Parts:
        if len(calls) == 1:
            return [calls]
        parts: Parts = [calls] if self.by_length is None else self._by_length(calls)
        model = calls[0].request.model
        self.counts.add("joined_calls", model, len(calls))
        self.counts.add("joined_requests", model, len(parts))
        return parts

    def _by_length(self, calls: Sequence[Call]) -> Parts:
        lengths = [text_length(call.request) for call in calls]
        rows = [call.rows for call in calls]
        assert self.by_length is not None
        parts = parts_by_length(lengths, rows, self.by_length)
        return [[calls[position] for position in part] for part in parts]

    def _refuse(self, request: InferRequest, reason: str) -> None:
        """The model's answers cannot be split."""
        self._apart.add((request.model, request.version))
        _log.debug("requests to model %r are joined no more: %s", request.model, reason)

    def _doubt(self, request: InferRequest) -> None:
        """The model may be another one by now, which takes fewer rows."""
        self._doubted.add((request.model, request.version))
