"""What a Redis server says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tritonkit.client.stores.redis.redis_url import masked
from tritonkit.errors import ServerUnavailable
from tritonkit.extras import require

__all__ = ["RedisServer", "ask_servers"]

_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisServer:
    """
    A node that holds entries, by its INFO. It counts for all its clients since its start.

    Args:
        node: Its address.
        version: Of Redis.
        uptime: Seconds since its start.
        used_memory: Bytes.
        maxmemory: Bytes; 0 for no limit.
        policy: What it does where maxmemory is reached.
        evicted: Keys given up for others.
        expired: Keys whose time to live had passed.
        hits: Keys that were asked for and there.
        misses: Keys that were asked for and not there.
    """

    node: str
    version: str
    uptime: float
    used_memory: int
    maxmemory: int
    policy: str
    evicted: int
    expired: int
    hits: int
    misses: int

    @property
    def warning(self) -> str:
        """What makes it a bad place for a cache; empty for nothing."""
        if not self.maxmemory:
            return (
                "it has no maxmemory, so it grows until the machine has no memory left: "
                "CONFIG SET maxmemory"
            )
        if self.policy == "noeviction":
            return (
                "it refuses new entries when maxmemory is reached (noeviction): "
                "CONFIG SET maxmemory-policy allkeys-lru"
            )
        return ""


def ask_servers(url: str, *, cluster: bool) -> list[RedisServer]:
    """
    Ask the server, or every primary of a cluster.

    Raises:
        ServerUnavailable: If one does not answer.
        MissingExtra: If redis is not installed.
    """
    redis = require("redis", extra="redis")
    kind = redis.RedisCluster if cluster else redis.Redis
    try:
        with kind.from_url(url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT) as client:
            if not cluster:
                settings = client.connection_pool.connection_kwargs
                node = settings.get("path") or f"{settings['host']}:{settings['port']}"
                return [_server(node, client.info())]
            return [
                _server(node.name, client.info(target_nodes=node))
                for node in client.get_primaries()
            ]
    except (redis.RedisError, redis.exceptions.RedisClusterException, OSError) as error:
        # The second is none of the first.
        raise ServerUnavailable(f"{masked(url)} does not answer: {error}") from error


def _server(node: str, info: Mapping[str, Any]) -> RedisServer:
    return RedisServer(
        node=node,
        version=str(info.get("redis_version", "unknown")),
        uptime=float(info.get("uptime_in_seconds", 0)),
        used_memory=int(info.get("used_memory", 0)),
        maxmemory=int(info.get("maxmemory", 0)),
        policy=str(info.get("maxmemory_policy", "unknown")),
        evicted=int(info.get("evicted_keys", 0)),
        expired=int(info.get("expired_keys", 0)),
        hits=int(info.get("keyspace_hits", 0)),
        misses=int(info.get("keyspace_misses", 0)),
    )
