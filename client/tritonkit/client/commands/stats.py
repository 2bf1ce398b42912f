"""`tritonkit cache stats`: what a Redis holds, and how it fares."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict

import click

from tritonkit.client.commands.redis_options import redis_options
from tritonkit.client.commands.redis_server import RedisServer, ask_servers
from tritonkit.client.commands.table import table
from tritonkit.client.stores.redis.redis import ModelUsage, Redis
from tritonkit.units import format_duration, format_size

__all__ = ["stats"]


@click.command()
@redis_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def stats(redis_url: str, cluster: bool, namespace: str, as_json: bool) -> None:
    """
    Tell what a cache keeps in Redis, by model.

    Goes through all of its keys, in steps between which it serves others:

        tritonkit cache stats --redis redis://localhost:6379/0
    """
    store = Redis(redis_url, cluster=cluster, namespace=namespace)
    # First, since it makes sure that Redis is what answers there.
    usage = asyncio.run(_usage(store))
    servers = ask_servers(redis_url, cluster=cluster)
    click.echo(_as_json(usage, servers) if as_json else _text(usage, servers))
    for server in servers:
        if server.warning:
            click.echo(f"Warning: {server.node}: {server.warning}.", err=True)


async def _usage(store: Redis) -> Mapping[str, ModelUsage]:
    try:
        return await store.usage()
    finally:
        await store.aclose()


def _text(usage: Mapping[str, ModelUsage], servers: list[RedisServer]) -> str:
    models = [("model", "entries", "size")]
    models += [
        (model, str(kept.entries), format_size(kept.bytes)) for model, kept in sorted(usage.items())
    ]
    if not usage:
        models.append(("(none)", "0", "0B"))
    head = ("server", "version", "up", "memory", "maxmemory", "policy", "evicted", "expired",
            "hits", "misses", "hit ratio")  # fmt: skip
    rows = [head, *map(_cells, servers)]
    return (
        f"{table(models, right=(1, 2))}\n\n{table(rows, right=(2, 3, 4, 6, 7, 8, 9, 10))}\n"
        "A server's counts are of all its clients since its start."
    )


def _cells(server: RedisServer) -> tuple[str, ...]:
    asked = server.hits + server.misses
    return (
        server.node,
        server.version,
        format_duration(server.uptime),
        format_size(server.used_memory),
        format_size(server.maxmemory) if server.maxmemory else "none",
        server.policy,
        str(server.evicted),
        str(server.expired),
        str(server.hits),
        str(server.misses),
        f"{server.hits / asked:.1%}" if asked else "-",
    )


def _as_json(usage: Mapping[str, ModelUsage], servers: list[RedisServer]) -> str:
    return json.dumps(
        {
            "models": {
                model: {"entries": kept.entries, "bytes": kept.bytes}
                for model, kept in sorted(usage.items())
            },
            "servers": [{**asdict(server), "warning": server.warning} for server in servers],
        },
        ensure_ascii=False,
    )
