"""A store that processes and machines share, and that outlives them: Redis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from time import monotonic
from typing import NamedTuple

from tritonkit.client.epochs import ALL, model_epoch
from tritonkit.client.forks import fork_safe_lock
from tritonkit.client.stores.encoding import FOREVER, decode
from tritonkit.client.stores.redis import listing
from tritonkit.client.stores.redis.keyspace import Keyspace
from tritonkit.client.stores.redis.lines import Lines
from tritonkit.client.stores.redis.link import PATIENCE, Link, Reply
from tritonkit.client.stores.redis.listing import ModelUsage
from tritonkit.client.stores.redis.redis_url import check_url, masked
from tritonkit.client.stores.redis.servers import server_at
from tritonkit.client.stores.redis.tokens import new_token, read_tokens, renew_tokens
from tritonkit.client.stores.redis.writes import Writes
from tritonkit.client.stores.store import Entry, Store
from tritonkit.errors import ConfigError
from tritonkit.extras import require
from tritonkit.units import parse_duration, parse_size

__all__ = ["ModelUsage", "Redis"]

_MAX_CONNECTIONS = 32
# More than two clocks that are asked every minute can differ by.
_FUTURE = 1.0
# Only its owner may end a lease: another's may have begun since.
_RELEASE = (
    "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"
)
_COUNTERS = ("hits", "misses", "written", "dropped", "corrupt", "errors", "timeouts")


class _Line(NamedTuple):
    """What belongs to one event loop."""

    link: Link
    writes: Writes
    owner: bytes
    """Of the leases that are asked for here."""


class Redis(Store):
    """
    Entries in Redis 5 or later, or what speaks its protocol.

    Redis may be slow, full, gone or mad: what it does not give within the budget
    is a miss, and after three failures in a row it is left alone, at first for
    half a second. Entries are read in one round trip and written behind the
    back of requests. Each event loop has its own connections.

    An entry's age is told by the server's clock, so those of clients do not
    matter. Redis is asked for its time with the first read on a connection.

    Args:
        url: `redis://[[user]:[password]@]host[:port][/database]`, `rediss://` for
            TLS, `unix://path`. Options of redis-py follow a "?", such as
            `ssl_ca_certs=/path` or `client_name=api`.
        cluster: The URL is that of a node of a Redis Cluster.
        namespace: How every key in Redis begins. Whoever shares it shares the
            entries.
        budget: The most that one request waits for everything Redis does. 20 ms:
            ten times what a server in the same data centre takes with a batch.
        compress: By zstd, where an entry gets smaller. Off: floats hardly do.
        max_pending: Bytes that may wait to be written, for each event loop; what
            is over is dropped. 16 MB: a moment's worth, not a second cache.

    Raises:
        ConfigError: If the URL or another argument is wrong.
        MissingExtra: If redis is not installed, or zstandard to compress.
    """

    name = "redis"
    shared = True
    budget: float

    def __init__(
        self,
        url: str = "redis://localhost:6379/0",
        *,
        cluster: bool = False,
        namespace: str = "tritonkit",
        budget: str | float | timedelta = "20ms",
        compress: bool = False,
        max_pending: str | int = "16MB",
    ) -> None:
        self.budget = parse_duration(budget, name="budget")
        if not self.budget:
            raise ConfigError(f"budget must be more than 0, but got {budget=}.")
        options = check_url(url, cluster=cluster)
        if compress:
            require("zstandard", extra="redis")
        self.url = masked(url)
        self.cluster = cluster
        self._url = url
        self._keyspace = Keyspace(namespace)
        self._compress = compress
        self._max_pending = parse_size(max_pending, name="max_pending")
        self._slots = min(_MAX_CONNECTIONS, int(options.get("max_connections") or _MAX_CONNECTIONS))
        self._lock = fork_safe_lock()
        self._counters = dict.fromkeys(_COUNTERS, 0)
        self._lines: Lines[_Line] = Lines(self._open, _close)

    def __repr__(self) -> str:
        return f"Redis({self.url!r}{', cluster=True' if self.cluster else ''})"

    @property
    def counters(self) -> dict[str, int]:
        """
        How often something happened since the store was made, over all event loops.

        hits and misses: of keys. written and dropped: entries put. corrupt: values
        that were no entry of their key. errors: replies and connections that
        failed. timeouts: exchanges that took longer than the budget.
        """
        with self._lock:
            return dict(self._counters)

    async def get(self, model: str, keys: Sequence[bytes]) -> list[Entry | None]:
        """What Redis has of *keys*, in one round trip to each node."""
        if not keys:
            return []
        names = [self._keyspace.entry(model, key) for key in keys]
        replies = await self._lines.get().link.ask(names, [("GET", name) for name in names])
        entries = [self._read(key, reply) for key, reply in zip(keys, replies, strict=True)]
        misses = entries.count(None)
        self._count("hits", len(entries) - misses)
        self._count("misses", misses)
        return entries

    async def put(self, model: str, entries: Mapping[bytes, Entry], lifetime: float | None) -> None:
        """Queue them to be written; see `flushed`."""
        writes = self._lines.get().writes
        for key, entry in entries.items():
            writes.add(self._keyspace.entry(model, key), key, entry, lifetime)

    async def flushed(self, timeout: float = PATIENCE) -> bool:
        """
        Wait until what was put in this event loop is written or dropped.

        Args:
            timeout: Seconds at most.

        Returns:
            Whether nothing is left.
        """
        return await self._lines.get().writes.flushed(timeout)

    async def epochs(self, names: Sequence[str]) -> list[bytes]:
        """
        Tokens that live in Redis: what was evicted or flushed is made anew, at random.

        Raises:
            ServerUnavailable: If Redis does not give them within the budget.
        """
        return await read_tokens(self._lines.get().link, self._keyspace, names, self.budget)

    async def renew(self, names: Sequence[str]) -> None:
        """
        Give each name a new token, for every process. Waits for a second, whatever the budget.

        Raises:
            ServerUnavailable: If Redis did not confirm it.
        """
        await renew_tokens(self._lines.get().link, self._keyspace, names)

    async def lease(self, keys: Sequence[bytes], seconds: float) -> list[bool]:
        """Ask to be the one process that computes each of *keys*; all may where Redis is silent."""
        line = self._lines.get()
        places = [self._keyspace.lease(key) for key in keys]
        milliseconds = max(1, int(seconds * 1000))
        commands = [("SET", place, line.owner, "NX", "PX", milliseconds) for place in places]
        replies = await line.link.ask(places, commands)
        return [not reply.answered or bool(reply.value) for reply in replies]

    async def release(self, keys: Sequence[bytes]) -> None:
        """Give leases of this process back, if they are still its own."""
        line = self._lines.get()
        places = [self._keyspace.lease(key) for key in keys]
        await line.link.ask(places, [("EVAL", _RELEASE, 1, place, line.owner) for place in places])

    async def usage(self) -> dict[str, ModelUsage]:
        """
        Entries and bytes by model, found by going through all keys of Redis, in steps.

        Raises:
            ServerUnavailable: If Redis does not answer.
        """
        return await listing.usage(self._lines.get().link, self._keyspace)

    async def delete(self, model: str | None = None) -> int:
        """
        Delete the entries of a model, or all: they are never met again.

        Returns:
            How many there were.

        Raises:
            ServerUnavailable: If Redis does not answer; what was deleted is.
        """
        await self.renew([ALL if model is None else model_epoch(model)])
        return await listing.delete(self._lines.get().link, self._keyspace, model)

    async def aclose(self) -> None:
        """
        Write what this event loop has to write, for a second at most, and disconnect it.

        Used again, the store connects again.
        """
        await self._lines.aclose(lambda line: line.writes.flushed(PATIENCE))

    def _read(self, key: bytes, reply: Reply) -> Entry | None:
        if reply.value is None or reply.clock is None:
            return None
        stored = decode(key, reply.value) if isinstance(reply.value, bytes) else None
        if stored is None:
            self._count("corrupt", 1)
            return None
        now = monotonic()
        created = reply.clock.moment(stored.created, now)
        if created > now + _FUTURE:
            # The server's clock was set back, unseen: its age is anybody's guess.
            return None
        if stored.lifetime != FOREVER and created + stored.lifetime / 1e6 <= now:
            return None
        return Entry(stored.outputs, min(created, now), stored.parameters)

    def _open(self) -> _Line:
        patience = max(PATIENCE, self.budget)
        server = server_at(self._url, cluster=self.cluster, patience=patience)
        link = Link(server, self.budget, self._count, title=self.url, slots=self._slots)
        writes = Writes(link, self._max_pending, compress=self._compress, count=self._count)
        return _Line(link, writes, new_token())

    def _count(self, counter: str, by: int = 1) -> None:
        if by:
            with self._lock:
                self._counters[counter] += by


async def _close(line: _Line) -> None:
    await line.writes.aclose()
    await line.link.aclose()
