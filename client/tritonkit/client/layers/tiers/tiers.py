"""Always a way to an answer: routes, how one is chosen, and what stands in for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack

from tritonkit.client.layers.tiers.fallback import Fallback, answered, answered_now
from tritonkit.client.layers.tiers.last_resort import LastResort
from tritonkit.client.layers.tiers.signatures import RouteSignatures
from tritonkit.client.layers.tiers.strategy import Strategy
from tritonkit.client.readings import Inside
from tritonkit.client.route import Route
from tritonkit.client.stack import Immediate, Layer, Target, Transport
from tritonkit.client.types import InferRequest, InferResponse, Service
from tritonkit.errors import ConfigError, InvalidInput, RequestError

__all__ = ["Tiers"]


class Tiers(Layer):
    """
    Answers by one of several routes, and never leaves a caller without a way.

    Calls inner, or the server of a route, as the strategy says: once for each
    route that is asked. Where no route answers, the last resorts are tried in
    order. The trace names the route or the routes (`tiers`), and says where the
    answer is less than that of the first route, and why (`degraded`). A request
    that belongs to a sequence has state on one server, so it goes to the first
    route and nowhere else.

    Belongs above what guards one model or server: breakers, budgets, retries,
    limits; and above Cache, which then keeps the answers of each route. A Cache above
    it waits for the first route's server, and keeps what that one answers only.

    Where the first route's server cannot say what its model takes, those of the
    others are asked; where none can, `Constant` answers all the same.

    Raises what the strategy raises, if no last resort stands in; InvalidInput
    at once.

    Args:
        routes: The best first; each takes the same inputs. Their own layers stand
            in front of them alone.
        strategy: `Fallback()` by default: the next where one fails, since that
            costs nothing while nothing fails.
        last: What answers where no route does, in order: `Stale()`,
            `Constant({...})`; an error without any.

    Raises:
        ConfigError: If there is no route, two have one name, or the strategy
            cannot use them.
    """

    def __init__(
        self,
        *routes: Route,
        strategy: Strategy | None = None,
        last: Sequence[LastResort] = (),
    ) -> None:
        if not routes:
            raise ConfigError("Tiers needs a route at least, but got none.")
        names = [route.name for route in routes]
        if len(set(names)) < len(names):
            raise ConfigError(f"routes must have different names, but got {names}.")
        self.routes = routes
        self.strategy = strategy or Fallback()
        self.last = tuple(last)
        self.strategy.check(routes)
        self._signatures: RouteSignatures | None = None

    def __repr__(self) -> str:
        parts = [*map(repr, self.routes), f"strategy={self.strategy!r}"]
        parts += [f"last={list(self.last)!r}"] if self.last else []
        return f"Tiers({', '.join(parts)})"

    def attach(self, transport: Transport) -> None:
        """
        Tell the routes, the strategy and the last resorts.

        Raises:
            ConfigError: If the layer stands over another transport already.
        """
        if self._signatures is not None and self._signatures.transport is not transport:
            raise ConfigError("a Tiers belongs to one stack; make another one")
        if self._signatures is None:
            self._signatures = RouteSignatures(transport)
            self.strategy.attach(self._signatures)
            for resort in self.last:
                resort.attach(self._signatures)
        for route in self.routes:
            route.attach(transport)

    def targets(self, target: Target) -> list[Target]:
        """Where the routes send a request for *target*."""
        return [further for route in self.routes for further in route.targets(target)]

    @property
    def stands_in(self) -> bool:
        """Whether a last resort has one, here or in a route."""
        layers = [layer for route in self.routes for layer in route.layers]
        return any(resort.stands_in for resort in self.last) or any(
            layer.stands_in for layer in layers
        )

    def inside(self) -> Iterator[Inside]:
        """The routes."""
        for route in self.routes:
            yield Inside("tier", route.name, route)

    def now(self, request: InferRequest, inner: Immediate, /) -> InferResponse | None:
        """What a layer below has without waiting, where the strategy wants no more."""
        if request.in_sequence:
            return answered_now(request, self.routes[0], inner)
        return self.strategy.now(request, self.routes, inner)

    async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
        """Answer by the strategy, else by the last resorts."""
        if request.in_sequence:
            return answered(await self.routes[0](request, inner), self.routes[0])
        # A strategy may look at the inputs, and these are not what it expects.
        strategy = Fallback() if request.unchecked else self.strategy
        try:
            response = await strategy(request, self.routes, inner)
        except InvalidInput:
            raise
        except RequestError as error:
            # Who asks for what is kept has a last resort already.
            if not self.last or (request.only_kept and not request.unchecked):
                raise
            standing_in = await self._stand_in(request, inner, type(error).__name__)
            if standing_in is None:
                raise
            return standing_in
        if self.last and not response.trace.degraded:
            for resort in self.last:
                await resort.learn(request, self.routes, response)
        return response

    async def invalidate(self, model: str | None = None, scope: str | None = None) -> None:
        """End what the layers of the routes keep of a model, of a scope, or all of it."""
        for route in self.routes:
            for layer in route.layers:
                await layer.invalidate(model, scope)

    async def aclose(self) -> None:
        """End what goes on in the background, then close the routes."""
        async with AsyncExitStack() as closing:
            for route in reversed(self.routes):
                closing.push_async_callback(route.aclose)
            closing.push_async_callback(self.strategy.aclose)

    async def _stand_in(
        self, request: InferRequest, inner: Service, cause: str
    ) -> InferResponse | None:
        for resort in self.last:
            try:
                return await resort(request, self.routes, inner, cause)
            except RequestError:
                continue
        return None
