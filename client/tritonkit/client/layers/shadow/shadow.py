"""The layer that sends a copy of the traffic to another model, and compares."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from random import Random
from time import monotonic

from tritonkit.client.layers.shadow.comparator import Comparator
from tritonkit.client.layers.shadow.compare import Comparators
from tritonkit.client.layers.shadow.copies import Copy, Room, size
from tritonkit.client.layers.shadow.judge import Judge
from tritonkit.client.layers.shadow.pausing import Pausing
from tritonkit.client.layers.shadow.report import ShadowReport
from tritonkit.client.layers.shadow.running import Here, Running
from tritonkit.client.layers.shadow.sampling import Sampling, copyable
from tritonkit.client.layers.shadow.verdict import Rules, ShadowVerdict
from tritonkit.client.layers.shadow.worst import Redact, Worst
from tritonkit.client.readings import Inside, Reading
from tritonkit.client.route import Route
from tritonkit.client.stack import Immediate, Layer, Transport
from tritonkit.client.types import InferRequest, InferResponse, Parameter, Service, Tensors
from tritonkit.errors import (
    BudgetExceeded,
    CircuitOpen,
    ConfigError,
    InvalidInput,
    LimitExceeded,
    RequestError,
)
from tritonkit.units import parse_duration, parse_share, parse_size

__all__ = ["Shadow"]

_REFUSED = (BudgetExceeded, CircuitOpen, LimitExceeded)
"""What a layer of the shadow's route says, not the shadow."""

_log = logging.getLogger("tritonkit.client.shadow")


