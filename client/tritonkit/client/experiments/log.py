"""Where the events of experiments are kept, and what processes are told about them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from types import TracebackType
from typing import NamedTuple, Self

from tritonkit.client.experiments.control import Control
from tritonkit.client.experiments.events import Answer, Event, Exposure, Outcome
from tritonkit.client.readings import Reading

__all__ = ["EventLog", "Loss", "Page"]

PAGE = 10_000
"""Events that are read at a time."""


class Page(NamedTuple):
    """
    Args:
        events: In the order in which they were written. None where nothing new is there.
        cursor: Where the next page begins, for now or for another day.
    """

    events: list[Event]
    cursor: str


class Loss(NamedTuple):
    """
    Of which kind of event something was lost.

    Args:
        experiment: Empty for outcomes, which name none.
        version: Likewise.
        arm: Likewise. Losses of one arm alone make the samples differ from their weights.
        kind: "exposure", "answer" or "outcome".
    """

    experiment: str
    version: str
    arm: str
    kind: str


class EventLog(ABC):
    """
    Keeps exposures, answers and outcomes, for as long as it is told to.

    Used from any thread and event loop. An exposure is written before it is
    acknowledged; everything else is written behind, in batches. What it cannot keep is
    counted, never hidden: `counters` has what this process knows, `losses` what
    all of them have written down.
    """

    @abstractmethod
    async def expose(self, exposure: Exposure) -> bool:
        """
        Keep that a unit meets an arm, before it does.

        The same unit, experiment and version are kept once, whoever records them.
        Waits no longer than the log's budget: what takes longer is written behind, and
        counted as late.

        Returns:
            False if it was there already. True if it is new, or that is not known yet.
        """

    @abstractmethod
    def add(self, events: Sequence[Answer | Outcome]) -> None:
        """Keep them, before long. Never waits; what there is no room for is counted."""

    @abstractmethod
    async def flush(self) -> None:
        """
        Wait until all that was given to this log so far is written.

        Raises:
            ServerUnavailable: If it cannot be.
        """

    @abstractmethod
    async def read(self, experiment: str, *, after: str = "", limit: int = PAGE) -> Page:
        """
        Some of the events of an experiment, and where to go on.

        An exposure comes before the answers that follow it. Outcomes name no
        experiment: every page may have those of answers in other experiments, and of
        answers that nobody knows.

        Args:
            experiment: Its name.
            after: The cursor of the page before; empty from the beginning.
            limit: The most events of a page.

        Raises:
            ServerUnavailable: If it cannot be read.
            ConfigError: If *after* is no cursor of this log.
        """

    async def events(self, experiment: str, *, after: str = "") -> AsyncIterator[Event]:
        """All events of an experiment that are there now; see `read`."""
        while True:
            page = await self.read(experiment, after=after)
            if not page.events:
                return
            for event in page.events:
                yield event
            after = page.cursor

    @abstractmethod
    async def experiments(self) -> list[str]:
        """Names of the experiments that have events or were told something, in order."""

    @abstractmethod
    async def losses(self) -> Mapping[Loss, int]:
        """Events that were lost for want of room, by what they were; of all processes."""

    @abstractmethod
    async def control(self, experiment: str) -> Control:
        """
        What was said last about an experiment; `Control()` where nothing was.

        Raises:
            ServerUnavailable: If it cannot be read.
        """

    @abstractmethod
    async def steer(
        self, experiment: str, control: Control, *, replacing: Control | None = None
    ) -> bool:
        """
        Say something about an experiment; every Split that reads this log follows.

        Args:
            experiment: Its name.
            control: What takes the place of what was said before.
            replacing: What must be what was said before; None for anything. A program that
                reads a control and writes it changed undoes nobody's stop this way.

        Returns:
            False if something else was said before; nothing has changed.

        Raises:
            ServerUnavailable: If it cannot be written; nothing has changed.
        """

    @abstractmethod
    async def describe(self, experiment: str, version: str, weights: Mapping[str, float]) -> None:
        """
        Say what a version of an experiment is; what was said first stays.

        Args:
            experiment: Its name.
            version: Its name.
            weights: By arm, the control first.

        Raises:
            ServerUnavailable: If it cannot be written.
        """

    @abstractmethod
    async def weights(self, experiment: str) -> Mapping[str, Mapping[str, float]]:
        """
        The weights of the arms, the control first, by version, the first described one first.

        Raises:
            ServerUnavailable: If they cannot be read.
        """

    @abstractmethod
    async def lease(self, name: str, owner: str, seconds: float) -> bool:
        """
        Whether *owner* has *name* for so many seconds from now on; it has if nobody else does.

        For what one process at a time is to do, where two at once for a moment do no harm.

        Raises:
            ServerUnavailable: If nobody can tell.
        """

    @property
    @abstractmethod
    def counters(self) -> Mapping[str, int]:
        """
        What this process knows of its own writing.

        written: events. late: exposures that were not acknowledged within the budget.
        lost: events for which there was no room. failures: batches that were
        tried again.
        """

    def observe(self) -> Iterator[Reading]:
        """The same for Telemetry: what was written, late, lost and tried again."""
        for kind, count in self.counters.items():
            yield Reading("experiment_events", count, {"kind": kind})

    async def aclose(self) -> None:  # noqa: B027, a log in memory holds nothing
        """Write what waits, for a few seconds, and disconnect. Used again, it connects again."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
