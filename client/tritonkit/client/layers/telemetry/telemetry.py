"""Counts, measures and traces every call."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from time import perf_counter_ns
from typing import TYPE_CHECKING
from weakref import WeakSet

from tritonkit.client.contexts import restore
from tritonkit.client.layers.telemetry.book import Book
from tritonkit.client.layers.telemetry.names import OTHER
from tritonkit.client.layers.telemetry.snapshot import Answered, Failed, Latency, Snapshot
from tritonkit.client.layers.telemetry.tokens import Tokens
from tritonkit.client.readings import Reading, models_of, readings
from tritonkit.client.spans import tracing as current_tracing
from tritonkit.client.spent import Spent
from tritonkit.client.stack import Immediate, Layer
from tritonkit.client.types import InferRequest, InferResponse, Service
from tritonkit.errors import ConfigError, RequestError

if TYPE_CHECKING:
    from tritonkit.client.experiments.log import EventLog
    from tritonkit.client.layers.telemetry.labels import Labels
    from tritonkit.client.layers.telemetry.prometheus import MetricsCollector, MetricsServer
    from tritonkit.client.layers.telemetry.tracing import OpenTelemetry
    from tritonkit.client.statistics.latency import LatencySketch

__all__ = ["Telemetry"]

_MOST_READINGS = 1_000
"""Label sets of one name that layers may tell of; more are added up as "other"."""


class Telemetry(Layer):
    """
    Counts and measures every call, for Prometheus, for `snapshot` and for spans.

    Calls inner once and raises what it raises. Put it outermost: it then measures
    what the caller waits for, an answer out of memory as well as one that four layers
    worked on. What the layers below know of themselves (retries, hedges, circuits, limits,
    budgets) is read from them when somebody looks, and costs calls nothing.

    Labels are the model, the tier, the arm and the cache state of an answer, or the
    class of an error: names that the configuration has. Where a label would get more than
    *most* values the rest is counted as "other". Nothing that a caller is free to write, such
    as a tag, a scope or an id, becomes a label or goes into a span.

    A child of a fork goes on from its parent's numbers: make the client after the fork,
    and serve or scrape each process by itself.

    Args:
        name: Which client this is, as a label; tells several in one process apart.
        models: Shown in any case. Another model is shown from its first answer on, so that
            asking for what does not exist takes no room.
        most: Values of a label. A hundred models, tiers or arms are more than anybody
            looks at, and bound the memory: each combination takes 10 kB.
        tokens: Counts tokens and watches them for spikes; None counts none.
        spans: Whether each call becomes a span of OpenTelemetry, with children for what the layers
            do, and its context goes on to Triton. Costs some 40 us a call where the
            trace is sampled, and 10 where it is not, so it is off by default.
        provider: Where the spans go; the process's own tracer provider by default.

    Raises:
        ConfigError: If an argument is out of range.
        MissingExtra: If there are to be spans and opentelemetry-api is not installed.
    """

    def __init__(
        self,
        name: str = "client",
        *,
        models: Collection[str] = (),
        most: int = 100,
        tokens: Tokens | None = None,
        spans: bool = False,
        provider: object | None = None,
    ) -> None:
        if isinstance(models, str):
            raise ConfigError(f"models must be a collection of names, but got {models!r}.")
        if most < 1:
            raise ConfigError(f"most must be at least 1, but got {most=}.")
        self.name = name
        self.tokens = tokens
        self._book = Book(models, most)
        self._tracing: OpenTelemetry | None = None
        if spans or provider is not None:
            from tritonkit.client.layers.telemetry.tracing import OpenTelemetry

            self._tracing = OpenTelemetry(provider)
        self._parts: tuple[object, ...] | None = None
        self._log: EventLog | None = None
        self._servers: list[MetricsServer] = []
        _telemetries.add(self)

    def __repr__(self) -> str:
        spans = ", spans=True" if self._tracing is not None else ""
        return f"Telemetry({self.name!r}{spans})"

    def oversee(self, parts: Sequence[Layer | Service], /) -> None:
        """
        Learn of the layers to read.

        Raises:
            ConfigError: If it stands in another stack already.
        """
        if self._parts is not None:
            raise ConfigError("a Telemetry belongs to one stack; make another one")
        self._parts = tuple(parts)
        for model in models_of(parts):
            self._book.models.expect(model)

    def record_to(self, log: EventLog) -> None:
        """Learn of the log of the experiments, to read what it counts."""
        self._log = log

    def now(self, request: InferRequest, inner: Immediate, /) -> InferResponse | None:
        """What a layer below has without waiting, counted."""
        began = perf_counter_ns()
        response = inner(request)
        if response is not None:
            took = perf_counter_ns() - began
            self._book.answered(request, response.trace, took, waited=False)
            if self.tokens is not None:
                self.tokens.saw(self._book.models.known(request.model), request, response)
            if self._tracing is not None:
                self._tracing.past(request, response, took)
        return response

    async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
        """Answer *request* by inner, and take note of it."""
        if self._tracing is None:
            return await self._measured(request, inner)
        before = current_tracing.set(self._tracing)
        try:
            with self._tracing.call(request) as span:
                response = await self._measured(request, inner)
                span.answered(request, response)
                return response
        finally:
            restore(current_tracing, before)

    async def _measured(self, request: InferRequest, inner: Service) -> InferResponse:
        book = self._book
        spent = request.spent
        before = None if spent is None else (spent.attempts, spent.cost)
        book.begin()
        began = perf_counter_ns()
        try:
            response = await inner(request)
        except BaseException as error:
            book.failed(request, error, perf_counter_ns() - began)
            if self.tokens is not None and isinstance(error, RequestError):
                self.tokens.saw(book.models.known(request.model), request, None)
            raise
        took = perf_counter_ns() - began
        if spent is not None and before is not None:
            spent = Spent(spent.attempts - before[0], spent.cost - before[1])
        book.answered(request, response.trace, took, waited=True, spent=spent)
        if self.tokens is not None:
            self.tokens.saw(book.models.known(request.model), request, response)
        return response

    @property
    def traces(self) -> bool:
        """Whether calls become spans."""
        return self._tracing is not None

    def within(self, headers: Mapping[str, str]) -> AbstractContextManager[object]:
        """
        A context in which the spans of calls continue a caller's trace.

        Args:
            headers: W3C's traceparent and tracestate, by those names.
        """
        return nullcontext() if self._tracing is None else self._tracing.within(headers)

    def refused(self, model: str, error: BaseException) -> None:
        """A call failed before it came here: its inputs do not fit, or nobody tells what would."""
        self._book.refused(model, error)

    def snapshot(self) -> Snapshot:
        """
        All that is known now.

        Each number is of one moment, not all of them of the same. Costs no call
        more than a moment's wait for the lock.
        """
        return self.take()[0]

    def take(self) -> tuple[Snapshot, dict[Labels, LatencySketch]]:
        """`snapshot` and `latencies` of one moment."""
        book = self._book
        answers = book.answers()
        answered = [
            Answered(
                **labels._asdict(),
                requests=each.latencies.count,
                rows=each.rows,
                attempts=each.attempts,
                cost=each.cost,
                latency=Latency.of(each.latencies),
            )
            for labels, each in sorted(answers.items())
        ]
        failed = [
            Failed(
                model=model,
                error=error,
                arm=arm,
                requests=each.count,
                latency=Latency.of(each),
            )
            for (model, error, arm), each in sorted(book.failures().items())
        ]
        tokens = self.tokens
        snapshot = Snapshot(
            client=self.name,
            answered=tuple(answered),
            failed=tuple(failed),
            origins=_nested(book.rows_by_origin()),
            tiers=_nested(book.rows_by_tier()),
            degraded=_nested(book.degraded()),
            tokens={} if tokens is None else _nested(tokens.counts()),
            spikes={} if tokens is None else tokens.spikes(),
            readings=tuple(self._readings()),
            in_flight=book.in_flight,
            overflows=book.overflows(),
        )
        return snapshot, {labels: each.latencies for labels, each in answers.items()}

    def latencies(self) -> dict[Labels, LatencySketch]:
        """
        A copy of the latencies by labels, to be merged with those of other processes.

        `to_bytes` and `from_bytes` take a sketch from one to the other, through Redis or a
        file; `merge` adds them without loss.
        """
        return self.take()[1]

    def collector(self) -> MetricsCollector:
        """
        What Prometheus reads: `registry.register(telemetry.collector())`.

        Raises:
            MissingExtra: If prometheus-client is not installed.
        """
        from tritonkit.client.layers.telemetry.prometheus import MetricsCollector

        return MetricsCollector([self])

    def serve_metrics(self, port: int, host: str = "127.0.0.1") -> MetricsServer:
        """
        Serve `http://host:port/metrics` from a thread, until it or the layer is closed.

        Args:
            port: 0 takes a free one; `server.port` tells which.
            host: Who may ask: by default this machine alone. Not encrypted, not guarded.

        Raises:
            MissingExtra: If prometheus-client is not installed.
            ConfigError: If the port is taken.
        """
        from tritonkit.client.layers.telemetry.prometheus import MetricsServer

        server = MetricsServer(self.collector(), port, host)
        self._servers.append(server)
        return server

    async def aclose(self) -> None:
        """Stop serving metrics. What was counted stays."""
        while self._servers:
            # Its thread looks up twice a second.
            await asyncio.to_thread(self._servers.pop().close)

    def _readings(self) -> list[Reading]:
        """Of all parts, each model one that is shown, added up by labels."""
        known = self._book.models.known
        found: dict[tuple[str, tuple[tuple[str, str], ...]], Reading] = {}
        sizes: Counter[str] = Counter()
        for reading in readings((*(self._parts or ()), self._log)):
            labels = dict(reading.labels)
            if "model" in labels:
                labels["model"] = known(labels["model"])
            key = (reading.name, tuple(sorted(labels.items())))
            if key not in found and sizes[reading.name] >= _MOST_READINGS:
                labels = dict.fromkeys(labels, OTHER)
                key = (reading.name, tuple(sorted(labels.items())))
            before = found.get(key)
            if before is None:
                sizes[reading.name] += 1
            value = reading.value + (0 if before is None else before.value)
            found[key] = Reading(reading.name, value, labels, reading.kind)
        return [found[key] for key in sorted(found)]


def _nested(counts: dict[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (model, name), count in sorted(counts.items()):
        found.setdefault(model, {})[name] = count
    return found


_telemetries: WeakSet[Telemetry] = WeakSet()


def _after_fork() -> None:
    """What the parent has in flight never ends here, nor do its threads serve."""
    for telemetry in _telemetries:
        telemetry._book.in_flight = 0
        telemetry._servers.clear()


os.register_at_fork(after_in_child=_after_fork)
