"""What is known of a server's models."""

from __future__ import annotations

import asyncio

from tritonkit.client.shared import Shared
from tritonkit.client.signature import Signature
from tritonkit.client.stack import Transport
from tritonkit.errors import DeadlineExceeded

__all__ = ["Signatures"]


class Signatures:
    """
    The signatures of a server's models, each asked for once.

    Callers at the same time share one question.

    Args:
        transport: What asks the server.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._known: dict[tuple[str, str], Signature] = {}
        # By event loop, too: what a closed loop, or the parent of a fork, began
        # has no answer here.
        self._reads: dict[tuple[asyncio.AbstractEventLoop, str, str], Shared[Signature]] = {}

    def known(self, model: str, version: str) -> Signature | None:
        """What the server said last; None if it was not asked yet."""
        return self._known.get((model, version))

    async def read(self, model: str, version: str, deadline: float | None) -> Signature:
        """
        Ask the server anew, or join those who do.

        Raises:
            DeadlineExceeded: If the deadline passes first.
            RequestError: If there is no answer; what was known stays.
        """
        key = (asyncio.get_running_loop(), model, version)
        read = self._reads.get(key)
        if read is None or not read.open:
            read = self._reads[key] = Shared(self._ask(model, version))
        try:
            done = await read.wait(deadline)
        finally:
            if not read.waiters and self._reads.get(key) is read:
                del self._reads[key]
        if not done:
            raise DeadlineExceeded(
                f"the deadline passed before the metadata of model {model!r} came", model=model
            )
        return read.result()

    async def _ask(self, model: str, version: str) -> Signature:
        signature = Signature.read(
            await self._transport.metadata(model, version),
            await self._transport.config(model, version),
        )
        self._known[model, version] = signature
        return signature
