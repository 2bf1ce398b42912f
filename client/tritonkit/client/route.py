"""One of several ways to an answer."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING

from tritonkit.client.spans import span
from tritonkit.client.stack import Layer, Target, Transport, all_targets, chain
from tritonkit.client.transports import transport_for
from tritonkit.client.types import InferRequest, InferResponse, Service
from tritonkit.errors import ConfigError
from tritonkit.units import parse_duration

if TYPE_CHECKING:
    from tritonkit.client.experiments.log import EventLog

__all__ = ["Route"]


class Route:
    """
    A model, a version, a server, or any of them, under a name.

    What chooses between routes calls one with the request and with its own inner
    service; the route asks its own server instead, where it has one, and has
    layers of its own in front of either.

    Args:
        name: What traces, metrics and errors call it.
        model: The model to ask; the request's own by default. It takes the same inputs.
        version: Its version; the request's own by default.
        timeout: The most that one call may take; None leaves it to the request's deadline.
        layers: In front of this route alone: a breaker, a cache of its own.
        server: A URL, several of them, or a transport; the client's own server by default.

    Raises:
        ConfigError: If the name is empty, the timeout no duration, or the URL wrong.
    """

    kind = "tier"
    """What spans call such a way."""

    def __init__(
        self,
        name: str,
        *,
        model: str = "",
        version: str = "",
        timeout: str | float | timedelta | None = None,
        layers: Sequence[Layer] = (),
        server: str | Sequence[str] | Transport | None = None,
    ) -> None:
        if not name:
            raise ConfigError("a route must have a name, but got ''.")
        self.name = name
        self.model = model
        self.version = version
        self.timeout = None if timeout is None else parse_duration(timeout, name="timeout")
        self.layers = tuple(layers)
        if server is not None and not isinstance(server, Transport):
            server = transport_for(server)
        self.server = server

    def __repr__(self) -> str:
        parts = [repr(self.name)]
        parts += [f"model={self.model!r}"] if self.model else []
        parts += [f"version={self.version!r}"] if self.version else []
        parts += [f"timeout={self.timeout}"] if self.timeout is not None else []
        parts += [repr(part) for part in (*self.layers, self.server) if part is not None]
        return f"Route({', '.join(parts)})"

    def attach(self, transport: Transport) -> None:
        """Tell the layers of the transport that they stand over."""
        for layer in self.layers:
            layer.attach(self.server or transport)

    def targets(self, target: Target) -> list[Target]:
        """Where this route may send a request for *target*, the best first."""
        own = Target(
            self.server or target.transport,
            self.model or target.model,
            self.version or target.version,
            target.timeout,
        )
        return all_targets(self.layers, own.within(self.timeout))

    def stand(self, above: Sequence[Layer]) -> None:
        """Tell the layers which layers are above them."""
        for number, layer in enumerate(self.layers):
            layer.stand([*above, *self.layers[:number]])

    def record_to(self, log: EventLog) -> None:
        """Tell the layers where events of experiments are kept."""
        for layer in self.layers:
            layer.record_to(log)

    def request(self, request: InferRequest) -> InferRequest:
        """*request* as this route asks it: its model, its version, the earlier deadline."""
        deadline = request.deadline
        if self.timeout is not None:
            own = monotonic() + self.timeout
            deadline = own if deadline is None else min(deadline, own)
        if not self.model and not self.version and deadline == request.deadline:
            return request
        return request.but(
            model=self.model or None, version=self.version or None, deadline=deadline
        )

    async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
        """
        Ask this way.

        Args:
            request: As the caller made it.
            inner: The service below what chooses; asked unless the route has a server.

        Raises:
            RequestError: If there is no answer.
        """
        with span(self.kind, **{self.kind: self.name}):
            return await chain(self.layers, self.server or inner)(self.request(request))

    async def aclose(self) -> None:
        """Close the layers, and the server that is this route's own."""
        async with AsyncExitStack() as closing:
            # One that fails to close keeps none of the others open.
            if self.server is not None:
                closing.push_async_callback(self.server.aclose)
            for layer in reversed(self.layers):
                closing.push_async_callback(layer.aclose)
