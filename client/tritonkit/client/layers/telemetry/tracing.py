"""Spans of OpenTelemetry around calls and what the layers do in them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from tritonkit.client.layers.rows import count_rows
from tritonkit.client.layers.telemetry.labels import error_kind, labels_of
from tritonkit.client.spans import Tracing
from tritonkit.client.types import InferRequest, InferResponse
from tritonkit.extras import require

__all__ = ["OpenTelemetry"]


class OpenTelemetry(Tracing):
    """
    Makes spans through opentelemetry-api, whatever the SDK below it.

    Spans carry `triton.*` attributes: names out of the configuration and numbers.
    Of an error there is its class alone, since its message may hold what a caller sent.

    Args:
        provider: A tracer provider; None for that of the process.

    Raises:
        MissingExtra: If opentelemetry-api is not installed.
    """

    def __init__(self, provider: Any = None) -> None:
        trace = require("opentelemetry.trace", extra="metrics")
        self._trace = trace
        self._context = require("opentelemetry.context", extra="metrics")
        # W3C's alone: baggage is the caller's own, and not for a server of models.
        formats = require("opentelemetry.trace.propagation.tracecontext", extra="metrics")
        self._format = formats.TraceContextTextMapPropagator()
        self._tracer = trace.get_tracer("tritonkit", tracer_provider=provider)

    def span(self, name: str, **attributes: str | int) -> Span:
        """A span within the one that is current."""
        return Span(self, name, {f"triton.{key}": value for key, value in attributes.items()})

    def call(self, request: InferRequest) -> Span:
        """The span of a whole call."""
        return Span(self, "infer", _asked(request))

    def past(self, request: InferRequest, response: InferResponse, ns: int) -> None:
        """The span of a call that is over, *ns* nanoseconds after it began."""
        ended = time.time_ns()
        span = self._tracer.start_span("infer", attributes=_asked(request), start_time=ended - ns)
        if span.is_recording():
            span.set_attributes(_got(request, response))
        span.end(ended)

    @contextmanager
    def within(self, carrier: Mapping[str, str]) -> Iterator[None]:
        """Continue the trace that headers of W3C's tell of."""
        context = self._context
        token = context.attach(self._format.extract(dict(carrier), context.get_current()))
        try:
            yield
        finally:
            context.detach(token)

    def headers(self) -> Sequence[tuple[str, str]]:
        """W3C's traceparent, and tracestate where there is one."""
        carrier: dict[str, str] = {}
        self._format.inject(carrier)
        # A state that came from elsewhere must not end a line.
        return [
            (name, value)
            for name, value in carrier.items()
            if value.isascii() and value.isprintable()
        ]


class Span:
    """
    A span that is current while it is open.

    It is entered in one context and may be left in another, when a coroutine is
    thrown away; then that other context stays as it is.
    """

    __slots__ = ("_attributes", "_before", "_context", "_name", "_owner", "_span")

    def __init__(self, owner: OpenTelemetry, name: str, attributes: dict[str, str | int]) -> None:
        self._owner, self._name, self._attributes = owner, name, attributes
        self._before: Any = None
        self._context: Any = None
        self._span: Any = None

    def __enter__(self) -> Self:
        owner = self._owner
        self._before = owner._context.get_current()
        self._span = owner._tracer.start_span(
            self._name, context=self._before, attributes=self._attributes
        )
        self._context = owner._trace.set_span_in_context(self._span, self._before)
        owner._context.attach(self._context)
        return self

    def answered(self, request: InferRequest, response: InferResponse) -> None:
        """Note where the answer came from."""
        if self._span.is_recording():
            self._span.set_attributes(_got(request, response))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        owner = self._owner
        if error is not None and self._span.is_recording():
            self._span.set_attribute("error.type", error_kind(error))
            # Who leaves, or loses a race, is no failure.
            if not isinstance(error, (asyncio.CancelledError, GeneratorExit)):
                self._span.set_status(owner._trace.StatusCode.ERROR)
        self._span.end()
        if owner._context.get_current() is self._context:
            owner._context.attach(self._before)


def _asked(request: InferRequest) -> dict[str, str | int]:
    return {"triton.model": request.model, "triton.priority": request.priority}


def _got(request: InferRequest, response: InferResponse) -> dict[str, str | int]:
    trace = response.trace
    labels = labels_of(request, trace)
    found: dict[str, str | int] = {
        "triton.version": response.version,
        "triton.cache": labels.cache,
        "triton.rows": len(trace.origins) or count_rows(request),
        "triton.attempts": trace.attempts,
    }
    optional: dict[str, str | int] = {
        "triton.tier": labels.tier,
        "triton.arm": labels.arm,
        "triton.degraded": trace.degraded,
        "triton.cost": trace.cost,
    }
    return found | {name: value for name, value in optional.items() if value}
