"""When to say that a budget is nearly spent."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from tritonkit.client.forks import fork_safe_lock
from tritonkit.client.layers.budget.limits import Quota, format_amount

__all__ = ["BudgetWarning", "Warned"]

_SCOPES = 10_000


@dataclass(frozen=True, slots=True)
class BudgetWarning:
    """
    A quota is spent beyond its soft limit.

    Args:
        quota: Which one.
        whose: For people: "user 'u17'".
        used: What is spent or reserved, in the quota's smallest unit.
    """

    quota: Quota
    whose: str
    used: int

    def __str__(self) -> str:
        return f"{self.whose} has used {format_amount(self.used, self.quota.unit)} of {self.quota}"


class Warned:
    """
    Who was warned already: once in a window each, ten thousand of them at most.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = fork_safe_lock()
        self._until: OrderedDict[str, float] = OrderedDict()

    def first(self, scope: str, window: float) -> bool:
        """Whether *scope* was not warned within its window; now it is."""
        with self._lock:
            now = self._clock()
            if self._until.get(scope, now) > now:
                return False
            self._until[scope] = now + window
            self._until.move_to_end(scope)
            if len(self._until) > _SCOPES:
                self._until.popitem(last=False)
            return True
