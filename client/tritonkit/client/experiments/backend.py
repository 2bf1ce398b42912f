"""What writes and reads the events of experiments, one caller at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from tritonkit.client.experiments.control import Control
from tritonkit.client.experiments.events import Event
from tritonkit.client.experiments.log import Loss, Page

__all__ = ["Backend"]


class Backend(ABC):
    """
    A connection to where events are kept.

    Blocks, and is used by one thread at a time. It connects when it is first used, and
    anew after a failure. Every method raises ServerUnavailable where it cannot do
    what it is for.
    """

    @abstractmethod
    def write(self, batch: str, events: Sequence[Event], losses: Mapping[Loss, int]) -> list[bool]:
        """
        Write all of them, or nothing.

        Args:
            batch: Names them: what is written again under the same name, for nobody
                knows whether it was, is there once. The writer's name and, after a hyphen,
                a number that grows.
            events: In order.
            losses: To be added to those that are known.

        Returns:
            Of each event whether it is new; only an exposure may not be.
        """

    @abstractmethod
    def trim(self, before: float) -> None:
        """Forget some of what happened before a time, in seconds since 1970."""

    @abstractmethod
    def read(self, experiment: str, after: str, limit: int) -> Page:
        """See `EventLog.read`."""

    @abstractmethod
    def experiments(self) -> list[str]:
        """See `EventLog.experiments`."""

    @abstractmethod
    def losses(self) -> dict[Loss, int]:
        """See `EventLog.losses`."""

    @abstractmethod
    def control(self, experiment: str) -> Control:
        """See `EventLog.control`."""

    @abstractmethod
    def steer(self, experiment: str, control: Control, replacing: Control | None) -> bool:
        """See `EventLog.steer`."""

    @abstractmethod
    def describe(self, experiment: str, version: str, weights: Mapping[str, float]) -> None:
        """See `EventLog.describe`."""

    @abstractmethod
    def weights(self, experiment: str) -> dict[str, dict[str, float]]:
        """See `EventLog.weights`."""

    @abstractmethod
    def lease(self, name: str, owner: str, seconds: float) -> bool:
        """See `EventLog.lease`."""

    @abstractmethod
    def close(self) -> None:
        """Disconnect; used again, it connects again."""
