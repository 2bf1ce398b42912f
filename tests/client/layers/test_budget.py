"""No more is spent than may be, whatever becomes of the requests."""

from __future__ import annotations

import asyncio
import logging
import math
import os
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tritonkit.client import (
    AsyncClient,
    Client,
    InferRequest,
    InferResponse,
    Layer,
    Retry,
    Route,
    Service,
    Stack,
)
from tritonkit.client.layers.budget.budget import Budget
from tritonkit.client.layers.budget.cost import Costs, Price
from tritonkit.client.layers.budget.limits import Quota
from tritonkit.client.layers.budget.measured import Measured
from tritonkit.client.layers.budget.warnings import BudgetWarning
from tritonkit.client.layers.tiers.tiers import Tiers
from tritonkit.client.ledgers.ledger import Claim, Grant, Ledger, Lost, Outcome, Usage
from tritonkit.client.ledgers.local import LocalLedger
from tritonkit.client.spent import Spent
from tritonkit.errors import (
    BudgetExceeded,
    CircuitOpen,
    ConfigError,
    DeadlineExceeded,
    InferenceFailed,
    LimitExceeded,
    ModelUnavailable,
    NotConnected,
    NotKept,
    RequestError,
    ServerOverloaded,
    ServerUnavailable,
)

if TYPE_CHECKING:
    from conftest import Clock, Kit, Model, Triton

COSTS = Costs({"m": Price(row="0.01")})
CALLS = Quota("3 calls", window="1h")
MONEY = Quota("0.05", window="1h")


def budget(model: Model, *quotas: Quota, **options: Any) -> Budget:
    options = {"ledger": LocalLedger(clock=model.clock), "clock": model.clock, **options}
    return Budget(*quotas, costs=COSTS, **options)


async def used(layer: Budget) -> list[tuple[int, int]]:
    return [(usage.settled, usage.reserved) for usage in await layer.usage()]


async def test_it_spends_what_it_may_and_then_denies(model: Model, kit: Kit) -> None:
    """The error names the quota, its limit, what is left and when to come back."""
    layer = budget(model, MONEY)
    stack = Stack(model.transport, [layer])
    answer = await kit.ask(stack, [1, 2, 3])
    assert answer.trace.cost == 30_000
    with pytest.raises(BudgetExceeded) as caught:
        await kit.ask(stack, [1, 2, 3])
    assert str(caught.value) == (
        "everybody may spend 0.05 in 1h: 0.02 left, 0.03 needed; again in 1.01h"
    )
    assert caught.value.model == "m"
    assert 3600 <= caught.value.retry_after <= 3660
    assert len(model.sent) == 1
    assert await layer.left() == {MONEY: Decimal("0.02")}
    model.clock.advance(caught.value.retry_after)
    await kit.ask(stack, [1, 2, 3])
    assert layer.counts == {"granted": 2, "denied": 1, "cost": 60_000}


async def test_concurrent_requests_do_not_slip_through_together(model: Model, kit: Kit) -> None:
    """What is on its way is reserved; check and record are one step."""
    model.gate = asyncio.Event()
    layer = budget(model, CALLS)
    stack = Stack(model.transport, [layer])
    tasks = [asyncio.ensure_future(kit.ask(stack, [n])) for n in range(10)]
    await kit.settle()
    assert await used(layer) == [(0, 3)]
    model.gate.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(answer, BudgetExceeded) for answer in answers) == 7
    assert await used(layer) == [(3, 0)]


async def test_each_has_his_own(model: Model, kit: Kit) -> None:
    """A user is one of a tenant; whoever does not say who he is shares with his like."""
    layer = budget(model, Quota("1 call", per="user", window="1h"))
    stack = Stack(model.transport, [layer])
    asked: list[dict[str, Any]] = [
        {"tags": {"user": "a"}},
        {"tags": {"user": "b"}},
        {"tags": {"user": "a"}, "scope": "t"},
        {},
    ]
    for options in asked:
        await kit.ask(stack, [1], **options)
        with pytest.raises(BudgetExceeded):
            await kit.ask(stack, [1], **options)
    with pytest.raises(BudgetExceeded, match="user ''"):
        await kit.ask(stack, [1], tags={"other": "x"})


