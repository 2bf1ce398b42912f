"""How it stands with the quotas of a policy, in one worker."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from tritonkit.client.layers.budget.budget import Budget
from tritonkit.client.layers.budget.limits import Quota, Subject
from tritonkit.client.stack import Layer
from tritonkit.errors import RequestError
from tritonkit.gateway.live import document

__all__ = ["Budgets"]

WATCHED, UNWATCHED = 2.0, 15.0
"""Seconds between two questions to ledgers, which may be in Redis."""

PATIENCE = 0.5
"""Seconds to wait for their answers; what comes later is there the next time."""


class Budgets:
    """
    What was read of ledgers last.

    Args:
        layers: Of a stack, those inside others as well.
    """

    def __init__(self, layers: Iterable[Layer]) -> None:
        self._layers = [layer for layer in layers if isinstance(layer, Budget)]
        self._next = float("-inf")
        self.found: list[document.Budget] = []
        """Each quota."""
        self.shared: list[bool] = []
        """Of each whether its ledger is one for all workers."""
        self._reading: asyncio.Task[None] | None = None

    async def look(self, now: float, *, watched: bool) -> None:
        """
        Read them, if it is time to; a ledger that does not answer holds nobody up.

        Args:
            now: Seconds that only grow.
            watched: Whether anybody looks.
        """
        if not self._layers or now < self._next:
            return
        if self._reading is None or self._reading.done():
            self._next = now + (WATCHED if watched else UNWATCHED)
            self._reading = asyncio.get_running_loop().create_task(self._read())
        await asyncio.wait({self._reading}, timeout=PATIENCE)

    async def aclose(self) -> None:
        """Ask no more."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self) -> None:
        self.found, self.shared = await _read(self._layers)


async def _read(
    budgets: Sequence[Budget],
) -> tuple[list[document.Budget], list[bool]]:
    """Each quota, and whether its ledger is one for all workers."""
    found: list[document.Budget] = []
    shared: list[bool] = []
    for budget in budgets:
        denied = budget.counts.get("denied", 0)
        for quota in budget.quotas:
            apart = quota.per in ("user", "tenant") or (quota.per == "model" and not quota.model)
            spent = None if apart else await _spent(budget, quota)
            found.append(
                {
                    "quota": quota.label,
                    "unit": quota.unit,
                    "limit": quota.amount,
                    "spent": spent,
                    "left": None if spent is None else max(0, quota.amount - spent),
                    "window": quota.window_us / 1e6,
                    "denied": denied,
                    "apart": apart,
                }
            )
            shared.append(budget.ledger.shared)
    return found, shared


async def _spent(budget: Budget, quota: Quota) -> int | None:
    """What is charged and reserved now; None where nobody can tell."""
    try:
        (usage,) = await budget.ledger.usage([quota.claim(Subject(model=quota.model), 0)])
    except RequestError:
        return None
    return int(usage.settled + usage.reserved)