class Shadow(Layer):
    """
    Sends a copy of some requests to another route, compares both answers, and decides.

    Calls inner once, and gives back what it gives, the very object, or raises what it
    raises. A copy goes to the route after the answer, with *paired* beside it; nobody
    waits for that. It passes the route's own layers and then its server, or the client's,
    and none of the layers below this one: neither their circuits, limits and
    budgets nor their caches see it. Its priority is "shadow": a Budget in the route has a
    purse of its own for that, a Limit sheds it first. A caller who gives up takes no copy
    along. Not copied: what nobody waits for, requests of a sequence, those for kept
    answers only.

    What the user waits longer is the copy of the inputs, made while the server is at work,
    and of those arrays of the answer that he could write. Encoding the copy and
    comparing take time of the event loop; *share* bounds it, and large answers are compared
    in a thread.

    Each process decides by what it has seen itself. For one decision of several, merge their
    reports: taking over whichever verdict comes first would make mistakes as many times
    likelier as there are processes.

    Put it outermost, below Deadline: it then sees the traffic as it is. Below a Cache it sees
    only what is not kept. Leave Cache out of the route where the model itself is to be
    compared, its latency above all; one in the route keeps the shadow's answers under the
    shadow's identity. Answers that are degraded, on either side, are not compared.

    Args:
        route: The shadow: a model, a version, a server, with layers of its own.
        share: Of the requests that are copied. A tenth costs the server a tenth more.
        by: The tag whose value decides, such as "user": all requests of a tenth of the users
            then. Requests without it are not copied. By chance where empty.
        paired: Send the copy at once, and not after the answer: both latencies are then of
            the same moment, and the shadow's work is in the primary's latency where they share
            a server. Off, so that nothing of the shadow is.
        compare: Compares every output. By default floats by AllClose, all else by Exact.
        outputs: By name, the comparators of those outputs that are compared; all by default.
        tolerate: The share of rows that may disagree, mean over requests. 0 rejects
            whatever does, and never promotes.
        alpha: The chance of a wrong rejection, and of a wrong promotion, at most, however
            often one looks.
        errors: The share of copies that may fail; None does not look.
        latency: How many times the primary's p95 the shadow's may be; None does not look, since
            the latency of a copy that is sent after the answer says little.
        min_requests: Copies before a verdict. The error rates hold from the first; a start that
            is unlike the rest, and who reads it, want a few.
        until_decided: Send no copies once it is.
        timeout: The most that a copy may take; the caller's deadline is not the shadow's.
        concurrency: Copies at a time, in each event loop.
        queue: Copies that are held, in each event loop: before, on and after their way. The
            newest is dropped where it is full.
        max_bytes: Of those copies.
        failures: So many in a row pause the shadow; 0 never does.
        pause: For how long at first; doubled while the first copy after it fails.
        parameters: Request parameters of copies, over the caller's; {"priority": 9} for a model
            with priority levels in its dynamic batcher.
        slices: The tag whose values are told apart in the report; none where empty.
        max_slices: How many values of it; the others count as one.
        keep: Rows with which inputs and answers are kept, those that are furthest apart. None
            by default, for they are somebody's data.
        redact: Takes a row's inputs and gives those that may be kept, or None; runs in a
            thread, where it may take its time.
        on_verdict: Called with the decision instead of logging it; must be quick.
        drain: How long closing waits for copies that are on their way.
        clock: Seconds that only grow; for latencies and pauses.
        random: What chance is drawn from.

    Raises:
        ConfigError: If an argument is out of range.
    """

    def __init__(
        self,
        route: Route,
        *,
        share: str | float = "10%",
        by: str = "",
        paired: bool = False,
        compare: Comparator | None = None,
        outputs: Mapping[str, Comparator] | None = None,
        tolerate: str | float = "1%",
        alpha: str | float = "5%",
        errors: str | float | None = "1%",
        latency: float | None = None,
        min_requests: int = 30,
        until_decided: bool = True,
        timeout: str | float | timedelta = "10s",
        concurrency: int = 4,
        queue: int = 100,
        max_bytes: str | int = "64MB",
        failures: int = 5,
        pause: str | float | timedelta = "30s",
        parameters: Mapping[str, Parameter] | None = None,
        slices: str = "",
        max_slices: int = 20,
        keep: int = 0,
        redact: Redact | None = None,
        on_verdict: Callable[[ShadowVerdict], None] | None = None,
        drain: str | float | timedelta = "1s",
        clock: Callable[[], float] = monotonic,
        random: Random | None = None,
    ) -> None:
        counts = {
            "queue": queue,
            "failures": failures,
            "max_slices": max_slices,
            "keep": keep,
            "min_requests": min_requests,
        }
        for name, count in counts.items():
            if count < 0:
                raise ConfigError(f"{name} must not be negative, but got {name}={count}.")
        if concurrency < 1:
            raise ConfigError(f"concurrency must be at least 1, but got {concurrency=}.")
        if latency is not None and not 0 < latency < float("inf"):
            raise ConfigError(f"latency must be above 0, but got {latency=}.")
        self.rules = Rules(
            tolerate=parse_share(tolerate, name="tolerate"),
            alpha=parse_share(alpha, name="alpha"),
            errors=None if errors is None else parse_share(errors, name="errors"),
            latency=latency,
            min_requests=min_requests,
        )
        if not 0 < self.rules.alpha <= 0.5:
            raise ConfigError(f"alpha must be above 0 and at most 0.5, but got {alpha!r}.")
        self.route = route
        self.paired, self.until_decided = paired, until_decided
        self.timeout = parse_duration(timeout, name="timeout")
        self._sampling = Sampling(
            parse_share(share, name="share"), by=by, salt=route.name, random=random or Random()
        )
        self._judge = Judge(
            route.name,
            self.rules,
            Comparators(compare, dict(outputs or {})),
            slices=slices,
            max_slices=max_slices,
            worst=Worst(keep, redact),
            on_verdict=on_verdict,
            threads=concurrency,
        )
        self._pausing = Pausing(failures, parse_duration(pause, name="pause"), self.timeout)
        self._parameters = dict(parameters or {})
        self._drain = parse_duration(drain, name="drain")
        self._clock = clock
        self._bottom: Transport | None = None
        most_bytes = parse_size(max_bytes, name="max_bytes")
        self._running = Running(self._work, concurrency, lambda: Room(queue, most_bytes))
        self._told: list[Callable[[str, Tensors, Tensors], None]] = []
        self._closed = self._complained = False

    def __repr__(self) -> str:
        return f"Shadow({self.route!r}, share={self._sampling.share:g})"

    @property
    def verdict(self) -> ShadowVerdict:
        """The first decision; while there is none, what it takes to come to one."""
        return self._judge.verdict or self.report().verdict

    @property
    def counts(self) -> dict[str, int]:
        """
        Copies by what became of them, since the layer was made, in this process.

        sampled: requests that were to be copied. Of these, each one of: dropped (the queue or
        its bytes were full), abandoned (the primary gave no answer), paused, decided (it
        was, meanwhile), refused (by a layer of the route), failed, degraded (either answer),
        compared, broken (a comparator raised), cancelled (by closing). answered: by the
        shadow. primary_failed: by the primary.
        """
        return self._judge.counts()

    def tell(self, told: Callable[[str, Tensors, Tensors], None]) -> None:
        """Give *told* the model and both answers of each copy that is compared; must be quick."""
        self._told.append(told)

    def report(self) -> ShadowReport:
        """What was found so far, in this process."""
        return self._judge.report()

    def attach(self, transport: Transport) -> None:
        """
        Learn of the server that the route asks.

        Raises:
            ConfigError: If the layer stands over another transport already.
        """
        if self._bottom not in (None, transport):
            raise ConfigError("a Shadow belongs to one stack; make another one")
        self._bottom = transport
        self.route.attach(transport)

    def observe(self) -> Iterator[Reading]:
        """Copies by what became of them."""
        for outcome, count in self.counts.items():
            labels = {"shadow": self.route.name, "outcome": outcome}
            yield Reading("shadow_copies", count, labels)

    def inside(self) -> Iterator[Inside]:
        """The shadow."""
        yield Inside("tier", self.route.name, self.route)

    def now(self, request: InferRequest, inner: Immediate, /) -> InferResponse | None:
        """What a layer below has without waiting; its copy is sent by the last event loop."""
        response = inner(request)
        here = self._running.latest
        if response is None or here is None:
            return response
        copy = self._copy(request, here)
        if copy is not None:
            self._answered(here, copy, response)
            try:
                here.loop.call_soon_threadsafe(self._send, here, copy, _nobody)
            except RuntimeError:
                # It was closed in between, and its room with it.
                self._judge.count("dropped")
        return response

    async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
        """Ask *inner*; see to a copy."""
        if self._closed or self._over:
            return await inner(request)
        here = self._running.here()
        copy = self._copy(request, here)
        if copy is None:
            return await inner(request)
        # Runs as soon as the request is sent, or whatever else comes first is waited for.
        here.loop.call_soon(copy.own)
        if self.paired:
            copy.over = asyncio.Event()
            self._running.start(here, copy, inner)
        began = self._clock()
        try:
            response = await inner(request)
            copy.seconds = self._clock() - began
            self._answered(here, copy, response)
        except RequestError as error:
            if not isinstance(error, InvalidInput):
                self._judge.count("primary_failed")
            raise
        finally:
            if copy.over is not None:
                # The shadow may not have begun, and from here on the caller may change arrays.
                copy.own()
                copy.over.set()
            else:
                self._send(here, copy, inner)
        return response

    async def invalidate(self, model: str | None = None, scope: str | None = None) -> None:
        """End what the layers of the route keep of a model, of a scope, or all of it."""
        for layer in self.route.layers:
            await layer.invalidate(model, scope)

    async def aclose(self) -> None:
        """Wait for copies that are on their way, no longer than *drain*; then close the route."""
        self._closed = True
        for here, copy in await self._running.aclose(self._drain):
            self._end(here, copy, "cancelled")
        self._judge.close()
        await self.route.aclose()

    @property
    def _over(self) -> bool:
        """Whether there is nothing to find out any more."""
        return self.until_decided and self._judge.verdict is not None

    def _copy(self, request: InferRequest, here: Here) -> Copy | None:
        """A place for a copy of *request*, if it is to be copied and there is one."""
        if self._closed or self._over or not self._sampling(request) or not copyable(request):
            return None
        self._judge.count("sampled")
        bytes = size(request.inputs)
        if here.room.take(bytes):
            return Copy(request, bytes)
        self._judge.count("dropped")
        return None

    def _answered(self, here: Here, copy: Copy, response: InferResponse) -> None:
        """The primary's answer, before the caller has it; copied where there is room."""
        bytes = size(response.outputs)
        copy.dropped = not here.room.more(bytes)
        if not copy.dropped:
            copy.size += bytes
            copy.answered(response)

    def _send(self, here: Here, copy: Copy, inner: Service) -> None:
        """In its event loop: the primary is done with it."""
        if copy.primary is None:
            self._end(here, copy, copy.left)
        elif self._closed or self._over:
            self._end(here, copy, "cancelled" if self._closed else "decided")
        else:
            self._running.start(here, copy, inner)

    async def _work(self, here: Here, copy: Copy, inner: Service) -> None:
        outcome = "cancelled"
        try:
            outcome = await self._shadowed(copy, inner)
        except Exception as error:
            # A comparator or a hook of the user's: nobody is there to be told but the log.
            outcome = "broken"
            if not self._complained:
                self._complained = True
                _log.warning("shadow %r cannot compare: %r", self.route.name, error)
        finally:
            self._end(here, copy, outcome)

    async def _shadowed(self, copy: Copy, inner: Service) -> str:
        """What becomes of a copy; empty where that is counted already."""
        if self._over:
            return "decided"
        if copy.primary is None and (copy.over is None or copy.over.is_set()):
            return copy.left
        began = self._clock()
        if not self._pausing.asks(began):
            return "paused"
        try:
            response = await self._ask(copy, inner)
        except _REFUSED:
            return "refused"
        except (RequestError, TimeoutError) as error:
            if self._pausing.failed(self._clock()):
                _log.warning("shadow %r is paused: %s", self.route.name, error)
            self._judge.failed()
            return ""
        finally:
            # Changes nothing where it fails: that is told. A cancelled one says nothing.
            self._pausing.forgot()
        seconds = self._clock() - began
        self._pausing.succeeded()
        self._judge.answered(response)
        if copy.over is not None:
            await copy.over.wait()
        if copy.primary is None:
            return copy.left
        if copy.primary.trace.degraded or response.trace.degraded:
            return "degraded"
        await self._judge.compare(copy, copy.primary, response, seconds)
        for told in self._told:
            told(copy.request.model, copy.outputs, response.outputs)
        return "compared"

    async def _ask(self, copy: Copy, inner: Service) -> InferResponse:
        request = replace(
            copy.request,
            inputs=copy.own(),
            tags=copy.tags,
            parameters={**copy.parameters, **self._parameters},
            id="",
            deadline=monotonic() + self.timeout,
            priority="shadow",
            # What it fails to spend is not the caller's.
            spent=None,
        )
        # A deadline binds those who look at it.
        async with asyncio.timeout(self.timeout):
            return await self.route(request, self._bottom or inner)

    def _end(self, here: Here, copy: Copy, outcome: str) -> None:
        here.room.give(copy.size)
        if outcome:
            self._judge.count(outcome)


async def _nobody(request: InferRequest) -> InferResponse:
    raise LimitExceeded("a shadow over no server was asked from another thread")
