"""What a namespace of Redis holds, counted and deleted without stopping the server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from time import monotonic

from tritonkit.client.stores.redis.keyspace import Keyspace
from tritonkit.client.stores.redis.link import Link, Reply
from tritonkit.client.stores.redis.servers import Command
from tritonkit.errors import ServerUnavailable

__all__ = ["ModelUsage", "delete", "usage"]

# Keys that Redis looks at in one step; it serves others between two.
_STEP = 1000


@dataclass(frozen=True, slots=True)
class ModelUsage:
    """
    What is kept of a model.

    Args:
        entries: How many.
        bytes: Of their values, as they are in Redis.
    """

    entries: int
    bytes: int


async def usage(link: Link, keyspace: Keyspace) -> dict[str, ModelUsage]:
    """
    Entries and bytes by model; close to the truth while others write.

    Raises:
        ServerUnavailable: If a node does not answer.
    """
    found: dict[str, ModelUsage] = {}
    async for node, names in _scan(link, keyspace, None):
        sizes = await _run(link, node, [("STRLEN", name) for name in names])
        for name, size in zip(names, sizes, strict=True):
            model = keyspace.model(name)
            if model is not None and isinstance(size.value, int) and size.value:
                before = found.get(model, ModelUsage(0, 0))
                found[model] = ModelUsage(before.entries + 1, before.bytes + size.value)
    return found


async def delete(link: Link, keyspace: Keyspace, model: str | None) -> int:
    """
    Free the memory of a model's entries, or of all; returns how many there were.

    Raises:
        ServerUnavailable: If a node does not answer.
    """
    deleted = 0
    async for node, names in _scan(link, keyspace, model):
        for reply in await _run(link, node, [("UNLINK", name) for name in names]):
            deleted += reply.value if isinstance(reply.value, int) else 0
    return deleted


async def _scan(
    link: Link, keyspace: Keyspace, model: str | None
) -> AsyncIterator[tuple[str, list[bytes]]]:
    """The names of entries, some at a time, with their node."""
    if not await link.connected("command", monotonic() + link.patience):
        raise ServerUnavailable(link.silence)
    for node in link.nodes():
        cursor = 0
        while True:
            command = ("SCAN", cursor, "MATCH", keyspace.pattern(model), "COUNT", _STEP)
            (reply,) = await _run(link, node, [command])
            if reply.error is not None:
                raise ServerUnavailable(
                    f"{link.title} refuses SCAN: {reply.error}"
                ) from reply.error
            cursor, found = reply.value
            names = [
                name
                for name in found
                if (owner := keyspace.model(name)) is not None and model in (None, owner)
            ]
            if names:
                yield node, names
            if not cursor:
                break


async def _run(link: Link, node: str, commands: list[Command]) -> list[Reply]:
    deadline = monotonic() + link.patience
    replies = await link.exchange(node, commands, kind="command", deadline=deadline)
    if any(reply.clock is None for reply in replies):
        raise ServerUnavailable(link.silence)
    return replies
