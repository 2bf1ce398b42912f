"""What answers cost, reconciled with the ledger."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tritonkit.client import (
    Budget,
    Cache,
    Costs,
    Hedge,
    InferRequest,
    LocalLedger,
    Price,
    Quota,
    Retry,
    Stack,
    Telemetry,
)
from tritonkit.errors import (
    InferenceFailed,
    InvalidInput,
    RequestError,
    ServerOverloaded,
    ServerUnavailable,
)

if TYPE_CHECKING:
    from tests.client.layers.conftest import Kit

MONEY = Quota("1000.00", window="1d", name="money")
CALLS = Quota("1000 calls", window="1d", name="calls")
ROWS = Quota("1000 rows", per="user", window="1d", name="rows")
FEW = Quota("12 calls", per="tenant", window="1d", name="few")

FATES = st.sampled_from(
    [None, None, None, "slow", ServerUnavailable, InferenceFailed, ServerOverloaded, InvalidInput]
)
CALLS_MADE = st.tuples(
    st.lists(st.integers(0, 5), min_size=1, max_size=3),
    st.sampled_from(["live", "live", "batch", "shadow", "refresh"]),
    st.sampled_from(["u1", "u2", ""]),
    st.sampled_from(["", "acme"]),
    st.booleans(),
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(fates=st.lists(FATES, min_size=1, max_size=12), calls=st.lists(CALLS_MADE, max_size=14))
def test_cost_per_success_is_the_ledgers(
    fates: list[Any], calls: list[Any], kit: type[Kit]
) -> None:
    """
    Whatever fails, is repeated, hedged, kept, denied or left: every unit that the ledger was
    charged is in the telemetry, under the purse and the quota that it was charged to.
    """
    asyncio.run(_check(fates, calls, kit))


async def _check(fates: list[Any], calls: list[Any], kit: type[Kit]) -> None:
    model = kit.Model()
    turn = iter(range(10**9))

    async def answer(request: InferRequest) -> Any:
        fate = fates[next(turn) % len(fates)]
        if fate == "slow":
            await asyncio.sleep(0.003)
        elif fate is not None:
            raise fate("as told", model="m")
        return {"y": request.inputs["x"] * 2}

    model.transport.handler = answer
    ledger, telemetry = LocalLedger(), Telemetry()
    budget = Budget(
        MONEY, CALLS, ROWS, FEW, ledger=ledger, costs=Costs({"m": Price("0.01", "0.0007")})
    )
    stack = Stack(
        model.transport,
        [
            telemetry,
            Cache(clock=model.clock),
            Hedge(models=["m"], min_samples=0, budget="100%"),
            Retry(3, base=0, budget="100%", min_per_second=1e6),
            budget,
        ],
    )
    answers = failures = 0
    for values, priority, user, scope, leaves in calls:
        options = {"priority": priority, "tags": {"user": user}, "scope": scope}
        call = asyncio.ensure_future(kit.ask(stack, values, **options))
        if leaves:
            await asyncio.sleep(0)
            call.cancel()
        try:
            await call
            answers += 1
        except (RequestError, asyncio.CancelledError):
            failures += 1
    # A loser that was cancelled settles in its own time.
    await kit.settle()
    await asyncio.sleep(0.005)
    snapshot = telemetry.snapshot()
    assert (snapshot.requests, snapshot.errors, snapshot.in_flight) == (answers, failures, 0)
    spent = 0
    for purse in ("", "shadow", "refresh"):
        label = purse or "live"
        settled = {"money": 0, "calls": 0, "rows": 0, "few": 0}
        for tenant in ("", "acme"):
            for user in ("u1", "u2", ""):
                for used in await budget.usage(user=user, tenant=tenant, model="m", purse=purse):
                    name = used.quota.name
                    # What all share is there for each of them again.
                    whole = name in ("money", "calls") and (tenant, user) != ("", "")
                    whole |= name == "few" and user != ""
                    settled[name] += 0 if whole else used.settled
                    assert used.reserved == 0
        for name, amount in settled.items():
            told = snapshot.total("budget_settled", quota=name, purse=label)
            assert told == amount
            assert snapshot.total("budget_reserved", quota=name, purse=label) >= told
        assert snapshot.cost.get(label, 0) == settled["money"]
        spent += settled["money"]
    if answers:
        assert snapshot.cost_per_success == spent / answers
    else:
        assert math.isnan(snapshot.cost_per_success)
    # Each second request that was sent either won or did not.
    hedges = snapshot.total("hedges")
    assert hedges == snapshot.total("hedges_won") + snapshot.total("hedges_wasted")
    await stack.aclose()
