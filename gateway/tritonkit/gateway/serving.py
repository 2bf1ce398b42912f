"""What one worker of the gateway holds, for whatever part is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tritonkit.client.async_client import AsyncClient
from tritonkit.client.layers.telemetry.telemetry import Telemetry
from tritonkit.gateway.passed import Observe, Passed

__all__ = ["Serving"]


@dataclass(slots=True, kw_only=True)
class Serving:
    """
    One worker's client, and who watches.

    Args:
        client: Of the policy. The protocol asks its stack, since Triton itself refuses what
            does not fit; the routes for applications ask the client.
        telemetry: The first of the stack.
        worker: Number of the process, from 0.
        workers: How many there are.
        observers: Told of every request.
        folder: That all workers of one gateway share, for files and sockets; it is gone when
            the gateway ends. None where there is but this worker and no folder.
    """

    client: AsyncClient
    telemetry: Telemetry
    worker: int = 0
    workers: int = 1
    observers: list[Observe] = field(default_factory=list)
    folder: Path | None = None

    def passed(self, passed: Passed) -> None:
        """Tell all observers."""
        for observe in self.observers:
            observe(passed)