async def test_a_quota_of_a_model_counts_no_other(model: Model, kit: Kit) -> None:
    layer = budget(model, Quota("1 call", model="large", window="1h"))
    stack = Stack(model.transport, [layer])
    for _ in range(3):
        await kit.ask(stack, [1])
    await kit.ask(stack, [1], model="large")
    with pytest.raises(BudgetExceeded, match="1 call of large in 1h"):
        await kit.ask(stack, [1], model="large")
    assert await layer.usage(model="m") == []


async def test_all_or_nothing(model: Model, kit: Kit) -> None:
    """A request that one quota denies takes nothing from another."""
    layer = budget(model, CALLS, Quota("2 rows", per="tenant", window="1h"))
    stack = Stack(model.transport, [layer])
    with pytest.raises(BudgetExceeded):
        await kit.ask(stack, [1, 2, 3])
    assert await used(layer) == [(0, 0), (0, 0)]


async def test_kept_rows_cost_nothing(model: Model, kit: Kit) -> None:
    """Above a cache, which says which rows it had; a whole hit is no call at all."""
    layer = budget(model, CALLS, Quota("1", window="1h"), Quota("100 rows", window="1h"))
    stack = Stack(model.transport, [layer, model.cache()])
    await kit.ask(stack, [1, 2])
    assert await used(layer) == [(1, 0), (20_000, 0), (2, 0)]
    answer = await kit.ask(stack, [2, 3, 3, 1])
    assert answer.trace.cost == 10_000
    assert await used(layer) == [(2, 0), (30_000, 0), (3, 0)]
    for _ in range(5):
        assert (await kit.ask(stack, [1, 2])).trace.cost == 0
    assert await used(layer) == [(2, 0), (30_000, 0), (3, 0)]
    assert layer.now(InferRequest(model="m", inputs={}), lambda request: None) is None


@pytest.mark.parametrize(
    "error",
    [
        CircuitOpen("open"),
        LimitExceeded("shed"),
        NotKept("no"),
        NotConnected("refused"),
        ServerOverloaded("full"),
        ModelUnavailable("unknown"),
        BudgetExceeded("another's"),
    ],
)
async def test_what_did_not_reach_the_model_is_free(
    model: Model, kit: Kit, error: Exception
) -> None:
    layer = budget(model, MONEY)
    stack = Stack(model.transport, [layer])
    model.failure = error
    with pytest.raises(type(error)):
        await kit.ask(stack, [1, 2])
    assert await used(layer) == [(0, 0)]


@pytest.mark.parametrize(
    "error",
    [
        DeadlineExceeded("late"),
        ServerUnavailable("broke"),
        InferenceFailed("oops"),
        ValueError("a bug"),
    ],
)
async def test_what_may_have_been_computed_is_charged(
    model: Model, kit: Kit, error: Exception
) -> None:
    layer = budget(model, MONEY)
    stack = Stack(model.transport, [layer])
    model.failure = error
    with pytest.raises(type(error)):
        await kit.ask(stack, [1, 2])
    assert await used(layer) == [(20_000, 0)]


@pytest.mark.parametrize(
    ("error", "cause", "charged"),
    [
        (NotConnected("refused"), TimeoutError("of the connect"), 0),
        (ServerOverloaded("full"), RuntimeError("gRPC's"), 0),
        (CircuitOpen("open"), TimeoutError("an attempt's"), 10_000),
        (CircuitOpen("open"), ServerUnavailable("an attempt's"), 10_000),
    ],
)
async def test_what_a_transport_translates_is_no_other_attempt(
    model: Model, kit: Kit, error: RequestError, cause: Exception, charged: int
) -> None:
    layer = budget(model, MONEY)
    error.__cause__ = cause
    model.failure = error
    with pytest.raises(type(error)):
        await kit.ask(Stack(model.transport, [layer]), [1])
    assert await used(layer) == [(charged, 0)]


class Twice(Layer):
    """A retry whose first attempt timed out and whose second was not made."""

    async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
        try:
            raise DeadlineExceeded("late")
        except DeadlineExceeded:
            raise CircuitOpen("open") from None


class Amid(Layer):
    """Asks while it deals with the failure of another route."""

    async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
        try:
            raise DeadlineExceeded("another route's")
        except DeadlineExceeded:
            return await inner(request)


async def test_an_attempt_behind_the_error_is_charged(model: Model, kit: Kit) -> None:
    """Below the budget; what happened above it before is no business of its own."""
    layer = budget(model, MONEY)
    with pytest.raises(CircuitOpen):
        await kit.ask(Stack(model.transport, [layer, Twice()]), [1])
    assert await used(layer) == [(10_000, 0)]
    model.failure = CircuitOpen("open")
    with pytest.raises(CircuitOpen):
        await kit.ask(Stack(model.transport, [Amid(), layer]), [1])
    assert await used(layer) == [(10_000, 0)]


