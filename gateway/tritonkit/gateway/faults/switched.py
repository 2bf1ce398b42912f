"""A layer that can be switched off while requests go through it."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tritonkit.client.readings import Inside, Reading
from tritonkit.client.stack import Immediate, Layer, Target, Transport
from tritonkit.client.types import InferRequest, InferResponse, Service
from tritonkit.gateway.faults.switches import Switch

if TYPE_CHECKING:
    from tritonkit.client.experiments.log import EventLog

__all__ = ["Switched"]


class Switched(Layer):
    """
    Another layer, to whoever looks at it; a request passes it by while its switch is off.

    What it is to the stack (where it may stand, which models it reaches, what it tells) does
    not change with the switch.

    Args:
        layer: What stands here.
        switch: Whether requests go through it.
    """

    def __init__(self, layer: Layer, switch: Switch) -> None:
        self._switched_layer, self._switched_by = layer, switch
        self.shares_answers = layer.shares_answers

    def __repr__(self) -> str:
        return repr(self._switched_layer)

    @property  # type: ignore[misc]  # object has it for writing too
    def __class__(self) -> type:
        # Layers, and who builds on them, look for layers of a kind: for the one inside.
        return type(self._switched_layer)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._switched_layer, name)

    def __call__(
        self, request: InferRequest, inner: Service, /
    ) -> Coroutine[Any, Any, InferResponse]:
        """Answer by the layer, or by *inner* alone."""
        if self._switched_by.open:
            return self._switched_layer(request, inner)
        return _passed_by(request, inner)

    def now(self, request: InferRequest, inner: Immediate, /) -> InferResponse | None:
        """The same without waiting."""
        if self._switched_by.open:
            return self._switched_layer.now(request, inner)
        return inner(request)

    def targets(self, target: Target) -> Sequence[Target]:
        """Where the layer may send a request."""
        return self._switched_layer.targets(target)

    @property
    def stands_in(self) -> bool:
        """Whether the layer has an answer where nobody knows what the model takes."""
        return self._switched_layer.stands_in

    def attach(self, transport: Transport) -> None:
        """Tell the layer of the transport."""
        self._switched_layer.attach(transport)

    def stand(self, above: Sequence[Layer]) -> None:
        """Tell the layer what is above it."""
        self._switched_layer.stand(above)

    def record_to(self, log: EventLog) -> None:
        """Tell the layer where events of experiments are kept."""
        self._switched_layer.record_to(log)

    def oversee(self, parts: Sequence[Layer | Service], /) -> None:
        """Tell the layer what is below it."""
        self._switched_layer.oversee(parts)

    def observe(self) -> Iterable[Reading]:
        """What the layer tells."""
        return self._switched_layer.observe()

    def inside(self) -> Iterable[Inside]:
        """The routes that stand in the layer."""
        return self._switched_layer.inside()

    async def invalidate(self, model: str | None = None, scope: str | None = None) -> None:
        """End what the layer keeps."""
        await self._switched_layer.invalidate(model, scope)

    async def aclose(self) -> None:
        """Close the layer."""
        await self._switched_layer.aclose()


async def _passed_by(request: InferRequest, inner: Service) -> InferResponse:
    return await inner(request)
