"""What is measured, as a load generator sees it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tritonkit.bench.inputs.workload import Item
from tritonkit.bench.targets.seat import ChannelSeat, Ended, Seat
from tritonkit.client import InferRequest, Tensors
from tritonkit.client.wire.tensors import tensor_datatype

__all__ = ["Channel", "Taken", "Target", "request_of", "tensor_forms"]


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

    def connections(self, callers: int) -> int:
        """How many connections of this process so many callers have at a time."""
        return callers

    def way(self, answer: Any) -> Taken | None:
        """How an answer came; None where the target has no layers to tell."""
        return None

    def counters(self) -> Mapping[str, float]:
        """
        What layers count themselves, from the start on, as Prometheus writes names and labels.

        What they gained in a window belongs into its measurement: the cost of
        requests that failed, for one, stands in no answer.
        """
        return {}

    def describe(self) -> Mapping[str, Any]:
        """
        How requests are sent, in JSON's types: for the conditions of a measurement.

        Has the protocol and, by input's name, the datatype and the form in which
        the requests that were prepared so far hold it: {"x": "FP32, binary"}.
        """
        return {}

    async def renew(self) -> None:
        """
        Forget what earlier points left, before the next one; channels are closed before.

        A sweep that meets the cache that its last point filled measures that point.
        """
        return

    async def aclose(self) -> None:
        """Close everything; channels are closed before."""
        return


def request_of(
    item: Item, model: str, version: str, *, tags: Mapping[str, str] | None = None
) -> InferRequest:
    """
    An item as a request.

    Args:
        item: Of a workload.
        model: The target's, for an item that names none.
        version: Of that model, for an item that has none of its own.
        tags: What layers go by.
    """
    return InferRequest(
        model=item.model or model,
        version=item.version or (version if item.model in ("", model) else ""),
        inputs=item.inputs,
        outputs=item.outputs or None,
        parameters=item.parameters,
        tags=tags or {},
    )


def tensor_forms(item: Item, form: str) -> dict[str, str]:
    """
    How an item's inputs are sent, by name: {"x": "FP32, binary"}.

    Args:
        item: Of a workload.
        form: "binary", "JSON", or whatever the target's protocol has.
    """
    return {name: f"{tensor_datatype(array)}, {form}" for name, array in item.inputs.items()}
