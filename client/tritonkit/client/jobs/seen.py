"""What can be seen of a job, by its id."""

from __future__ import annotations

import os
from typing import NamedTuple, Protocol

from tritonkit.errors import ConfigError

__all__ = ["BEAT", "EXPIRY", "Seen", "Visible", "id_bytes", "new_id"]

BEAT = 1.0
"""Seconds from one sign of life of a process that works on jobs to the next."""

EXPIRY = 5.0
"""Seconds without a sign of life after which it counts as gone: five are missed, not one."""

_ID_BYTES = 16


class Seen(NamedTuple):
    """
    Args:
        data: As it was last written; None where there is nothing, or no more.
        alive: Whether somebody has lately been at work on it.
    """

    data: bytes | None
    alive: bool


class Visible(Protocol):
    """Where jobs can be seen: all that one who waits for a job needs of a board."""

    async def see(self, id: str) -> Seen:
        """What is known of it; raises ServerUnavailable where that cannot be read."""


def new_id() -> str:
    """One that nobody had before and nobody can guess."""
    return os.urandom(_ID_BYTES).hex()


def id_bytes(id: str) -> bytes:
    """
    The bytes of an id.

    Raises:
        ConfigError: If it is none.
    """
    if len(id) != 2 * _ID_BYTES or not set(id) <= set("0123456789abcdef"):
        raise ConfigError(f"a job's id has {2 * _ID_BYTES} hexadecimal digits, but got {id!r}.")
    return bytes.fromhex(id)
