"""Layers around a transport."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from tritonkit.client.readings import Inside, Reading
from tritonkit.client.types import InferRequest, InferResponse, Service
from tritonkit.errors import ConfigError, NotKept

if TYPE_CHECKING:
    from tritonkit.client.experiments.log import EventLog
    from tritonkit.client.wire.http1 import Reply
    from tritonkit.client.wire.passage import Passage

__all__ = [
    "Immediate",
    "Layer",
    "Stack",
    "Target",
    "Transport",
    "chain",
    "chain_now",
    "not_now",
    "refuse_kept",
]

Immediate: TypeAlias = Callable[[InferRequest], InferResponse | None]
"""Answers at once or not at all: the part of a service that needs no event loop."""


class Layer(ABC):
    """
    One concern around a service.

    A layer gets the service below it with every call, so it may call it zero,
    one or many times. It holds whatever it acquires only until the call ends.
    """

    shares_answers: bool = False
    """Whether one caller may get what was computed for another, or together with it."""

    @abstractmethod
    async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
        """Answer *request*, by *inner* or otherwise."""

    def now(self, request: InferRequest, inner: Immediate, /) -> InferResponse | None:
        """
        Answer *request* without waiting, or None where that needs the event loop.

        A caller in any thread may ask; who gets None makes the same request
        again by a call, so nothing is to be counted then.
        """
        return None

    def targets(self, target: Target) -> Sequence[Target]:
        """
        Where a request that comes here for *target* may go, the best first.

        There alone by default. A layer that chooses between models or servers
        names them all: they take the same inputs, so where the best is away any
        other tells what those are.
        """
        return (target,)

    @property
    def stands_in(self) -> bool:
        """Whether the layer has an answer where nobody knows what the model takes."""
        return False

    def attach(self, transport: Transport) -> None:  # noqa: B027, most layers ask no server
        """
        Learn of the transport at the bottom of the stack, once, before the first request.

        Raises:
            ConfigError: If the layer cannot stand over it.
        """

    def stand(self, above: Sequence[Layer]) -> None:
        """
        Look at the layers above, the outermost first, before the first request.

        Raises:
            ConfigError: If the layer, or one inside of it, cannot stand under one of them.
        """
        for *_, route in self.inside():
            route.stand([*above, self])

    def record_to(self, log: EventLog) -> None:
        """Learn where events of experiments are kept, once, before the first request."""
        for *_, route in self.inside():
            route.record_to(log)

    def oversee(self, parts: Sequence[Layer | Service], /) -> None:  # noqa: B027, few look below
        """Learn of the layers below and of the transport, once, before the first request."""

    def observe(self) -> Iterable[Reading]:
        """Numbers of now, from any thread, for Telemetry; nothing by default."""
        return ()

    def inside(self) -> Iterable[Inside]:
        """The routes that stand in this layer, with layers of their own; none by default."""
        return ()

    async def invalidate(self, model: str | None = None, scope: str | None = None) -> None:  # noqa: B027
        """End what is kept of a model, of a scope, or all of it; nothing by default."""

    async def aclose(self) -> None:  # noqa: B027, a layer without resources has nothing to close
        """Release what the layer holds; nothing by default."""


class Target(NamedTuple):
    """
    A model at a server, as a request may reach it.

    Args:
        transport: To the server.
        model: Its name there.
        version: Its version; empty lets the server choose.
        timeout: The most that layers on the way give it, in seconds; None for no limit.
    """

    transport: Transport
    model: str
    version: str = ""
    timeout: float | None = None

    def within(self, timeout: float | None) -> Target:
        """The same, with no more time than *timeout*."""
        if timeout is None or (self.timeout is not None and self.timeout <= timeout):
            return self
        return self._replace(timeout=timeout)


class Transport(ABC):
    """A service that talks to a server."""

    cancels: bool = False
    """
    Whether the server learns that a caller gave up, and may drop what it has not begun.

    Triton does over gRPC, for models with a dynamic batcher; over HTTP it computes
    whatever it was sent.
    """

    forwards: bool = False
    """Whether `forward` does anything."""

    several: bool = False
    """Whether it chooses between servers; it then asks `placement.placements`."""

    def servers(self, model: str, version: str = "") -> Sequence[str]:
        """Names of those that a request to a model may go to now; one without a name by default."""
        return ("",)

    @abstractmethod
    async def __call__(self, request: InferRequest, /) -> InferResponse:
        """Send *request* and wait for its answer."""

    @abstractmethod
    async def metadata(
        self, model: str, version: str = "", *, deadline: float | None = None
    ) -> dict[str, Any]:
        """The model's metadata as KServe v2 has it: name, versions, platform, inputs, outputs."""

    @abstractmethod
    async def config(
        self, model: str, version: str = "", *, deadline: float | None = None
    ) -> dict[str, Any]:
        """The model's configuration as Triton completed it, field names as in the proto."""

    @abstractmethod
    async def ready(
        self, model: str = "", version: str = "", *, deadline: float | None = None
    ) -> bool:
        """
        Whether the server, or the named model, says that it takes requests.

        A server that cannot be reached raises ServerUnavailable.
        """

    @abstractmethod
    async def statistics(
        self, model: str = "", version: str = "", *, deadline: float | None = None
    ) -> list[dict[str, Any]]:
        """
        Triton's counters, one entry for each model and version; of all models by default.

        Where a transport stands for several servers there is one for each of them.
        """

    async def about(self, *, deadline: float | None = None) -> dict[str, Any]:
        """The server's metadata, its name and version; nothing where there are several."""
        return {}

    async def forward(self, passage: Passage, *, deadline: float | None = None) -> Reply:
        """
        Send an HTTP request on as it came, and hand back what the server says, errors too.

        Raises:
            ConfigError: If the transport does not speak HTTP; *forwards* tells.
            ServerUnavailable: If there is no server, or it does not answer.
        """
        raise ConfigError(f"{self!r} cannot send on what came over HTTP.")

    def observe(self) -> Iterable[Reading]:
        """Numbers of now, from any thread, for Telemetry; nothing by default."""
        return ()

    async def aclose(self) -> None:  # noqa: B027, a transport in tests may hold nothing
        """Close the connections."""


