"""How it stands with the quotas of a policy, in one worker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tritonkit.client.layers.budget.budget import Budget
from tritonkit.client.layers.budget.limits import Quota, Subject
from tritonkit.client.stack import Layer
from tritonkit.errors import RequestError
from tritonkit.gateway.live import document

__all__ = ["budgets_in", "layers_in", "read_budgets"]


def layers_in(parts: Iterable[object]) -> Iterator[Layer]:
    """Every layer once, also those that stand on the ways inside others."""
    seen: set[int] = set()

    def walk(parts: Iterable[object]) -> Iterator[Layer]:
        for part in parts:
            if not isinstance(part, Layer) or id(part) in seen:
                continue
            seen.add(id(part))
            yield part
            for *_, route in part.inside():
                yield from walk(route.layers)

    return walk(parts)


def budgets_in(parts: Iterable[object]) -> list[Budget]:
    """The budgets of a stack."""
    return [layer for layer in layers_in(parts) if isinstance(layer, Budget)]


async def read_budgets(
    budgets: Sequence[Budget],
) -> tuple[list[document.Budget], list[bool]]:
    """Each quota, and whether its ledger is one for all workers."""
    found: list[document.Budget] = []
    shared: list[bool] = []
    for budget in budgets:
        denied = budget.counts.get("denied", 0)
        for quota in budget.quotas:
            spent = await _spent(budget, quota)
            found.append(
                {
                    "quota": quota.label,
                    "unit": quota.unit,
                    "limit": quota.amount,
                    "spent": spent,
                    "left": None if spent is None else max(0, quota.amount - spent),
                    "window": quota.window_us / 1e6,
                    "denied": denied,
                }
            )
            shared.append(budget.ledger.shared)
    return found, shared


async def _spent(budget: Budget, quota: Quota) -> int | None:
    """What is charged and reserved now; None where nobody has it for all, or can tell."""
    if quota.per in ("user", "tenant") or (quota.per == "model" and not quota.model):
        return None
    try:
        (usage,) = await budget.ledger.usage([quota.claim(Subject(model=quota.model), 0)])
    except RequestError:
        return None
    return int(usage.settled + usage.reserved)
