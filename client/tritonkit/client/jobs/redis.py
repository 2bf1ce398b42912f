"""Jobs whose results wait in Redis, for any process."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from tritonkit.client.jobs.board import Board
from tritonkit.client.jobs.seen import EXPIRY, Seen
from tritonkit.client.stores.redis.lines import Lines
from tritonkit.client.stores.redis.link import PATIENCE, Link
from tritonkit.client.stores.redis.redis_url import check_url, masked
from tritonkit.client.stores.redis.servers import server_at
from tritonkit.errors import ConfigError, ServerUnavailable
from tritonkit.units import format_duration, parse_duration

__all__ = ["Jobs"]


class Jobs(Board):
    """
    Results wait in Redis 5 or later, and are fetched from any process.

        async with AsyncClient(url, jobs=Jobs("redis://localhost:6379")) as client:
            job = await client.submit("embed", {"text": texts})
        ...
        answer = await Jobs("redis://localhost:6379").job(id).result("30s")

    A job is two keys: what is known of it, and for as long as somebody works on
    it a sign of life, renewed every second and gone five seconds after the last.
    Where Redis loses them in a restart, whoever works on the job writes them again.

    Args:
        url: As `Redis` takes it.
        ttl: How long a result waits to be fetched. An hour: more than any caller
            is away, without keeping what nobody fetches.
        cluster: The URL is that of a node of a Redis Cluster.
        namespace: How every key in Redis begins.

    Raises:
        ConfigError: If the URL or another argument is wrong.
        MissingExtra: If redis is not installed.
    """

    def __init__(
        self,
        url: str = "redis://localhost:6379/0",
        *,
        ttl: str | float | timedelta = "1h",
        cluster: bool = False,
        namespace: str = "tritonkit",
    ) -> None:
        self.ttl = parse_duration(ttl, name="ttl")
        if self.ttl < 0.001:
            raise ConfigError(f"ttl must be 1ms or more, but got {ttl!r}.")
        if not namespace or set("{}") & set(namespace):
            raise ConfigError(f"namespace must be text without braces, but got {namespace!r}.")
        check_url(url, cluster=cluster)
        self.url = masked(url)
        self.cluster = cluster
        self.namespace = namespace
        # Without a way back to here: left without `aclose`, it goes at once, and closes them.
        self._lines: Lines[Link] = Lines(partial(_open, url, cluster, self.url), Link.aclose)

    def __repr__(self) -> str:
        cluster = ", cluster=True" if self.cluster else ""
        return f"Jobs({self.url!r}, ttl={format_duration(self.ttl)!r}{cluster})"

    async def announce(self, id: str, data: bytes) -> None:
        """Write down that somebody begins to work on it."""
        await self._ask(
            [
                # In this order: what is alive and not yet written is not lost.
                ("SET", self._life(id), b"1", "PX", int(EXPIRY * 1000)),
                ("SET", self._result(id), data, "PX", self._lifetime),
            ]
        )

    async def beat(self, jobs: Sequence[tuple[str, bytes]]) -> None:
        """Say that they are worked on; those that got lost are announced again."""
        await self._ask(
            [
                command
                for id, data in jobs
                for command in (
                    ("SET", self._life(id), b"1", "PX", int(EXPIRY * 1000)),
                    ("SET", self._result(id), data, "PX", self._lifetime, "NX"),
                    ("PEXPIRE", self._result(id), self._lifetime),
                )
            ]
        )

    async def finish(self, id: str, data: bytes) -> None:
        """Write down how it ended."""
        # In this order: between the two, it has ended.
        await self._ask(
            [("SET", self._result(id), data, "PX", self._lifetime), ("DEL", self._life(id))]
        )

    async def see(self, id: str) -> Seen:
        """What is known of it."""
        # In this order: who has ended between the two has written how.
        alive, data = await self._ask([("EXISTS", self._life(id)), ("GET", self._result(id))])
        return Seen(data if isinstance(data, bytes) else None, alive=bool(alive))

    async def aclose(self) -> None:
        """Disconnect this event loop. Used again, it connects again."""
        await self._lines.aclose()

    @property
    def _lifetime(self) -> int:
        return max(1, int(self.ttl * 1000))

    # Both keys of a job are in one slot of a cluster.
    def _result(self, id: str) -> bytes:
        return f"{self.namespace}:job:{{{id}}}".encode()

    def _life(self, id: str) -> bytes:
        return f"{self.namespace}:job:{{{id}}}:alive".encode()

    async def _ask(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        """
        What Redis says to each.

        Raises:
            ServerUnavailable: If it does not, or refuses.
        """
        if not commands:
            return []
        keys = [command[1] for command in commands]
        replies = await self._lines.get().ask(keys, commands, kind="command")
        for reply in replies:
            if not reply.answered:
                reason = reply.error or "no answer"
                raise ServerUnavailable(f"{self.url} does not keep jobs: {reason}") from reply.error
        return [reply.value for reply in replies]


def _open(url: str, cluster: bool, title: str) -> Link:
    server = server_at(url, cluster=cluster, patience=PATIENCE)
    return Link(server, PATIENCE, _uncounted, title=title)


def _uncounted(counter: str, by: int) -> None:
    """Nobody asks for these counts."""
