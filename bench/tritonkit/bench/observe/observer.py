"""Who looks at the server and the machines while a load runs."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from tritonkit.bench.measurement import Usage

__all__ = ["Observed", "Observer", "Observers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """
    What was seen between start and stop; what nobody looked at is None or empty.

    Args:
        client_cpu: Cores that this process and its children used.
        client_rss_bytes: Most memory that they held.
        server_cpu: Cores that the server's processes used.
        server_rss_bytes: Most memory that they held.
        gpu_utilisation: Mean, 0 to 1, by the GPU's UUID.
        gpu_memory_bytes: Most memory in use, by UUID.
        gpu_power_watts: Mean, by UUID.
        metrics: What counters gained and what gauges were on average, by name and
            labels as they are scraped; those that are zero are left out.
    """

    client_cpu: float | None = None
    client_rss_bytes: int | None = None
    server_cpu: float | None = None
    server_rss_bytes: int | None = None
    gpu_utilisation: Mapping[str, float] = field(default_factory=dict)
    gpu_memory_bytes: Mapping[str, int] = field(default_factory=dict)
    gpu_power_watts: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)

    def joined(self, other: Observed) -> Observed:
        """Both together; where both looked at the same, *other* counts."""
        both: dict[str, Any] = {}
        for each in fields(Observed):
            mine, theirs = getattr(self, each.name), getattr(other, each.name)
            if isinstance(mine, Mapping):
                both[each.name] = {**mine, **theirs}
            else:
                both[each.name] = mine if theirs is None else theirs
        return Observed(**both)

    def usage(self, client_cpu: float, client_processes: int = 1) -> Usage:
        """
        As a measurement holds it.

        Args:
            client_cpu: What the load generator measured of itself; counts where
                nobody looked at its processes.
            client_processes: How many it has.
        """
        return Usage(
            client_cpu=client_cpu if self.client_cpu is None else self.client_cpu,
            client_processes=client_processes,
            client_rss_bytes=self.client_rss_bytes or 0,
            server_cpu=self.server_cpu,
            server_rss_bytes=self.server_rss_bytes,
            gpu_utilisation=self.gpu_utilisation,
            gpu_memory_bytes=self.gpu_memory_bytes,
            gpu_power_watts=self.gpu_power_watts,
        )


class Observer(ABC):
    """
    Looks at one thing from `start` to `stop`, again and again.

    It takes little time of the event loop, and what it cannot see it leaves out:
    neither method raises because of what it looks at.
    """

    @abstractmethod
    async def start(self) -> None:
        """Begin a window."""

    @abstractmethod
    async def stop(self) -> Observed:
        """End it, and tell what was seen in between."""


class Observers(Observer):
    """Several, at the same time; where two see the same, the later one's word counts."""

    def __init__(self, observers: Iterable[Observer] = ()) -> None:
        self.observers = tuple(observers)

    async def start(self) -> None:
        """Begin a window of each."""
        await asyncio.gather(*(observer.start() for observer in self.observers))

    async def stop(self) -> Observed:
        """End it, and tell what was seen in between."""
        seen = Observed()
        for each in await asyncio.gather(*(observer.stop() for observer in self.observers)):
            seen = seen.joined(each)
        return seen
