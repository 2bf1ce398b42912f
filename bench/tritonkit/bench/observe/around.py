"""Everything that can be observed around the windows of one server."""

from __future__ import annotations

import asyncio

from tritonkit.bench.observe.gpu import Gpus
from tritonkit.bench.observe.listening import is_local, listeners, listening_ports
from tritonkit.bench.observe.observer import Observer, Observers
from tritonkit.bench.observe.processes import Processes
from tritonkit.bench.observe.prometheus import OFF, Metrics, find_metrics
from tritonkit.client.wire.address import Address

__all__ = ["observers_of"]


async def observers_of(address: Address, metrics: str | None = None) -> Observers:
    """
    The observers of a server.

    Its processes and the GPUs are looked at where it is on this machine; a GPU of
    another machine is known by its metrics only.

    Args:
        address: The server.
        metrics: The URL of its metrics, "off" for none, None to look for them.

    Raises:
        ConfigError: If the URL that was given has no metrics.
    """
    local = await asyncio.to_thread(is_local, address.host)

    def pids() -> frozenset[int]:
        return listeners(address) if local else frozenset()

    ports: frozenset[int] | None = None
    if local and metrics is None and (server := await asyncio.to_thread(pids)):
        ports = await asyncio.to_thread(listening_ports, server)
    url = None if metrics == OFF else await find_metrics(metrics, address, ports)
    found: list[Observer] = []
    if url is not None:
        found.append(Metrics(url))
    found.append(Processes(pids))
    if local:
        # After the metrics, whose readings of the same GPUs are up to 2 s old.
        found.append(Gpus())
    return Observers(found)
