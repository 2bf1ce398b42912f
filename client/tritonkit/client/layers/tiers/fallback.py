"""The next route where one fails."""

from __future__ import annotations

from collections.abc import Sequence

from tritonkit.client.layers.tiers.allotment import within
from tritonkit.client.layers.tiers.strategy import Strategy
from tritonkit.client.route import Route
from tritonkit.client.stack import Immediate
from tritonkit.client.types import InferRequest, InferResponse, Service
from tritonkit.errors import DeadlineExceeded, InvalidInput, RequestError

__all__ = ["Fallback", "answered", "answered_now", "first_answer"]


class Fallback(Strategy):
    """
    Asks the routes in order until one answers.

    The next is asked where one fails, takes longer than it may, has an open
    breaker or a spent budget; not where the request itself is wrong, and not
    after its deadline. A request with a deadline leaves each route a part of the
    time: see `tritonkit.client.layers.tiers.allotment`. To say how much of it the
    last route needs, give that one a timeout.

    Raises what the last of the routes raised that were asked.
    """

    def __repr__(self) -> str:
        return "Fallback()"

    def now(
        self, request: InferRequest, routes: Sequence[Route], inner: Immediate
    ) -> InferResponse | None:
        """What a layer below has of the first route's model."""
        return answered_now(request, routes[0], inner)

    async def __call__(
        self, request: InferRequest, routes: Sequence[Route], inner: Service
    ) -> InferResponse:
        """Ask in order."""
        response, route, failures = await first_answer(request, routes, inner)
        return answered(response, route, f"fallback: {', '.join(failures)}" if failures else "")


async def first_answer(
    request: InferRequest, routes: Sequence[Route], inner: Service
) -> tuple[InferResponse, Route, list[str]]:
    """
    The answer of the first route that has one, that route, and why those before it had none.

    Raises:
        DeadlineExceeded: If the deadline has passed already.
        RequestError: What the last route raised that was asked.
    """
    if _late(request):
        raise DeadlineExceeded(
            f"the deadline passed before {routes[0].name!r} was asked", model=request.model
        )
    failures: list[str] = []
    for position, route in enumerate(routes):
        try:
            response = await route(within(request, routes[position:]), inner)
        except InvalidInput:
            raise
        except RequestError as error:
            if position == len(routes) - 1 or _late(request):
                raise
            failures.append(f"{route.name}: {type(error).__name__}")
        else:
            return response, route, failures
    raise AssertionError


def answered(response: InferResponse, route: Route, degraded: str = "") -> InferResponse:
    """
    *response*, whose trace says that it is the answer of *route*.

    Args:
        response: Of the route.
        route: That answered.
        degraded: Why it is less than what was asked for; what the response says
            of that itself stays.
    """
    trace = response.trace
    both = "; ".join(filter(None, (degraded, trace.degraded)))
    return response.traced(tiers=(route.name,), degraded=both)


def answered_now(request: InferRequest, route: Route, inner: Immediate) -> InferResponse | None:
    """What the layers below Tiers have for *route* without waiting."""
    if route.layers or route.server is not None:
        return None
    response = inner(route.request(request))
    return None if response is None else answered(response, route)


def _late(request: InferRequest) -> bool:
    remaining = request.remaining()
    return remaining is not None and remaining <= 0
