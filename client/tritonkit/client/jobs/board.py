"""Where jobs are announced and their results wait."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from tritonkit.client.jobs.job import Job
from tritonkit.client.jobs.seen import Seen

__all__ = ["Board"]


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
