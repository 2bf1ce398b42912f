"""What the models of the routes take and give."""

from __future__ import annotations

from collections.abc import Sequence

from tritonkit.client.layers.coalesce.joining import joinable_rows
from tritonkit.client.layers.tiers.allotment import within
from tritonkit.client.route import Route
from tritonkit.client.signature import Signature
from tritonkit.client.signatures import Signatures
from tritonkit.client.stack import Transport
from tritonkit.client.types import InferRequest
from tritonkit.errors import RequestError

__all__ = ["RouteSignatures"]


class RouteSignatures:
    """
    The signatures of the models that routes ask, each asked for once.

    Args:
        transport: At the bottom of the stack; routes with a server of their own
            ask that one.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self._by_server: dict[Transport, Signatures] = {}

    def known(self, route: Route, request: InferRequest) -> Signature | None:
        """Of the model that *route* would ask; None if its server was not asked yet."""
        return self._of(route).known(*_model(route, request))

    async def read(self, route: Route, request: InferRequest) -> Signature | None:
        """Likewise, but asks where it must; None where there is no answer in time."""
        known = self.known(route, request)
        if known is not None:
            return known
        try:
            return await self._of(route).read(*_model(route, request), request.deadline)
        except RequestError:
            # The request itself will tell what is wrong.
            return None

    async def rows(self, route: Route, request: InferRequest) -> int:
        """How many rows *request* has; 0 where it cannot be split into them."""
        signature = await self.read(route, request)
        return 0 if signature is None else joinable_rows(request, signature)

    async def rows_of_any(self, routes: Sequence[Route], request: InferRequest) -> int:
        """Likewise, by whichever route's server can tell; each has the time of its route."""
        known = (self.known(route, request) for route in routes)
        signature = next((one for one in known if one is not None), None)
        for position, route in enumerate(routes):
            if signature is None:
                asked = route.request(within(request, routes[position:]))
                signature = await self.read(route, asked)
        return 0 if signature is None else joinable_rows(request, signature)

    def _of(self, route: Route) -> Signatures:
        server = route.server or self.transport
        return self._by_server.setdefault(server, Signatures(server))


def _model(route: Route, request: InferRequest) -> tuple[str, str]:
    return route.model or request.model, route.version or request.version
