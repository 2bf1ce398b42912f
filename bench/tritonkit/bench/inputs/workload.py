"""Everything that a load sends, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.bench.schedule.chunks import every_turned
from tritonkit.client import Tensors

__all__ = ["Check", "Item", "Order", "Workload", "in_turn"]

Order = Callable[[int, int], Iterator[NDArray[np.int64]]]
"""From the number of items and a seed: indices of items, endless, in chunks."""

_CHUNK = 1024
"""Indices at a time, at least: few requests come as cheaply as many."""

Check = Callable[[Tensors], str | None]
"""Says what is wrong with an answer's outputs; None where nothing is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """
    One distinct request.

    Args:
        inputs: Its tensors, each with the batch dimension where the model batches.
        rows: Its batch size; 1 for a model that does not batch.
        model: Name of the model; empty for the target's own.
        version: Its version; empty for the server's choice.
        outputs: Names of the outputs to ask for; empty for all.
        parameters: Request parameters.
        check: What its answer must be; None to look at the status only.
    """

    inputs: Tensors
    rows: int = 1
    model: str = ""
    version: str = ""
    outputs: tuple[str, ...] = ()
    parameters: Mapping[str, bool | int | float | str] = field(default_factory=dict)
    check: Check | None = None


def in_turn(items: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Each item after the other, again and again."""
    chunk = np.tile(np.arange(items, dtype=np.int64), -(-_CHUNK // items))
    while True:
        yield chunk


@dataclass(frozen=True, slots=True)
class _Thinned:
    """An order that can be handed to another process."""

    order: Order
    of: int
    number: int

    def __call__(self, items: int, seed: int) -> Iterator[NDArray[np.int64]]:
        # Machines send at paces of their own, so each needs every item.
        return every_turned(self.order(items, seed), self.of, self.number, items)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """
    Distinct requests and the order in which they are sent.

    Args:
        items: At least one.
        order: Which item comes when.
        description: Where each input's values come from, by name, for the report.
        popularity: The order, for people: "in turn", "Zipf, s = 1".
    """

    items: Sequence[Item]
    order: Order = in_turn
    description: Mapping[str, str] = field(default_factory=dict)
    popularity: str = "in turn"

    def thinned(self, of: int, number: int) -> Workload:
        """What machine *number* of so many sends; those of all are this order, each item once."""
        return replace(self, order=_Thinned(self.order, of, number))

    def describe(self) -> Mapping[str, Any]:
        """The workload in JSON's types."""
        return {
            "inputs": dict(self.description),
            "distinct_requests": len(self.items),
            "popularity": self.popularity,
        }