class Stack:
    """
    A service made of layers around a service.

    Args:
        transport: What the innermost layer calls.
        layers: The first is outermost: it sees the request first and the
            response last.
    """

    def __init__(self, transport: Service, layers: Sequence[Layer] = ()) -> None:
        self.transport = transport
        self.layers = tuple(layers)
        immediate: Immediate = transport.now if isinstance(transport, Stack) else not_now
        parts = self.parts
        *layers, bottom = parts
        for layer in reversed(self.layers):
            if isinstance(bottom, Transport):
                layer.attach(bottom)
        for number, layer in enumerate(layers):
            layer.stand(layers[:number])
        for number, layer in enumerate(self.layers, 1):
            layer.oversee(parts[number:])
        self._service = chain(self.layers, transport)
        self._immediate = chain_now(self.layers, immediate)

    def __call__(self, request: InferRequest, /) -> Awaitable[InferResponse]:
        """Send *request* through every layer."""
        return self._service(request)

    def now(self, request: InferRequest, /) -> InferResponse | None:
        """The answer, where a layer has it without waiting; from any thread."""
        return self._immediate(request)

    def __repr__(self) -> str:
        return f"Stack({' > '.join(map(repr, self.parts))})"

    @property
    def parts(self) -> list[Any]:
        """Layers and transport from the outside in, also those of a stack inside."""
        inner = self.transport
        return [*self.layers, *(inner.parts if isinstance(inner, Stack) else [inner])]

    def targets(self, target: Target) -> list[Target]:
        """Where a request for *target* may go through all layers, the best first, each once."""
        layers = [part for part in self.parts if isinstance(part, Layer)]
        places: dict[tuple[Transport, str, str], Target] = {}
        for each in all_targets(layers, target):
            places.setdefault(each[:3], each)
        return list(places.values())

    @property
    def stands_in(self) -> bool:
        """Whether a layer has an answer where nobody knows what the model takes."""
        return any(isinstance(part, Layer) and part.stands_in for part in self.parts)

    def record_to(self, log: EventLog) -> None:
        """Tell every layer where events of experiments are kept."""
        for part in self.parts:
            if isinstance(part, Layer):
                part.record_to(log)

    async def invalidate(self, model: str | None = None, scope: str | None = None) -> None:
        """End what any layer keeps of a model, of a scope, or all of it."""
        for part in self.parts:
            if isinstance(part, Layer):
                await part.invalidate(model, scope)

    async def aclose(self) -> None:
        """Close the layers from the outside in, then the transport."""
        async with AsyncExitStack() as closing:
            # One that fails to close keeps none of the others open.
            for part in (self.transport, *reversed(self.layers)):
                close = getattr(part, "aclose", None)
                if close is not None:
                    closing.push_async_callback(close)


def chain(layers: Sequence[Layer], service: Service) -> Service:
    """The service that is *service* behind *layers*, the first of them outermost."""
    for layer in reversed(layers):
        service = partial(_through, layer, service)
    return service


def all_targets(layers: Sequence[Layer], target: Target) -> list[Target]:
    """Where a request for *target* may go through *layers*, the first of them outermost."""
    found = [target]
    for layer in layers:
        found = [
            further
            for one in found
            # One with a server of its own passes no layer below.
            for further in (layer.targets(one) if one.transport is target.transport else (one,))
        ]
    return found


def chain_now(layers: Sequence[Layer], immediate: Immediate) -> Immediate:
    """The same of what answers without waiting."""
    for layer in reversed(layers):
        immediate = partial(_now_through, layer, immediate)
    return immediate


def not_now(request: InferRequest) -> None:
    """What a transport has without waiting: nothing."""


def refuse_kept(request: InferRequest) -> None:
    """
    What a transport does first: it keeps nothing.

    Raises:
        NotKept: If only a kept answer would do.
    """
    if request.only_kept:
        raise NotKept(f"no answer of {request.model!r} is kept", model=request.model)


def _through(layer: Layer, inner: Service, request: InferRequest) -> Any:
    return layer(request, inner)


def _now_through(layer: Layer, inner: Immediate, request: InferRequest) -> InferResponse | None:
    return layer.now(request, inner)
