"""Where jobs are announced and their results wait."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

from tritonkit.errors import ConfigError

if TYPE_CHECKING:
    from tritonkit.client.jobs.job import Job

__all__ = ["BEAT", "EXPIRY", "Board", "Seen", "id_bytes", "new_id"]

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


class Board(ABC):
    """
    Keeps what is known of jobs, for a time.

    Every method raises ServerUnavailable where it can neither read nor write.
    Used from several event loops.
    """

    def job(self, id: str) -> Job:
        """
        The job with this id, whoever submitted it.

        Raises:
            ConfigError: If it is no id of a job.
        """
        from tritonkit.client.jobs.job import Job

        return Job(id, self)

    @abstractmethod
    async def announce(self, id: str, data: bytes) -> None:
        """Write down that somebody begins to work on it."""

    @abstractmethod
    async def beat(self, jobs: Sequence[tuple[str, bytes]]) -> None:
        """Say that they are worked on; those that got lost are announced again."""

    @abstractmethod
    async def finish(self, id: str, data: bytes) -> None:
        """Write down how it ended."""

    @abstractmethod
    async def see(self, id: str) -> Seen:
        """What is known of it."""

    async def aclose(self) -> None:  # noqa: B027, a board in memory has no connections
        """Close the connections of this event loop."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


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
