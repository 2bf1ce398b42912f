"""A second request where the first takes longer than most."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from time import monotonic

from tritonkit.client.contexts import restore
from tritonkit.client.layers.delays import Delays
from tritonkit.client.layers.hedge.apart import Apart
from tritonkit.client.layers.hedge.race import Finish, race
from tritonkit.client.layers.rows import count_rows
from tritonkit.client.layers.tokens import Tokens
from tritonkit.client.placement import placements
from tritonkit.client.readings import Counts, Inside, Reading
from tritonkit.client.route import Route
from tritonkit.client.spans import span
from tritonkit.client.spent import Spent
from tritonkit.client.stack import Immediate, Layer, Transport
from tritonkit.client.types import InferRequest, InferResponse, Service
from tritonkit.errors import (
    BudgetExceeded,
    CircuitOpen,
    ConfigError,
    LimitExceeded,
    RequestError,
)
from tritonkit.units import parse_share

__all__ = ["Hedge"]

SOONEST = 1e-3
"""Seconds before a second request is worth sending, and the resolution of uvloop's timers."""

MAX_MODELS = 1_000
"""Whoever asks for models that do not exist must not fill the memory."""

_log = logging.getLogger(__name__)


def _always() -> bool:
    return True


class Hedge(Layer):
    """
    Sends a request a second time where its answer takes longer than most, and takes the first.

    Calls inner once, and a second time, or a route, when the answer is later than the
    percentile of the model's latencies for requests of that size. The first answer
    wins; where one of the two fails, the other is waited for. The loser is
    cancelled: what is below sees CancelledError. It may have been
    computed all the same, so the answer's trace counts its attempt, and charges what the
    winner has cost once more. Raises what inner raises for the first request. A second
    one that fails, is shed (LimitExceeded), meets an open circuit (CircuitOpen) or a spent
    budget (BudgetExceeded) is passed over.

    Nothing is sent twice before *min_samples* answers of that size, beyond the budget,
    for requests of a sequence, for refreshes and shadows, for which nobody waits, and
    where Triton would compute both in any case. It drops what it has not begun for models
    with a dynamic_batching block, and only over gRPC: over HTTP, and for other models,
    every loser is computed to its end.

    Put it below Cache and Coalesce, so that one answer is kept and counted, and above
    Retry, Limit, Breaker and the choice of endpoints, so that the second request is one
    of its own for each of them. Over `Endpoints` it goes to another server than the first
    one is at, as long as another is well. It adds to no overload: a Limit below gives it
    a place only where one is free, and without a Limit *saturated_at* says when there are
    enough requests as it is.

    Args:
        percentile: What takes longer than this share of the answers is late, and longer
            than 1 ms. At 95 one in twenty is, which is the budget.
        budget: Second requests as a share of the calls; "5%" loses no more throughput
            than that where the servers are at their limit. Up to 10 are saved up for
            a moment when many are late. "0%" sends none.
        min_samples: Answers of a size of request, in powers of two of rows, before
            any is late. Of 100, five are beyond the default percentile.
        routes: Where second requests go, in turns; by default where the first
            went, which helps where that is several instances or replicas.
        models: Those to hedge, whatever their configuration and the transport; by
            default those of which Triton drops what it has not begun.
        saturated_at: Calls under way to a model, from which on none is sent a second time;
            None for no such number, as a Limit below knows better. About what all
            servers together work on at a time.
        enabled: Asked before each second request, and must answer at once.
        clock: Seconds that only grow, those of the deadlines.

    Raises:
        ConfigError: If an argument is out of range.
    """

    def __init__(
        self,
        percentile: float = 95,
        *,
        budget: str | float = "5%",
        min_samples: int = 100,
        routes: Sequence[Route] = (),
        models: Collection[str] | None = None,
        saturated_at: int | None = None,
        enabled: Callable[[], bool] = _always,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        if not 0 <= percentile <= 100:
            raise ConfigError(f"percentile must be 0 to 100, but got {percentile=}.")
        if min_samples < 0:
            raise ConfigError(f"min_samples must not be negative, but got {min_samples=}.")
        if saturated_at is not None and saturated_at < 0:
            raise ConfigError(f"saturated_at must not be negative, but got {saturated_at=}.")
        if isinstance(models, str):
            raise ConfigError(f"models must be a collection of names, but got {models!r}.")
        self.percentile = percentile
        self.budget = parse_share(budget, name="budget")
        self.min_samples = min_samples
        self.routes = tuple(routes)
        self.models = None if models is None else frozenset(models)
        self.saturated_at = saturated_at
        self._enabled = enabled
        self._clock = clock
        self.counts = Counts("hedges", "hedges_won", "hedges_wasted")
        """Second requests that were sent, and those of them that answered first, or did not."""
        self._transport: Transport | None = None
        self._models: dict[asyncio.AbstractEventLoop, dict[tuple[str, str], _Model]] = {}

    def __repr__(self) -> str:
        routes = f", routes=[{', '.join(map(repr, self.routes))}]" if self.routes else ""
        return f"Hedge({self.percentile:g}, budget='{100 * self.budget:g}%'{routes})"

    def attach(self, transport: Transport) -> None:
        """
        Learn whom to ask how a model batches.

        Raises:
            ConfigError: If the layer stands over another transport already.
        """
        if self._transport not in (None, transport):
            raise ConfigError("a Hedge belongs to one stack; make another one")
        self._transport = transport
        for route in self.routes:
            route.attach(transport)

    async def invalidate(self, model: str | None = None, scope: str | None = None) -> None:
        """The model may have been loaded anew: ask again how it batches."""
        for models in list(self._models.values()):
            for (name, _), known in list(models.items()):
                if model in (None, name) and self.models is None:
                    known.dropped = None
        for route in self.routes:
            for layer in route.layers:
                await layer.invalidate(model, scope)

    async def aclose(self) -> None:
        """Close the routes."""
        async with AsyncExitStack() as closing:
            for route in reversed(self.routes):
                closing.push_async_callback(route.aclose)

    def observe(self) -> Iterable[Reading]:
        """Second requests, and what came of them."""
        return self.counts.observe()

    def inside(self) -> Iterator[Inside]:
        """Where second requests go."""
        for route in self.routes:
            yield Inside("tier", route.name, route)

    def now(self, request: InferRequest, inner: Immediate, /) -> InferResponse | None:
        """What a layer below has without waiting is never late."""
        return inner(request)

    async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
        """Answer *request* by inner, or by a second request if that is faster."""
        if not self._may_be_sent_twice(request):
            return await inner(request)
        model = self._model(request)
        if model.dropped is False:
            return await inner(request)
        model.tokens.add()
        rows = count_rows(request)
        delay = model.delays.after(rows)
        started = self._clock()
        if delay is None:
            model.under_way += 1
            try:
                response = await inner(request)
            finally:
                model.under_way -= 1
            model.delays.add(rows, self._clock() - started)
            return response
        second = _Second(self, model, request, inner)
        # Of the first alone: the request may be asked elsewhere at the same time.
        spent = Spent()
        first = request if request.spent is None else request.but(spent=spent)
        token = placements.set((*second.outer, second.first))
        model.under_way += 1
        won = False
        try:
            finish = await race(
                inner(first),
                second.send,
                max(delay, SOONEST),
                hopeless=lambda: request.deadline is not None and self._clock() >= request.deadline,
            )
            won = finish.by_second
        finally:
            model.under_way -= 1
            restore(placements, token)
            if request.spent is not None:
                request.spent.add(spent)
            if second.sent:
                self.counts.add("hedges", request.model)
                self.counts.add("hedges_won" if won else "hedges_wasted", request.model)
        # Of a first request that was given up, its latency is at least this.
        model.delays.add(rows, self._clock() - started)
        if not second.sent:
            return finish.answer
        return _charged(finish, noted=won and spent.cost > 0)

    def _may_be_sent_twice(self, request: InferRequest) -> bool:
        if self.models is not None and request.model not in self.models:
            return False
        if request.priority in ("refresh", "shadow"):
            return False
        return not request.in_sequence

    def _model(self, request: InferRequest) -> _Model:
        loop = asyncio.get_running_loop()
        models = self._models.get(loop)
        if models is None:
            for other in [other for other in self._models if other.is_closed()]:
                del self._models[other]
            models = self._models[loop] = {}
        key = (request.model, request.version)
        model = models.get(key)
        if model is None:
            if len(models) >= MAX_MODELS:
                del models[next(iter(models))]
            model = models[key] = _Model(
                Delays(self.percentile, self.min_samples),
                Tokens(self.budget),
                None if self.models is None else True,
            )
        return model

    async def _dropped(self, model: _Model, request: InferRequest) -> bool:
        """Whether the server drops a loser; asked once for each model."""
        if model.dropped is None and not model.asking:
            model.asking = True
            try:
                why_not = await self._why_not(request)
            except RequestError:
                # Asked again with the next that is late.
                return False
            finally:
                model.asking = False
            model.dropped = not why_not
            if why_not:
                _log.info("requests to model %r are never sent twice: %s", request.model, why_not)
        return bool(model.dropped)

    async def _why_not(self, request: InferRequest) -> str:
        transport = self._transport
        if transport is None:
            return "no server is known that could tell how it batches"
        servers = [transport, *(route.server for route in self.routes if route.server)]
        for server in servers:
            if not server.cancels:
                return (
                    f"{server!r} cannot take a request back; Hedge(models=...) hedges all the same"
                )
        config = await transport.config(request.model, request.version, deadline=request.deadline)
        if config.get("dynamic_batching") is None:
            return "it has no dynamic_batching, so Triton drops nothing of its queue"
        return ""


class _Model:
    """What is known of one model, in one event loop."""

    __slots__ = ("asking", "delays", "dropped", "tokens", "turn", "under_way")

    def __init__(self, delays: Delays, tokens: Tokens, dropped: bool | None) -> None:
        self.delays, self.tokens, self.dropped = delays, tokens, dropped
        self.asking = False
        self.turn = self.under_way = 0


class _Second:
    """The second request of one call."""

    __slots__ = ("_hedge", "_inner", "_model", "_request", "first", "outer", "sent")

    def __init__(self, hedge: Hedge, model: _Model, request: InferRequest, inner: Service) -> None:
        self._hedge, self._model, self._request, self._inner = hedge, model, request, inner
        self.sent = False
        self.outer = placements.get()
        self.first = Apart()

    async def send(self) -> InferResponse | None:
        """Its answer; None where there is to be none, or it is not let through."""
        hedge, model = self._hedge, self._model
        if not await hedge._dropped(model, self._request):
            return None
        if hedge.saturated_at is not None and model.under_way >= hedge.saturated_at:
            return None
        if not hedge._enabled() or not model.tokens.take():
            return None
        # Of the second's own task.
        placements.set((*self.outer, Apart(self.first)))
        self.sent = True
        try:
            with span("hedge"):
                return await self._ask()
        except (BudgetExceeded, CircuitOpen, LimitExceeded):
            self.sent = False
            model.tokens.give_back()
            return None

    async def _ask(self) -> InferResponse:
        routes = self._hedge.routes
        # What it takes in vain is estimated with the answer, for it may end after that.
        request = self._request
        if request.spent is not None:
            request = replace(request, spent=None)
        if not routes:
            return await self._inner(request)
        self._model.turn += 1
        route = routes[self._model.turn % len(routes)]
        return await route(request, self._inner)


def _charged(finish: Finish[InferResponse], *, noted: bool = False) -> InferResponse:
    """
    The answer with what both requests took; of a loser that says nothing, as much again.

    Unless the loser was the first, and what that cost is noted already.
    """
    answer = finish.answer
    mine = answer.trace
    other = mine if finish.other is None else finish.other.trace
    attempts = max(1, mine.attempts) + (1 if finish.other is None else max(1, other.attempts))
    return answer.traced(attempts=attempts, cost=mine.cost + (0 if noted else other.cost))
