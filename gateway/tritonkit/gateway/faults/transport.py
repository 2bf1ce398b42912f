"""A way to a server that meets faults on purpose."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Sequence
from time import monotonic
from typing import Any, NoReturn

from tritonkit.client.readings import Reading
from tritonkit.client.stack import Transport
from tritonkit.client.types import InferRequest, InferResponse
from tritonkit.errors import DeadlineExceeded, InferenceFailed, NotConnected
from tritonkit.gateway.faults.faults import NONE, Faults

__all__ = ["FaultyTransport"]


_INFERENCES = ("infer", "generate", "generate_stream")
"""Last parts of the paths of what is slow or fails."""


class FaultyTransport(Transport):
    """
    Another transport, to whoever looks at it, but for the faults that are on.

    A server that is down refuses everything; what is slow or fails are inferences alone.

    Args:
        transport: What is asked.
        endpoint: What faults call its server.
        faults: Those of this worker.
        rng: Decides which of a share fail.
    """

    def __init__(
        self,
        transport: Transport,
        endpoint: str,
        faults: Faults,
        *,
        rng: random.Random | None = None,
    ) -> None:
        self._transport, self._endpoint, self._faults = transport, endpoint, faults
        self._draw = (rng or random.Random()).random
        self.cancels, self.several = transport.cancels, transport.several
        self.forwards = getattr(transport, "forwards", False)

    def __repr__(self) -> str:
        return repr(self._transport)

    @property  # type: ignore[misc]  # object has it for writing too
    def __class__(self) -> type:
        # Who looks for a kind of transport finds the one that is inside.
        return type(self._transport)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    async def __call__(self, request: InferRequest, /) -> InferResponse:
        """Send *request*, unless a fault has it otherwise."""
        effect = self._faults.effect(request.model, self._endpoint, self._draw)
        if effect is not NONE:
            if effect.end == "down":
                self._refuse(request.model)
            await _wait(effect.delay, request.deadline, request.model)
            if effect.end == "fail":
                _fail(request.model)
        return await self._transport(request)

    def servers(self, model: str, version: str = "") -> Sequence[str]:
        """Those of the transport."""
        return self._transport.servers(model, version)

    async def metadata(
        self, model: str, version: str = "", *, deadline: float | None = None
    ) -> dict[str, Any]:
        """The model's metadata."""
        self._reach(model)
        return await self._transport.metadata(model, version, deadline=deadline)

    async def config(
        self, model: str, version: str = "", *, deadline: float | None = None
    ) -> dict[str, Any]:
        """The model's configuration."""
        self._reach(model)
        return await self._transport.config(model, version, deadline=deadline)

    async def ready(
        self, model: str = "", version: str = "", *, deadline: float | None = None
    ) -> bool:
        """Whether the server, or the named model, says that it takes requests."""
        self._reach(model)
        return await self._transport.ready(model, version, deadline=deadline)

    async def statistics(
        self, model: str = "", version: str = "", *, deadline: float | None = None
    ) -> list[dict[str, Any]]:
        """Triton's counters."""
        self._reach(model)
        return await self._transport.statistics(model, version, deadline=deadline)

    async def about(self, *, deadline: float | None = None) -> dict[str, Any]:
        """The server's metadata."""
        self._reach("")
        return await self._transport.about(deadline=deadline)

    async def forward(self, passage: Any, *, deadline: float | None = None) -> Any:
        """Send on what came over HTTP."""
        self._reach(passage.model)
        # What else is posted changes a server.
        if passage.path.partition("?")[0].rpartition("/")[2] in _INFERENCES:
            effect = self._faults.effect(passage.model, self._endpoint, self._draw)
            await _wait(effect.delay, deadline, passage.model)
            if effect.end == "fail":
                _fail(passage.model)
        transport: Any = self._transport
        return await transport.forward(passage, deadline=deadline)

    def observe(self) -> Iterable[Reading]:
        """What the transport tells."""
        return self._transport.observe()

    async def aclose(self) -> None:
        """Close the transport."""
        await self._transport.aclose()

    def _reach(self, model: str) -> None:
        if self._faults.down(self._endpoint):
            self._refuse(model)

    def _refuse(self, model: str) -> NoReturn:
        raise NotConnected(
            f"{self._endpoint} takes no connections, on purpose: a fault of the live page is on",
            model=model,
        )


def _fail(model: str) -> NoReturn:
    raise InferenceFailed(
        f"{model!r} fails on purpose: a fault of the live page is on", model=model
    )


async def _wait(delay: float, deadline: float | None, model: str) -> None:
    """As a server that is slow: whoever has a deadline does not wait beyond it."""
    if not delay:
        return
    left = delay if deadline is None else deadline - monotonic()
    await asyncio.sleep(max(0.0, min(delay, left)))
    if left < delay:
        raise DeadlineExceeded(
            f"{model!r} did not answer in time; it is slow on purpose", model=model
        )
