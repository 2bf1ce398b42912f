"""What a Budget has done so far, for whoever watches it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from tritonkit.client.forks import fork_safe_lock
from tritonkit.client.layers.budget.limits import Quota
from tritonkit.client.readings import Reading

__all__ = ["Accounts"]

_EVENTS = ("granted", "denied", "lost", "unaccounted", "released", "violations", "unsettled")


class Accounts:
    """Events and amounts, added up; from any thread, and through a fork."""

    def __init__(self) -> None:
        self._lock = fork_safe_lock()
        self._events: Counter[str] = Counter()
        # By reading, quota and purse.
        self._amounts: Counter[tuple[str, str, str]] = Counter()

    @property
    def events(self) -> dict[str, int]:
        """How often each happened; and "cost", the micro-units of answers."""
        with self._lock:
            return dict(self._events)

    def count(self, event: str, by: int = 1) -> None:
        """It happened, *by* times."""
        with self._lock:
            self._events[event] += by

    def spend(self, purse: str, money: int) -> None:
        """So many micro-units were charged."""
        with self._lock:
            self._amounts["cost", "", purse] += money

    def settle(
        self, purse: str, quotas: Sequence[Quota], settled: Sequence[int], reserved: Sequence[int]
    ) -> None:
        """So much was charged to each of *quotas*, of what was reserved."""
        with self._lock:
            for quota, charged, bound in zip(quotas, settled, reserved, strict=True):
                self._amounts["budget_reserved", quota.label, purse] += bound
                self._amounts["budget_settled", quota.label, purse] += charged

    def observe(self) -> Iterator[Reading]:
        """What the ledger said, and the amounts: of each quota, and of all in money."""
        with self._lock:
            events, amounts = dict(self._events), dict(self._amounts)
        for event in _EVENTS:
            yield Reading("budget_events", events.get(event, 0), {"event": event})
        for (name, quota, purse), amount in amounts.items():
            labels = {"quota": quota} if quota else {}
            yield Reading(name, amount, {**labels, "purse": purse or "live"})
