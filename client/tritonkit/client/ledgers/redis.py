"""A ledger that processes and machines share: Redis."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import re
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from tritonkit.client.forks import fork_safe_lock
from tritonkit.client.ledgers.ledger import (
    Claim,
    Denied,
    Grant,
    Ledger,
    Lost,
    Outcome,
    Usage,
    bucket_us,
    check_actuals,
    check_claims,
)
from tritonkit.client.ledgers.scripts import Scripts
from tritonkit.client.stores.redis.lines import Lines
from tritonkit.client.stores.redis.link import PATIENCE, Link, Reply
from tritonkit.client.stores.redis.peer import Kind
from tritonkit.client.stores.redis.redis_url import check_url, masked
from tritonkit.client.stores.redis.servers import server_at
from tritonkit.errors import ConfigError, ServerUnavailable
from tritonkit.extras import require
from tritonkit.units import parse_duration

__all__ = ["RedisLedger"]

RETRY_AFTER = 1.0
"""Seconds until a Redis that does not answer is worth asking again."""

_MAX_CONNECTIONS = 32
_NAMESPACE = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_COUNTERS = ("errors", "timeouts")

_log = logging.getLogger("tritonkit.client.budget")


class RedisLedger(Ledger):
    """
    Keeps what all processes spend that name the same Redis and namespace.

    Each operation is one script and one round trip, by the server's clock. Redis 5 or
    later, standalone or cluster; a cluster keeps a namespace on one node.

    What it does not answer within the budget of time is Lost. A reservation whose fate
    is unknown is released behind it, and otherwise charged when it expires.

    The windows are as durable as Redis is: with `appendonly yes` they survive its end
    (with `appendfsync always` to the last reservation), and `maxmemory-policy` must be
    noeviction, since an evicted window is an empty one. A cache fills a Redis some day, and
    one that evicts nothing refuses every reservation then: give the cache another.

    If Redis comes back without its memory, or is flushed, a process that remembers it says
    so, and everything is Lost, to all processes, until what was forgotten no longer matters:
    a window later; `forgive` ends that. A Redis that was never seen before begins with empty
    windows.

    Args:
        url: As for `Redis`, the store.
        cluster: The URL is that of a node of a Redis Cluster.
        namespace: How every key in Redis begins, in braces.
        budget: The most that one operation waits. 50 ms: more than the cache's,
            since here no answer means no request.

    Raises:
        ConfigError: If the URL or another argument is wrong.
        MissingExtra: If redis is not installed.
    """

    shared = True
    scripts: ClassVar[Scripts] = Scripts()

    def __init__(
        self,
        url: str = "redis://localhost:6379/0",
        *,
        cluster: bool = False,
        namespace: str = "tritonkit",
        budget: str | float | timedelta = "50ms",
    ) -> None:
        self.budget = parse_duration(budget, name="budget")
        if not self.budget:
            raise ConfigError(f"budget must be more than 0, but got {budget=}.")
        if not _NAMESPACE.fullmatch(namespace):
            raise ConfigError(
                f"namespace must be letters, digits, '.', '-' and '_', but got {namespace!r}."
            )
        options = check_url(url, cluster=cluster)
        self.url = masked(url)
        self.cluster = cluster
        self._url = url
        self._slots = min(_MAX_CONNECTIONS, int(options.get("max_connections") or _MAX_CONNECTIONS))
        self._base = f"{{{namespace}}}:budget:".encode()
        self._lock = fork_safe_lock()
        self._counters = dict.fromkeys(_COUNTERS, 0)
        self._token = b""
        self._loaded: set[str] = set()
        self._behind: set[asyncio.Task[Any]] = set()
        self._lines: Lines[Link] = Lines(self._open, Link.aclose)

    def __repr__(self) -> str:
        return f"RedisLedger({self.url!r}{', cluster=True' if self.cluster else ''})"

    @property
    def counters(self) -> dict[str, int]:
        """errors: replies and connections that failed. timeouts: what took longer than allowed."""
        return dict(self._counters)

    async def reserve(self, id: str, claims: Sequence[Claim], ttl: float) -> Outcome:
        """Reserve every claim, or nothing."""
        check_claims(claims, ttl)
        arguments: list[Any] = [self._token, os.urandom(16), int(ttl * 1e6), _bytes(id)]
        for claim in claims:
            size = bucket_us(claim.window_us)
            scope = _bytes(claim.scope)
            arguments += [scope, claim.amount, size, claim.window_us, claim.limit]
        link = self._lines.get()
        reply = await self._run(link, self.scripts.reserve, arguments)
        if not reply.answered:
            if reply.error is None:
                # It may arrive yet; whichever of the two is first, nothing stays reserved.
                undo = [_bytes(id), "release"]
                self._spawn(self._run(link, self.scripts.settle, undo, kind="write"))
            return Lost(self._reason(link, reply), RETRY_AFTER)
        if not self._token:
            self._spawn(self._look_for_eviction(link))
        kind, self._token, *values = reply.value
        numbers = [int(value) for value in values]
        if kind == b"over":
            raise ConfigError(f"a reservation's id is used once, but got {id=} again.")
        if kind == b"lost":
            return Lost(f"{self.url} lost its memory", numbers[0] / 1e6)
        if kind == b"denied":
            index, wait, left = numbers
            return Denied(index, math.inf if wait < 0 else wait / 1e6, left)
        return Grant(tuple(numbers))

    async def settle(self, id: str, actual: Sequence[int]) -> bool:
        """Charge what was spent and free the rest."""
        check_actuals(actual)
        return await self._end([_bytes(id), "settle", *actual])

    async def release(self, id: str) -> bool:
        """Free all of it."""
        return await self._end([_bytes(id), "release"])

    async def usage(self, claims: Sequence[Claim]) -> list[Usage]:
        """What is spent and reserved in each scope."""
        if not claims:
            return []
        arguments: list[Any] = [b"", b"", 0]
        for claim in claims:
            arguments += [_bytes(claim.scope), bucket_us(claim.window_us), claim.window_us]
        link = self._lines.get()
        reply = await self._run(link, self.scripts.usage, arguments, kind="command")
        if not reply.answered:
            raise ServerUnavailable(self._reason(link, reply))
        numbers = [int(value) for value in reply.value]
        return [Usage(*numbers[start : start + 3]) for start in range(0, len(numbers), 3)]

    async def forgive(self) -> None:
        """
        Go on from what Redis remembers, after it lost its memory.

        Raises:
            ServerUnavailable: If Redis does not answer.
        """
        link, key = self._lines.get(), self._base + b"memory"
        (reply,) = await link.ask([key], [("HDEL", key, "lost")], kind="command")
        if not reply.answered:
            raise ServerUnavailable(self._reason(link, reply))

    async def aclose(self) -> None:
        """Disconnect this event loop; used again, the ledger connects again."""
        await self._lines.aclose()

    async def _end(self, arguments: list[Any]) -> bool:
        reply = await self._run(self._lines.get(), self.scripts.settle, arguments)
        if reply.error is not None:
            _log.warning("%s did not settle a reservation: %s", self.url, reply.error)
        return reply.answered and reply.value == 1

    async def _run(
        self, link: Link, script: str, arguments: list[Any], *, kind: Kind = "request"
    ) -> Reply:
        rest = (1, self._base, *arguments)
        if script in self._loaded:
            command = ("EVALSHA", self.scripts.sha(script), *rest)
            (reply,) = await link.ask([self._base], [command], kind=kind)
            if not isinstance(
                reply.error, require("redis.exceptions", extra="redis").NoScriptError
            ):
                return reply
            # Another Redis, or one that was started anew; it has done nothing yet.
        (reply,) = await link.ask([self._base], [("EVAL", script, *rest)], kind=kind)
        if reply.answered:
            self._loaded.add(script)
        return reply

    async def _look_for_eviction(self, link: Link) -> None:
        command = ("CONFIG", "GET", "maxmemory*")
        (reply,) = await link.ask([self._base], [command], kind="write")
        if not isinstance(reply.value, list):
            # A server that does not tell.
            return
        options = dict(zip(reply.value[::2], reply.value[1::2], strict=False))
        policy = options.get(b"maxmemory-policy", b"noeviction").decode()
        if options.get(b"maxmemory", b"0") != b"0" and policy != "noeviction":
            _log.warning(
                "%s may forget what was spent: maxmemory-policy is %s, and must be noeviction",
                self.url,
                policy,
            )

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)

    def _reason(self, link: Link, reply: Reply) -> str:
        return f"{self.url} refuses: {reply.error}" if reply.error else link.silence

    def _open(self) -> Link:
        patience = max(PATIENCE, self.budget)
        server = server_at(self._url, cluster=self.cluster, patience=patience)
        return Link(server, self.budget, self._count, title=self.url, slots=self._slots)

    def _count(self, counter: str, by: int = 1) -> None:
        with self._lock:
            self._counters[counter] += by


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")
