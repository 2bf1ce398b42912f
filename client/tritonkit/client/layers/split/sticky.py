"""Which arm a unit had first, through every change of weights."""

from __future__ import annotations

import hashlib
import logging
import re
from abc import ABC, abstractmethod
from datetime import timedelta

from tritonkit.client.experiments.events import length_prefixed
from tritonkit.client.stores.redis.lines import Lines
from tritonkit.client.stores.redis.link import PATIENCE, Link
from tritonkit.client.stores.redis.redis_url import check_url, masked
from tritonkit.client.stores.redis.servers import server_at
from tritonkit.errors import ConfigError
from tritonkit.units import parse_duration

__all__ = ["MemorySticky", "RedisSticky", "Sticky"]

_NAMESPACE = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_log = logging.getLogger("tritonkit.client.experiments")


class Sticky(ABC):
    """Remembers the first arm of each unit. Used from several event loops."""

    @abstractmethod
    async def first(self, experiment: str, unit: str, arm: str) -> str | None:
        """
        The arm that the unit had first: *arm*, where it had none.

        *experiment* is its name, and its salt where it has one.

        None where it cannot be known; the caller then takes *arm*, which is that of
        every process without this memory.
        """

    async def aclose(self) -> None:  # noqa: B027, what is in memory has no connections
        """Close the connections of this event loop."""


class MemorySticky(Sticky):
    """Remembers in this process, as long as it lives: for tests, and for one process alone."""

    def __init__(self) -> None:
        self._arms: dict[tuple[str, str], str] = {}

    def __repr__(self) -> str:
        return "MemorySticky()"

    async def first(self, experiment: str, unit: str, arm: str) -> str:
        """The arm that the unit had first."""
        return self._arms.setdefault((experiment, unit), arm)


class RedisSticky(Sticky):
    """
    Remembers in Redis 5 or later, for all processes; a key for each unit.

    Args:
        url: As for `Redis`, the store.
        ttl: How long a unit is remembered from its first request on. 90 days: longer
            than most experiments.
        budget: The most that a request waits. 20 ms, as the cache's.
        cluster: The URL is that of a node of a Redis Cluster.
        namespace: How every key in Redis begins.

    Raises:
        ConfigError: If an argument is wrong.
        MissingExtra: If redis is not installed.
    """

    def __init__(
        self,
        url: str = "redis://localhost:6379/0",
        *,
        ttl: str | float | timedelta = "90d",
        budget: str | float | timedelta = "20ms",
        cluster: bool = False,
        namespace: str = "tritonkit",
    ) -> None:
        self.ttl = parse_duration(ttl, name="ttl")
        if self.ttl < 1:
            raise ConfigError(f"ttl must be 1s or more, but got {ttl!r}.")
        self.budget = parse_duration(budget, name="budget")
        if not self.budget:
            raise ConfigError(f"budget must be more than 0, but got {budget=}.")
        if not _NAMESPACE.fullmatch(namespace):
            raise ConfigError(
                f"namespace must be letters, digits, '.', '-' and '_', but got {namespace!r}."
            )
        check_url(url, cluster=cluster)
        self.url = masked(url)
        self.cluster = cluster
        self._url = url
        self._base = f"{namespace}:sticky:".encode()
        self._failing = False
        self._lines: Lines[Link] = Lines(self._open, Link.aclose)

    def __repr__(self) -> str:
        return f"RedisSticky({self.url!r}{', cluster=True' if self.cluster else ''})"

    async def first(self, experiment: str, unit: str, arm: str) -> str | None:
        """The arm that the unit had first, in one round trip."""
        key = self._base + hashlib.sha256(length_prefixed(experiment, unit)).digest()[:16]
        link = self._lines.get()
        written, read = await link.ask(
            [key, key],
            [("SET", key, arm.encode(), "PX", int(self.ttl * 1000), "NX"), ("GET", key)],
        )
        if not (written.answered and read.answered) or not isinstance(read.value, bytes):
            if not self._failing:
                _log.warning("%s does not remember the arms of units: %s", self.url, link.silence)
            self._failing = True
            return None
        self._failing = False
        return read.value.decode()

    async def aclose(self) -> None:
        """Disconnect this event loop; used again, it connects again."""
        await self._lines.aclose()

    def _open(self) -> Link:
        patience = max(PATIENCE, self.budget)
        server = server_at(self._url, cluster=self.cluster, patience=patience)
        return Link(server, self.budget, _uncounted, title=self.url)


def _uncounted(counter: str, by: int) -> None:
    """The Split counts units of which nothing is known."""
