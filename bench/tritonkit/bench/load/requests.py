"""Requests that are ready to be sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tritonkit.bench.inputs.workload import Item, Order, Workload
from tritonkit.bench.load.share import Share
from tritonkit.bench.targets.target import Target
from tritonkit.errors import ConfigError

__all__ = ["Requests"]


@dataclass(frozen=True, slots=True)
class Requests:
    """
    A workload, prepared for a target.

    Args:
        target: Where they go.
        items: At least one.
        payloads: What the target made of each.
        order: Which comes when.
    """

    target: Target
    items: Sequence[Item]
    payloads: Sequence[Any]
    order: Order

    def __post_init__(self) -> None:
        if not self.items:
            raise ConfigError("there are no requests to send.")

    @classmethod
    def prepare(cls, target: Target, workload: Workload) -> Requests:
        """
        Do all that can be done before the time counts.

        Raises:
            ConfigError: If there are none.
            RequestError: If one cannot be sent.
        """
        return cls(
            target,
            workload.items,
            [target.prepare(item) for item in workload.items],
            workload.order,
        )

    def indices(self, seed: int, share: Share, *, turned: bool = False) -> Iterator[int]:
        """
        Numbers of items in the order in which they are sent.

        Args:
            seed: Of the order.
            share: Of several processes' load.
            turned: Whether a share has every item, since it is sent at a pace of its own.
        """
        items = len(self.payloads)
        order = self.order(items, seed)
        for chunk in share.turned(order, items) if turned else share.thinned(order):
            yield from chunk.tolist()
