"""What is measured, as a load generator sees it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tritonkit.bench.inputs.workload import Item
from tritonkit.bench.targets.seat import ChannelSeat, Ended, Seat
from tritonkit.client import Tensors

__all__ = ["Channel", "Taken", "Target"]


@dataclass(frozen=True, slots=True)
class Taken:
    """
    The way that one answer came.

    Args:
        name: What answered: "memory", "redis", "coalesced", "stale", or the name of a
            route ("accurate"); several, joined by "+", where rows took several ways.
        hits: Rows that no model computed for this request.
        rows: Rows of the request.
        cost: What it cost, in the budget's unit.
        arms: Experiment and arm, "ranking:new", for each experiment.
    """

    name: str
    hits: int
    rows: int
    cost: float = 0.0
    arms: tuple[str, ...] = ()


class Channel(ABC):
    """Sends one request at a time; has a connection of its own where that is what callers have."""

    @abstractmethod
    async def send(self, payload: Any, deadline: float) -> Any:
        """
        Send what `Target.prepare` made, and wait for its answer.

        Args:
            payload: Of this target.
            deadline: In seconds of `time.monotonic`.

        Returns:
            The answer as it came, not decoded; its status is a success.

        Raises:
            RequestError: If it fails. The channel can be used again.
        """

    @abstractmethod
    def close(self) -> None:
        """Close now."""


class Target(ABC):
    """
    Something that answers inference requests.

    One target serves one event loop. A load generator of several processes makes one
    in each from `blueprint`.
    """

    @abstractmethod
    def prepare(self, item: Item) -> Any:
        """All that can be done before the time counts: a whole HTTP request, a message."""

    @abstractmethod
    async def channel(self) -> Channel:
        """
        A new channel. It may connect here or with its first request.

        Raises:
            RequestError: If it cannot connect.
        """

    @abstractmethod
    def outputs(self, answer: Any) -> Tensors:
        """
        The tensors of an answer of a channel.

        Raises:
            ProtocolError: If they are not those that it announces.
        """

    async def seats(self, ended: Ended, timeout: float) -> Callable[[], Seat]:
        """
        What makes places to send from; here each is a channel with a task.

        Args:
            ended: Told of each request's end.
            timeout: Seconds after which a request fails.
        """
        return lambda: ChannelSeat(self, ended, timeout)

    def way(self, answer: Any) -> Taken | None:
        """How an answer came; None where the target has no layers to tell."""
        return None

    async def aclose(self) -> None:
        """Close everything; channels are closed before."""
        return
