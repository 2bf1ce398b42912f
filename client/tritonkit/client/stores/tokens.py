"""Tokens that live in Redis: as long as entries do, and no longer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from time import monotonic

from tritonkit.client.stores.keyspace import Keyspace
from tritonkit.client.stores.link import Link, Reply
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
    found = [_value(reply) for reply in replies]
    new = [place for place, token in zip(places, found, strict=True) if token is None]
    if new:
        # Whoever is first decides, so what was set is read back, in the same trip.
        sets = [("SET", place, new_token(), "NX") for place in new]
        gets = [("GET", place) for place in new]
        replies = await link.ask([*new, *new], [*sets, *gets], deadline=deadline)
        made = dict(zip(new, map(_value, replies[len(new) :]), strict=True))
        found = [made.get(place, token) for place, token in zip(places, found, strict=True)]
    tokens = [token for token in found if token is not None]
    if len(tokens) != len(names):
        raise ServerUnavailable("Redis lost a token in the moment it was made")
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
        if not reply.answered or reply.value is not True:
            raise ServerUnavailable(f"Redis did not take a token: {reply.error or 'no answer'}")


def _value(reply: Reply) -> bytes | None:
    if not reply.answered:
        raise ServerUnavailable(f"Redis did not give a token: {reply.error or 'no answer'}")
    if reply.value is None:
        return None
    if not isinstance(reply.value, bytes) or len(reply.value) != TOKEN_BYTES:
        raise ServerUnavailable("Redis keeps something else where a token should be")
    return reply.value
