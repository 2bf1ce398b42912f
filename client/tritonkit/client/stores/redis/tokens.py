"""Tokens that live in Redis: as long as entries do, and no longer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from time import monotonic

from tritonkit.client.stores.redis.keyspace import Keyspace
from tritonkit.client.stores.redis.link import Link, Reply
from tritonkit.errors import ServerUnavailable

__all__ = ["TOKEN_BYTES", "new_token", "read_tokens", "renew_tokens"]

TOKEN_BYTES = 16


def new_token() -> bytes:
    """One that nobody had before."""
    return os.urandom(TOKEN_BYTES)


async def read_tokens(
    link: Link, keyspace: Keyspace, names: Sequence[str], budget: float
) -> list[bytes]:
    """
    The token of each name. One that is not there, or was evicted, is made.

    Args:
        link: To Redis.
        keyspace: Where they are.
        names: Of tokens.
        budget: Seconds for all of it.

    Raises:
        ServerUnavailable: If Redis does not give them in time.
    """
    deadline = monotonic() + budget
    places = [keyspace.epoch(name) for name in names]
    replies = await link.ask(places, [("GET", place) for place in places], deadline=deadline)
    found = [_value(link, reply) for reply in replies]
    new = [place for place, token in zip(places, found, strict=True) if token is None]
    if new:
        # Whoever is first decides, so what was set is read back, in the same trip.
        sets = [("SET", place, new_token(), "NX") for place in new]
        gets = [("GET", place) for place in new]
        replies = await link.ask([*new, *new], [*sets, *gets], deadline=deadline)
        made = {
            place: _value(link, reply)
            for place, reply in zip(new, replies[len(new) :], strict=True)
        }
        found = [made.get(place, token) for place, token in zip(places, found, strict=True)]
    tokens = [token for token in found if token is not None]
    if len(tokens) != len(names):
        raise ServerUnavailable(f"{link.title} lost an epoch in the moment it was made")
    return tokens


async def renew_tokens(link: Link, keyspace: Keyspace, names: Sequence[str]) -> None:
    """
    Give each name a new token.

    Raises:
        ServerUnavailable: If Redis did not confirm it.
    """
    places = [keyspace.epoch(name) for name in names]
    commands = [("SET", place, new_token()) for place in places]
    for reply in await link.ask(places, commands, kind="command"):
        _check(link, reply)
        if reply.value is not True:
            raise ServerUnavailable(f"{link.title} did not take an epoch, but said {reply.value!r}")


def _value(link: Link, reply: Reply) -> bytes | None:
    _check(link, reply)
    if reply.value is None:
        return None
    if not isinstance(reply.value, bytes) or len(reply.value) != TOKEN_BYTES:
        raise ServerUnavailable(f"{link.title} keeps something else where an epoch should be")
    return reply.value


def _check(link: Link, reply: Reply) -> None:
    if reply.clock is None:
        raise ServerUnavailable(link.silence)
    if reply.error is not None:
        raise ServerUnavailable(f"{link.title} refuses an epoch: {reply.error}") from reply.error