async def test_a_cancelled_request_is_charged(model: Model, kit: Kit) -> None:
    """The server may be at it."""
    model.gate = asyncio.Event()
    layer = budget(model, MONEY)
    task = asyncio.ensure_future(kit.ask(Stack(model.transport, [layer]), [1, 2]))
    await kit.settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await used(layer) == [(20_000, 0)]


class Attempts(Layer):
    """Sends so many times."""

    def __init__(self, number: int) -> None:
        self.number = number

    async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
        for _ in range(self.number):
            answer = await inner(request)
        return replace(answer, trace=replace(answer.trace, attempts=self.number))


async def test_attempts_below_are_reserved_and_what_was_made_is_charged(
    model: Model, kit: Kit
) -> None:
    layer = budget(model, MONEY, attempts=3)
    stack = Stack(model.transport, [layer, Attempts(2)])
    assert (await kit.ask(stack, [1])).trace.cost == 20_000
    assert await used(layer) == [(20_000, 0)]
    with pytest.raises(BudgetExceeded, match=r"0\.03 left, 0\.06 needed"):
        await kit.ask(stack, [1, 2])


async def test_more_than_reserved_is_a_violation(
    model: Model, kit: Kit, caplog: pytest.LogCaptureFixture
) -> None:
    """It is charged and told; the next ones are denied."""
    layer = budget(model, CALLS)
    await kit.ask(Stack(model.transport, [layer, Attempts(5)]), [1])
    assert layer.counts["violations"] == 1
    (usage,) = await layer.usage()
    assert (usage.settled, usage.left, usage.violations) == (5, 0, 1)
    assert "more than" in caplog.text


async def test_it_warns_once_in_a_window(
    model: Model, kit: Kit, caplog: pytest.LogCaptureFixture
) -> None:
    warned: list[BudgetWarning] = []
    quota = Quota("5 calls", per="user", window="1h")
    layer = budget(model, quota, soft="60%", on_warning=warned.append)
    stack = Stack(model.transport, [layer])
    for _ in range(5):
        await kit.ask(stack, [1], tags={"user": "u"})
    assert [str(w) for w in warned] == ["user 'u' has used 4 calls of 5 calls per user in 1h"]
    model.clock.advance(3661)
    for _ in range(4):
        await kit.ask(stack, [1], tags={"user": "u"})
    assert len(warned) == 2
    assert not caplog.records
    logged = budget(model, quota, soft=0)
    await kit.ask(Stack(model.transport, [logged]), [1])
    assert "user '' has used 1 call of" in caplog.text


