"""An answer now, and the better one for whoever asks next."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from time import monotonic
from typing import Any, Literal, TypeAlias, get_args

from tritonkit.client.layers.budget.limits import CALLER, PURSE
from tritonkit.client.layers.rows import own_request
from tritonkit.client.layers.tiers.background import Background, Call, retrieve
from tritonkit.client.layers.tiers.fallback import answered, answered_now, first_answer
from tritonkit.client.layers.tiers.strategy import Strategy
from tritonkit.client.route import Route
from tritonkit.client.stack import Immediate
from tritonkit.client.types import InferRequest, InferResponse, Service
from tritonkit.errors import ConfigError, InvalidInput, RequestError
from tritonkit.units import parse_duration

__all__ = ["ChargedTo", "FastThenAccurate"]

ChargedTo: TypeAlias = Literal["refresh", "caller"]
"""Whose quota a Budget charges for what nobody waits for."""

_FIRST, _ALL = asyncio.FIRST_COMPLETED, asyncio.ALL_COMPLETED


class FastThenAccurate(Strategy):
    """
    Answers from the fast routes, while the accurate one goes on in the background.

    The first route is asked first. If it answers within *grace*, as a Cache below
    does that has the answer, that is it. Otherwise the routes after it are asked,
    in order, and whichever answers first is it; where that is not the first
    route, `degraded` says that the accurate answer is being computed. It is, up
    to *timeout*, with priority "refresh", and a Cache below keeps it for the next
    caller: without one it is computed in vain.

    Where *most* accurate calls are under way already, the first route is asked
    for kept answers only. If every fast route fails, the caller waits for the
    accurate answer as long as its deadline allows.

    A Budget below charges the accurate call to the user and tenant of the request: by
    default to their "refresh" purse, which has the same limits as the one for what they wait for,
    and is charged also where the answer comes within the grace. The fast call is
    always the caller's. The cost in the trace is that of the answer that was given.

    Raises what the fast routes raise, if the accurate one has no answer either.

    Args:
        grace: What a cache below may take, Redis included.
        timeout: Of the accurate call. Nobody waits for it, but it must end.
        most: Accurate calls at a time, in each event loop. A few keep a popular
            answer up to date without taking the server from those who wait.
        charged_to: Whose quota the accurate call takes: "refresh", or "caller" for that of
            the request itself, where a user must not get accurate answers beyond it. When
            it is spent, the fast answer is all there is. Either way the call
            has the priority "refresh" everywhere else.

    Raises:
        ConfigError: If an argument is wrong.
    """

    def __init__(
        self,
        *,
        grace: str | float | timedelta = "5ms",
        timeout: str | float | timedelta = "60s",
        most: int = 8,
        charged_to: ChargedTo = "refresh",
    ) -> None:
        self.grace = parse_duration(grace, name="grace")
        self.timeout = parse_duration(timeout, name="timeout")
        if most < 0:
            raise ConfigError(f"most must not be negative, but got {most=}.")
        if charged_to not in get_args(ChargedTo):
            raise ConfigError(f"charged_to must be refresh or caller, but got {charged_to!r}.")
        self.charged_to = charged_to
        self._background = Background(most)

    def __repr__(self) -> str:
        return f"FastThenAccurate(grace={self.grace}, most={self._background.most})"

    def check(self, routes: Sequence[Route]) -> None:
        """There are two routes at least."""
        if len(routes) < 2:
            raise ConfigError(f"FastThenAccurate needs two routes or more, but got {len(routes)}.")

    def now(
        self, request: InferRequest, routes: Sequence[Route], inner: Immediate
    ) -> InferResponse | None:
        """What a layer below has of the accurate model."""
        return answered_now(request, routes[0], inner)

    async def __call__(
        self, request: InferRequest, routes: Sequence[Route], inner: Service
    ) -> InferResponse:
        """Wait for the accurate answer a little, then for any."""
        accurate, *fast = routes
        if request.only_kept:
            response, route, failures = await first_answer(request, routes, inner)
            return answered(response, route, f"fast: {', '.join(failures)}" if failures else "")
        if self._background.full:
            return await self._without(request, accurate, fast, inner)
        # The caller's arrays are its own again once it is answered.
        tags = request.tags if self.charged_to == "refresh" else {**request.tags, PURSE: CALLER}
        late = replace(
            own_request(request),
            priority="refresh",
            tags=tags,
            deadline=monotonic() + self.timeout,
        )
        call = self._background.start(_answer(late, accurate, inner))
        try:
            return await self._first(request, call, accurate, fast, inner)
        except asyncio.CancelledError:
            call.cancel()
            raise

    async def aclose(self) -> None:
        """End the accurate calls that are under way."""
        await self._background.aclose()

    async def _first(
        self,
        request: InferRequest,
        call: Call,
        accurate: Route,
        fast: Sequence[Route],
        inner: Service,
    ) -> InferResponse:
        """The first answer; the accurate one, if it comes within the grace."""
        await asyncio.wait((call,), timeout=_at_most(self.grace, request))
        if _succeeded(call) or _refused(call):
            return answered(call.result(), accurate)
        quick = asyncio.ensure_future(first_answer(request, fast, inner))
        quick.add_done_callback(retrieve)
        try:
            await asyncio.wait((quick, call), return_when=_FIRST if not call.done() else _ALL)
            if not quick.done() and not _succeeded(call):
                await asyncio.wait((quick,))
            if quick.done() and not call.done() and _failed(quick):
                await asyncio.wait((call,), timeout=request.remaining())
            if _succeeded(call):
                return answered(call.result(), accurate)
            response, route, failures = quick.result()
        finally:
            quick.cancel()
        why = _failure(call, accurate) or f"{accurate.name} is being computed"
        return answered(response, route, f"fast: {', '.join([why, *failures])}")

    async def _without(
        self, request: InferRequest, accurate: Route, fast: Sequence[Route], inner: Service
    ) -> InferResponse:
        """The accurate answer where it is kept, else a fast one."""
        deadline = monotonic() + _at_most(self.grace, request)
        try:
            kept = await accurate(replace(request, only_kept=True, deadline=deadline), inner)
        except RequestError:
            response, route, failures = await first_answer(request, fast, inner)
        else:
            return answered(kept, accurate)
        why = f"too many answers of {accurate.name} are being computed"
        return answered(response, route, f"fast: {', '.join([why, *failures])}")


async def _answer(request: InferRequest, route: Route, inner: Service) -> InferResponse:
    return await route(request, inner)


def _refused(call: Call) -> bool:
    """Whether the request itself is wrong, for every route."""
    return call.done() and not call.cancelled() and isinstance(call.exception(), InvalidInput)


def _succeeded(call: asyncio.Future[Any]) -> bool:
    return call.done() and not call.cancelled() and call.exception() is None


def _failed(call: asyncio.Future[Any]) -> bool:
    """Whether it ended otherwise than because the request is wrong."""
    return not _succeeded(call) and not isinstance(call.exception(), InvalidInput)


def _failure(call: Call, route: Route) -> str:
    """Why an accurate call that has ended gave no answer."""
    if not call.done():
        return ""
    if call.cancelled():
        return f"{route.name}: cancelled"
    error = call.exception()
    if not isinstance(error, RequestError):
        # A wrong configuration is not to be lived with.
        call.result()
    return f"{route.name}: {type(error).__name__}"


def _at_most(seconds: float, request: InferRequest) -> float:
    remaining = request.remaining()
    return seconds if remaining is None else max(0.0, min(seconds, remaining))
