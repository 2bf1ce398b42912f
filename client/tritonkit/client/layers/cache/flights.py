"""What is being computed right now, so that nobody asks for it a second time."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tritonkit.client.shared import Shared
from tritonkit.client.stores.store import Entry
from tritonkit.client.trace import UNSEEN, Trace

__all__ = ["Computed", "Flight", "Flights"]


@dataclass(frozen=True, slots=True)
class Computed:
    """
    What a call to the model gave.

    Args:
        entries: By key.
        model: Name of the model that answered.
        version: Its version.
        seconds: What it took, for each row.
        tiers: By key, the route that answered; none where there was no choice, or
            another process asked.
        trace: Of the answer as it came.
    """

    entries: Mapping[bytes, Entry]
    model: str
    version: str
    seconds: float
    tiers: Mapping[bytes, str] = field(default_factory=dict)
    trace: Trace = UNSEEN

    def joined(self, other: Computed) -> Computed:
        """Both as one: what they took together, and less than full where either is."""
        mine, its = self.trace, other.trace
        trace = replace(
            mine,
            degraded=mine.degraded or its.degraded,
            attempts=mine.attempts + its.attempts,
            cost=mine.cost + its.cost,
        )
        # That of an answer, and not of what nobody was asked for.
        last = other if other.trace is not UNSEEN else self
        return Computed(
            {**self.entries, **other.entries},
            last.model,
            last.version,
            max(self.seconds, other.seconds),
            {**self.tiers, **other.tiers},
            trace,
        )


class Flight(Shared[Computed]):
    """
    A call to the model under way, for some keys.

    Args:
        work: The call.
        deadline: Of the request that began it, which is the call's as well.
    """

    def __init__(self, work: Coroutine[Any, Any, Computed], deadline: float | None) -> None:
        super().__init__(work)
        self._deadline = deadline

    def ends_before(self, deadline: float | None) -> bool:
        """Whether it had less time than one who may wait until *deadline*."""
        return self._deadline is not None and (deadline is None or deadline > self._deadline)


class Flights:
    """
    Calls under way, by the keys of the rows that they compute.

    A call belongs to all who wait for one of its rows: it ends with the last of
    them. It is off the table before anybody learns of its result.
    """

    def __init__(self) -> None:
        # What belongs to a closed event loop, or to the parent of a fork, is no
        # longer under way.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._table: dict[bytes, Flight] = {}

    def __len__(self) -> int:
        return len(self._table)

    def find(self, key: bytes) -> Flight | None:
        """The call that computes *key*, if one may still be joined."""
        flight = self._here().get(key)
        return flight if flight is not None and flight.open else None

    def lead(
        self,
        keys: Collection[bytes],
        work: Coroutine[Any, Any, Computed],
        deadline: float | None,
    ) -> Flight:
        """Begin a call for *keys*, which nobody computes."""
        table = self._here()
        flight = Flight(work, deadline)
        for key in keys:
            table[key] = flight

        def land(_: object) -> None:
            for key in keys:
                if table.get(key) is flight:
                    del table[key]

        # Before the callbacks of those who wait.
        flight.task.add_done_callback(land)
        return flight

    def _here(self) -> dict[bytes, Flight]:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._table = loop, {}
        return self._table


async def wait_all(flights: Collection[Flight], deadline: float | None) -> bool:
    """
    Wait for every one of *flights*, which the caller has joined.

    Returns:
        False if the deadline passed first.
    """
    for flight in flights:
        # One after the other: each goes on meanwhile, and the last decides.
        if not await flight.ended(deadline):
            return False
    return True