async def test_a_dry_run_denies_nothing(
    model: Model, kit: Kit, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    layer = budget(model, CALLS, dry_run=True)
    stack = Stack(model.transport, [layer])
    for _ in range(5):
        await kit.ask(stack, [1])
    assert layer.counts["denied"] == layer.counts["unaccounted"] == 2
    assert await used(layer) == [(3, 0)]
    assert "dry run, not denied: everybody may spend 3 calls in 1h" in caplog.text


async def test_nobody_waits_for_shadow_and_refresh(model: Model, kit: Kit) -> None:
    """They have a purse of their own each, and take nothing from those who wait."""
    layer = budget(model, CALLS)
    stack = Stack(model.transport, [layer])
    for priority in ("shadow", "refresh", "live"):
        for _ in range(3):
            await kit.ask(stack, [1], priority=priority)
        with pytest.raises(BudgetExceeded):
            await kit.ask(stack, [1], priority=priority)
    with pytest.raises(BudgetExceeded):
        await kit.ask(stack, [1], priority="batch")
    assert len(model.sent) == 9
    (shadow,) = await layer.usage(purse="shadow")
    assert (shadow.whose, shadow.settled) == ("everybody (shadow)", 3)


async def test_a_cheaper_route_takes_over(model: Model, kit: Kit) -> None:
    """Where the dear one is denied it is not asked at all; the answer says so."""
    layer = budget(model, Quota("2 calls", model="large", window="1h"))
    dear, cheap = Route("dear", model="large", layers=[layer]), Route("cheap", model="small")
    stack = Stack(model.transport, [Tiers(dear, cheap)])
    answers = [await kit.ask(stack, [1]) for _ in range(4)]
    assert [r.model for r in model.transport.requests] == ["large", "large", "small", "small"]
    assert [bool(answer.trace.degraded) for answer in answers] == [False, False, True, True]


async def test_what_is_kept_is_there_when_the_budget_is_spent(model: Model, kit: Kit) -> None:
    """Above a cache: a request for kept answers alone costs nothing, whatever comes of it."""
    layer = budget(model, Quota("1 call", window="1h"))
    stack = Stack(model.transport, [layer, model.cache()])
    await kit.ask(stack, [1])
    with pytest.raises(BudgetExceeded):
        await kit.ask(stack, [1])
    await kit.ask(stack, [1], only_kept=True)
    with pytest.raises(NotKept):
        await kit.ask(stack, [2], only_kept=True)
    assert await used(layer) == [(1, 0)]


async def test_a_model_without_a_price_is_denied(model: Model, kit: Kit) -> None:
    """Only where money counts: nobody can say how much is left afterwards."""
    layer = budget(model, MONEY)
    with pytest.raises(BudgetExceeded, match="nobody says what model 'n' costs") as caught:
        await kit.ask(Stack(model.transport, [layer]), [1], model="n")
    assert caught.value.retry_after == math.inf
    await kit.ask(Stack(model.transport, [budget(model, CALLS)]), [1], model="n")


async def test_a_request_that_never_fits_says_so(model: Model, kit: Kit) -> None:
    with pytest.raises(BudgetExceeded, match=r"0\.05 left, 0\.06 needed$") as caught:
        await kit.ask(Stack(model.transport, [budget(model, MONEY)]), [1] * 6)
    assert caught.value.retry_after == math.inf


async def test_nothing_is_allowed_by_zero(model: Model, kit: Kit) -> None:
    layer = Budget(Quota("0", window="1h"), costs=Costs(default=Price()))
    with pytest.raises(BudgetExceeded):
        await kit.ask(Stack(model.transport, [layer]), [1])


class Moody(Ledger):
    """Shared; forgets everything while it is lost, and takes its time."""

    shared = True

    def __init__(self) -> None:
        self.inner = LocalLedger()
        self.lost = False
        self.gate: asyncio.Event | None = None
        self.settled: list[str] = []

    async def reserve(self, id: str, claims: Sequence[Claim], ttl: float) -> Outcome:
        if self.lost:
            return Lost("gone", 7.0)
        outcome = await self.inner.reserve(id, claims, ttl)
        await self.wait()
        return outcome

    async def wait(self) -> None:
        if self.gate is not None:
            await self.gate.wait()

    async def settle(self, id: str, actual: Sequence[int]) -> bool:
        await self.wait()
        self.settled.append(id)
        return not self.lost and await self.inner.settle(id, actual)

    async def release(self, id: str) -> bool:
        await self.wait()
        return not self.lost and await self.inner.release(id)

    async def usage(self, claims: Sequence[Claim]) -> list[Usage]:
        return await self.inner.usage(claims)


async def test_while_nobody_knows_it_denies(model: Model, kit: Kit) -> None:
    """By default: a limit is hard only so. And the windows are as before when it is known again."""
    ledger = Moody()
    layer = budget(model, CALLS, ledger=ledger)
    stack = Stack(model.transport, [layer])
    await kit.ask(stack, [1])
    ledger.lost = True
    with pytest.raises(BudgetExceeded, match="nobody knows what is left: gone") as caught:
        await kit.ask(stack, [1])
    assert caught.value.retry_after == 7.0
    ledger.lost = False
    await kit.ask(stack, [1])
    assert await used(layer) == [(2, 0)]


async def test_while_nobody_knows_it_keeps_a_share(model: Model, kit: Kit) -> None:
    """In this process; it is not given anew each time that the ledger is lost."""
    ledger, quota = Moody(), Quota("20 calls", window="1h")
    layer = budget(model, quota, ledger=ledger, on_loss="fail_local", local_share="10%")
    stack = Stack(model.transport, [layer])
    ledger.lost = True
    await kit.ask(stack, [1])
    ledger.lost = False
    await kit.ask(stack, [1])
    ledger.lost = True
    await kit.ask(stack, [1])
    with pytest.raises(BudgetExceeded, match="of which this process has a share: 0 calls left"):
        await kit.ask(stack, [1])
    assert await used(layer) == [(1, 0)]


async def test_while_nobody_knows_everything_passes(model: Model, kit: Kit) -> None:
    """Where that was said."""
    ledger = Moody()
    ledger.lost = True
    layer = budget(model, CALLS, ledger=ledger, on_loss="fail_open")
    stack = Stack(model.transport, [layer])
    for _ in range(5):
        await kit.ask(stack, [1])
    assert layer.counts["unaccounted"] == layer.counts["lost"] == 5


async def test_what_could_not_be_settled_stays_reserved(model: Model, kit: Kit) -> None:
    """And is charged in full when it expires."""
    ledger = Moody()
    layer = budget(model, MONEY, ledger=ledger)
    stack = Stack(model.transport, [layer])
    model.gate = asyncio.Event()
    task = asyncio.ensure_future(kit.ask(stack, [1]))
    await kit.settle()
    ledger.lost = True
    model.gate.set()
    await task
    assert layer.counts["unsettled"] == 1
    assert await used(layer) == [(0, 10_000)]


async def test_who_is_cancelled_before_the_ledger_answers_leaves_nothing(
    model: Model, kit: Kit
) -> None:
    """Reserved or not, it is released, though nobody waits for that."""
    ledger = Moody()
    ledger.gate = asyncio.Event()
    layer = budget(model, MONEY, ledger=ledger)
    task = asyncio.ensure_future(kit.ask(Stack(model.transport, [layer]), [1]))
    await kit.settle()
    assert await used(layer) == [(0, 10_000)]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    ledger.gate.set()
    await kit.settle()
    assert await used(layer) == [(0, 0)]
    assert not model.sent


async def test_who_is_cancelled_while_it_is_settled_leaves_nothing_open(
    model: Model, kit: Kit
) -> None:
    ledger = Moody()
    layer = budget(model, MONEY, ledger=ledger)
    model.gate = asyncio.Event()
    task = asyncio.ensure_future(kit.ask(Stack(model.transport, [layer]), [1]))
    await kit.settle()
    ledger.gate = asyncio.Event()
    model.gate.set()
    await kit.settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    ledger.gate.set()
    await layer.aclose()
    assert await used(layer) == [(10_000, 0)]


async def test_the_reservation_outlives_the_deadline(model: Model, kit: Kit) -> None:
    """A request that may take an hour is not charged before it has ended."""
    seen: list[float] = []

    class Watching(LocalLedger):
        async def reserve(self, id: str, claims: Sequence[Claim], ttl: float) -> Any:
            seen.append(ttl)
            return await super().reserve(id, claims, ttl)

    layer = budget(model, CALLS, ledger=Watching(), ttl="2m")
    stack = Stack(model.transport, [layer])
    loop = asyncio.get_running_loop()
    await kit.ask(stack, [1])
    await kit.ask(stack, [1], deadline=loop.time() + 10)
    await kit.ask(stack, [1], deadline=loop.time() + 3600)
    assert seen == [120, 120, pytest.approx(3660, abs=5)]


async def test_layers_that_share_a_ledger_share_a_quota(model: Model, kit: Kit) -> None:
    """Those that agree in all but the limit, unless they have names."""
    ledger = LocalLedger(clock=model.clock)
    one, two = budget(model, CALLS, ledger=ledger), budget(model, CALLS, ledger=ledger)
    other = budget(model, replace(CALLS, name="other"), ledger=ledger)
    await kit.ask(Stack(model.transport, [one]), [1])
    assert [await used(layer) for layer in (one, two, other)] == [[(1, 0)], [(1, 0)], [(0, 0)]]


async def test_a_budget_below_knows_the_cost_better(model: Model, kit: Kit) -> None:
    dear = Budget(costs=Costs({"m": Price(row=3)}))
    answer = await kit.ask(Stack(model.transport, [dear, budget(model)]), [1])
    assert answer.trace.cost == 10_000


@pytest.mark.parametrize("noted", [True, False])
async def test_what_failed_is_told_by_one_budget_of_two(
    model: Model, kit: Kit, noted: bool
) -> None:
    """Each charges its quotas; the money is that of the one below, as of an answer."""
    outer = Budget(costs=Costs({"m": Price(row=3)}))
    inner = budget(model)
    stack = Stack(model.transport, [outer, Retry(1), inner])
    model.failure = InferenceFailed("oops")
    with pytest.raises(InferenceFailed):
        await kit.ask(stack, [1], spent=Spent() if noted else None)
    costs = [
        reading.value for layer in (outer, inner) for reading in layer.observe()
        if reading.name == "cost"
    ]  # fmt: skip
    assert sum(costs) == 10_000


async def test_a_price_by_the_hour(model: Model, kit: Kit) -> None:
    """Half an hour of compute for a row of 100 ms at first; then what the server says."""
    clock: Clock = model.clock
    costs = Measured(36, at_first="100ms", every="1m", clock=clock)
    layer = Budget(Quota("1", window="1h"), costs=costs, clock=clock)
    stack = Stack(model.transport, [layer])

    async def statistics(model: str = "", version: str = "", **_: Any) -> list[dict[str, Any]]:
        asked.append((model, version))
        return [{"inference_count": 10, "inference_stats": {"compute_infer": {"ns": 10**8}}}]

    asked: list[Any] = []
    model.transport.statistics = statistics  # type: ignore[method-assign]
    assert (await kit.ask(stack, [1, 2])).trace.cost == 2000
    await kit.settle()
    for _ in range(3):
        assert (await kit.ask(stack, [1, 2])).trace.cost == 200
    assert asked == [("m", "")]
    clock.advance(61)

    async def fails(model: str = "", version: str = "", **_: Any) -> list[dict[str, Any]]:
        raise ServerUnavailable("gone")

    model.transport.statistics = fails  # type: ignore[method-assign]
    assert (await kit.ask(stack, [1, 2])).trace.cost == 200
    await kit.settle()
    assert (await kit.ask(stack, [1, 2])).trace.cost == 200
    await layer.aclose()


@pytest.mark.parametrize("protocol", ["http", "grpc"])
async def test_a_real_server_says_how_long_it_computes(mixers: Triton, protocol: str) -> None:
    """By either protocol; well below what was taken for granted."""
    costs = Measured("3.60", at_first="10s", every=0)
    layer = Budget(Quota("100", window="1h"), costs=costs)
    async with AsyncClient(getattr(mixers, protocol), layers=[layer]) as client:
        x = np.ones((8, 4), np.float32)
        assert (await client.infer("doubles", {"x": x})).trace.cost == 8 * 10_000
        for _ in range(500):
            cost = (await client.infer("doubles", {"x": x})).trace.cost
            if cost < 8 * 10_000:
                break
            await asyncio.sleep(0.01)
        assert 0 < costs.seconds("doubles") < 1
        assert 8 <= cost < 8 * 1000


def test_the_synchronous_client_from_several_threads(model: Model) -> None:
    layer = budget(model, CALLS)
    with Client(model.transport, layers=[layer]) as client:
        for _ in range(3):
            client.infer("m", {"x": np.ones((1, 1), np.float32)})
        with pytest.raises(BudgetExceeded):
            client.infer("m", {"x": np.ones((1, 1), np.float32)})


@pytest.mark.parametrize(
    ("quotas", "options", "message"),
    [
        ([MONEY], {}, "costs="),
        ([replace(MONEY, model="x")], {"costs": COSTS}, "price for the model"),
        ([CALLS, Quota("9 calls", window="1h")], {}, "differ"),
        ([], {"on_loss": "fail"}, "on_loss"),
        ([], {"soft": 2}, "soft"),
        ([], {"attempts": 0}, "attempts"),
        ([], {"ttl": 0}, "ttl"),
    ],
)
def test_budgets_that_are_none(quotas: list[Quota], options: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Budget(*quotas, **options)


def test_it_shows_what_it_is() -> None:
    assert (
        repr(Budget(CALLS, dry_run=True)) == "Budget('3 calls in 1h', LocalLedger(), dry_run=True)"
    )


def test_a_child_finds_no_lock_held(model: Model, kit: Kit) -> None:
    layer = budget(model, CALLS, soft=0)
    with layer._accounts._lock, layer._warned._lock:
        child = os.fork()
        if not child:
            asyncio.run(kit.ask(Stack(model.transport, [layer]), [1]))
            os._exit(0 if layer.counts["granted"] == 1 else 1)
    assert os.waitpid(child, 0)[1] == 0


async def test_a_grant_is_what_a_ledger_gives(model: Model) -> None:
    """A ledger of one's own needs four methods."""
    assert isinstance(await Moody().reserve("a", [Claim("s", 1, 10**6, 1)], 1), Grant)
