"""One Redis server, or the servers of one Redis Cluster, through redis-py."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from tritonkit.client.stores.redis.outage import outage
from tritonkit.extras import require

__all__ = ["Cluster", "Command", "Server", "Standalone", "server_at"]

Command: TypeAlias = tuple[Any, ...]
"""A command of Redis and its arguments."""


class Server(ABC):
    """
    What runs commands, on nodes that have names. It belongs to one event loop.

    Nothing is tried twice here, and nothing has a deadline but redis-py's own:
    what is cancelled half-way costs a connection.
    """

    ready: bool = True
    """Whether it knows its nodes."""

    moves: bool = False
    """Whether a key may be on another node tomorrow."""

    async def connect(self) -> None:  # noqa: B027, one server has nothing to learn
        """Get to know its nodes. Raises what redis-py raises."""

    @abstractmethod
    def place(self, key: bytes) -> str | None:
        """The node that has *key*; None where no node has it at present."""

    @abstractmethod
    def nodes(self) -> list[str]:
        """Those that keys are written to."""

    @abstractmethod
    async def run(self, node: str, commands: Sequence[Command]) -> list[Any]:
        """
        Run commands in one round trip.

        Returns:
            The reply of each; an error reply is an exception among them.

        Raises:
            Exception: Whatever redis-py or its parser raises.
        """

    @abstractmethod
    async def mend(self, node: str) -> None:
        """*node* failed: forget what may be wrong."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close the connections."""


class Standalone(Server):
    """
    One server.

    Args:
        url: As redis-py reads it.
        options: Of its client.
    """

    def __init__(self, url: str, options: Mapping[str, Any]) -> None:
        self._client = require("redis.asyncio", extra="redis").Redis.from_url(url, **options)

    def place(self, key: bytes) -> str:
        """The node that has *key*."""
        return ""

    def nodes(self) -> list[str]:
        """Those that keys are written to."""
        return [""]

    async def run(self, node: str, commands: Sequence[Command]) -> list[Any]:
        """Run commands in one round trip; see Server."""
        outage.check()
        gets = [command[1] for command in commands if command[0] == "GET"]
        # One MGET takes the parser a fraction of the time of as many GETs.
        merged = len(gets) > 1 and all(command[0] == "GET" for command in commands[-len(gets) :])
        sent = [*commands[: -len(gets)], ("MGET", *gets)] if merged else commands
        pipeline = self._client.pipeline(transaction=False)
        for command in sent:
            pipeline.execute_command(*command)
        replies: list[Any] = await pipeline.execute(raise_on_error=False)
        if not merged:
            return replies
        values = replies.pop()
        if isinstance(values, Exception):
            values = [values] * len(gets)
        return [*replies, *values]

    async def mend(self, node: str) -> None:
        """Forget what may be wrong."""
        # They go to the server that failed: to find that out one by one takes longer.
        await self._client.connection_pool.disconnect(inuse_connections=False)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


class Cluster(Server):
    """
    The primaries of a Redis Cluster.

    After a failure the cluster is asked anew which node has what, by a client
    of redis-py's that takes the place of the one before.

    Args:
        url: Of any of its nodes.
        options: Of redis-py's client.
    """

    ready = False
    moves = True

    def __init__(self, url: str, options: Mapping[str, Any]) -> None:
        self._url = url
        self._options = options
        self._module = require("redis.asyncio.cluster", extra="redis")
        self._errors = require("redis.exceptions", extra="redis")
        self._client: Any = None
        self._before: list[Any] = []

    async def connect(self) -> None:
        """Ask the cluster for its nodes."""
        outage.check()
        known = self._client.get_nodes() if self._client is not None else ()
        client = self._module.RedisCluster.from_url(
            self._url,
            startup_nodes=[self._module.ClusterNode(node.host, node.port) for node in known],
            require_full_coverage=False,
            **self._options,
        )
        await client.initialize()
        if self._client is not None:
            self._before.append(self._client)
        self._client = client
        self.ready = True

    def place(self, key: bytes) -> str | None:
        """The node that has *key*."""
        try:
            node = self._client.get_node_from_key(key)
        except self._errors.RedisError:
            return None
        return node and str(node.name)

    def nodes(self) -> list[str]:
        """Those that keys are written to."""
        return [str(node.name) for node in self._client.get_primaries()]

    async def run(self, node: str, commands: Sequence[Command]) -> list[Any]:
        """Run commands in one round trip; see Server."""
        outage.check()
        client = self._client
        target = client.get_node(node_name=node)
        if target is None:
            raise self._errors.ConnectionError(f"{node} is no node of the cluster any more")
        pipeline = client.pipeline()
        for command in commands:
            pipeline.execute_command(*command, target_nodes=target)
        replies: list[Any] = await pipeline.execute(raise_on_error=False)
        for reply in replies:
            # These are no replies: the pipeline of a cluster puts them there.
            if isinstance(reply, (self._errors.ConnectionError, self._errors.TimeoutError)):
                raise reply
        return replies

    async def mend(self, node: str) -> None:
        """Forget what may be wrong."""
        before, self._before = self._before, []
        # By now nobody waits for these.
        await asyncio.gather(*(client.aclose() for client in before), return_exceptions=True)
        if self.ready:
            await self.connect()

    async def aclose(self) -> None:
        """Close the connections."""
        clients = [*self._before, *([] if self._client is None else [self._client])]
        self._before, self._client, self.ready = [], None, False
        await asyncio.gather(*(client.aclose() for client in clients), return_exceptions=True)


def server_at(url: str, *, cluster: bool, patience: float) -> Server:
    """
    The server or the cluster at *url*.

    Args:
        url: As redis-py reads it.
        cluster: Whether it is that of a node of a Redis Cluster.
        patience: Seconds after which redis-py gives up a connection.
    """
    retry = require("redis.asyncio.retry", extra="redis").Retry
    backoff = require("redis.backoff", extra="redis").NoBackoff
    options = {
        # Whoever asks has one budget of time, and knows what may be asked twice.
        "retry": retry(backoff(), 0),
        "socket_timeout": patience,
        "socket_connect_timeout": patience,
        # The handshake of version 3 costs a trip and brings nothing.
        "protocol": 2,
        "decode_responses": False,
    }
    return Cluster(url, options) if cluster else Standalone(url, options)
