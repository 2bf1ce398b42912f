"""Both ledgers against a list of what happened, by a clock of the test."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from tritonkit.client.ledgers.ledger import (
    BUCKETS,
    MAX_AMOUNT,
    Claim,
    Denied,
    Grant,
    Ledger,
    Outcome,
    Usage,
)
from tritonkit.client.ledgers.local import LocalLedger
from tritonkit.errors import ConfigError

if TYPE_CHECKING:
    from conftest import Kit

    from tritonkit.client.testing.redis_server import RedisServer

SECOND = 10**6
WINDOWS = {"user": 60 * SECOND, "tenant": 60 * SECOND + 7, "all": 300 * SECOND}
LIMITS = {"user": 100, "tenant": 150, "all": 400}
TTL = 45.0
IDS = [f"r{number}" for number in range(16)]


@dataclass
class Item:
    """A reservation, and what became of it."""

    amounts: dict[str, int]
    begun: int
    expiry: int
    spent: dict[str, int] | None = None
    ended: int = 0


@dataclass
class Model:
    """
    What a ledger must say, from a list of everything that ever happened.

    An id that is over is known for a minute; in Redis of its own clock, which
    the test does not turn.
    """

    remembers: int
    now: int = 1000 * SECOND
    items: dict[str, Item] = field(default_factory=dict)
    over: dict[str, int] = field(default_factory=dict)
    past: list[Item] = field(default_factory=list)

    def expire(self) -> None:
        for id, item in list(self.items.items()):
            if item.expiry <= self.now:
                self.end(id, dict(item.amounts), item.expiry)

    def end(self, id: str, spent: dict[str, int], at: int) -> bool:
        self.over[id] = at + self.remembers
        item = self.items.pop(id, None)
        if item is None:
            return False
        item.spent, item.ended = spent, at
        self.past.append(item)
        return True

    def is_over(self, id: str) -> bool:
        return self.over.get(id, 0) > self.now

    def counted(self, scope: str, now: int) -> int:
        """Bucket by bucket, the oldest in full."""
        size = -(-WINDOWS[scope] // BUCKETS)
        return sum(
            item.spent.get(scope, 0)
            for item in self.past
            if item.spent and (item.ended // size + 1) * size > now - WINDOWS[scope]
        )

    def reserved(self, scope: str) -> int:
        return sum(item.amounts.get(scope, 0) for item in self.items.values())

    def denies(self, amounts: dict[str, int]) -> dict[str, int]:
        """Scopes that have too little left, and what they have."""
        found = {}
        for scope, amount in amounts.items():
            used = self.counted(scope, self.now) + self.reserved(scope)
            if used + amount > LIMITS[scope]:
                found[scope] = max(0, LIMITS[scope] - used)
        return found

    def check(self) -> None:
        """
        In no window of that length was more spent than the limit.

        Wherever it was spent: at the end of each reservation, or at its beginning.
        """
        for scope, window in WINDOWS.items():
            spent = [(i.ended, i.spent[scope]) for i in self.past if i.spent and scope in i.spent]
            begun = [(i.begun, i.spent[scope]) for i in self.past if i.spent and scope in i.spent]
            for events in (spent, begun):
                for start, _ in events:
                    inside = sum(n for at, n in events if start <= at <= start + window)
                    assert inside <= LIMITS[scope], (scope, start)


def machine(make: Callable[[Model], tuple[Ledger, Callable[[], None]]], remembers: int) -> Any:
    """A state machine for a ledger; *make* gives it and what sets its clock to the model's."""

    class Machine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.model = Model(remembers)
            self.ledger, self.turn = make(self.model)
            self.turn()

        def run(self, work: Any) -> Any:
            self.model.expire()
            return LOOP.run_until_complete(work)

        @rule(seconds=st.floats(0, 40) | st.sampled_from([1.0, 60.0, 300.0]))
        def wait(self, seconds: float) -> None:
            self.model.now += int(seconds * SECOND)
            self.turn()

        @rule(
            id=st.sampled_from(IDS),
            amounts=st.dictionaries(
                st.sampled_from(list(WINDOWS)), st.integers(0, 120), min_size=1, max_size=3
            ),
            ttl=st.sampled_from([TTL, 1.5]),
        )
        def reserve(self, id: str, amounts: dict[str, int], ttl: float) -> None:
            model = self.model
            work = self.ledger.reserve(id, claims(amounts), ttl)
            model.expire()
            if model.is_over(id):
                with pytest.raises(ConfigError, match="used once"):
                    self.run(work)
                return
            outcome = self.run(work)
            if id in model.items:
                assert isinstance(outcome, Grant)
                return
            denied = model.denies(amounts)
            if denied:
                assert isinstance(outcome, Denied)
                scope = list(amounts)[outcome.claim]
                assert outcome.left == denied[scope]
                self.wait_is_right(outcome, amounts)
                return
            assert isinstance(outcome, Grant)
            item = Item(dict(amounts), model.now, model.now + int(ttl * SECOND))
            model.items[id] = item
            used = tuple(model.counted(s, model.now) + model.reserved(s) for s in amounts)
            assert outcome.used == used

        def wait_is_right(self, outcome: Denied, amounts: dict[str, int]) -> None:
            """Infinite where it never fits; otherwise no denial is shorter than it must be."""
            scope = list(amounts)[outcome.claim]
            if amounts[scope] > LIMITS[scope]:
                assert outcome.retry_after == math.inf
                return
            assert outcome.retry_after > 0
            model, then = self.model, self.model.now + math.ceil(outcome.retry_after * SECOND)
            if model.reserved(scope) == 0:
                assert model.counted(scope, then) + amounts[scope] <= LIMITS[scope]
                before = model.counted(scope, then - 2) + amounts[scope]
                assert before > LIMITS[scope]

        @rule(id=st.sampled_from(IDS), share=st.floats(0, 1))
        def settle(self, id: str, share: float) -> None:
            model = self.model
            model.expire()
            item = model.items.get(id)
            spent = {s: int(share * a) for s, a in item.amounts.items()} if item else {"all": 3}
            done = self.run(self.ledger.settle(id, list(spent.values())))
            assert done == model.end(id, spent, model.now)

        @rule(id=st.sampled_from(IDS))
        def release(self, id: str) -> None:
            self.model.expire()
            done = self.run(self.ledger.release(id))
            assert done == self.model.end(id, {}, self.model.now)

        @rule()
        def usage(self) -> None:
            everything = self.run(self.ledger.usage(claims(dict.fromkeys(WINDOWS, 0))))
            model = self.model
            assert everything == [
                Usage(model.counted(scope, model.now), model.reserved(scope)) for scope in WINDOWS
            ]

        def teardown(self) -> None:
            self.model.check()

    return Machine


def claims(amounts: dict[str, int]) -> list[Claim]:
    return [Claim(scope, LIMITS[scope], WINDOWS[scope], n) for scope, n in amounts.items()]


LOOP = asyncio.new_event_loop()


@pytest.fixture(autouse=True, scope="module")
def close_loop() -> Any:
    yield
    LOOP.close()


async def test_no_microsecond_is_lost_in_the_clocks_float() -> None:
    """Of the second moment int() would make one microsecond less, when the id is still taken."""
    moments = iter([1001648894, 1061648894])
    ledger = LocalLedger(clock=lambda: next(moments) / SECOND)
    await ledger.release("r0")
    assert isinstance(await ledger.reserve("r0", claims({"user": 0}), 45.0), Grant)


def test_the_local_ledger_against_the_list() -> None:
    def make(model: Model) -> tuple[Ledger, Callable[[], None]]:
        return LocalLedger(clock=lambda: model.now / SECOND), lambda: None

    steps = settings(max_examples=100, stateful_step_count=40, deadline=None)
    run_state_machine_as_test(machine(make, 60 * SECOND), settings=steps)


def test_the_redis_ledger_against_the_list(redis_session: RedisServer, kit: Kit) -> None:
    ledger = kit.TestLedger(redis_session.url, budget=5)
    client = redis_session.client()

    def make(model: Model) -> tuple[Ledger, Callable[[], None]]:
        client.flushall()
        ledger._token = b""
        return ledger, lambda: kit.turn(client, model.now)

    steps = settings(max_examples=60, stateful_step_count=40, deadline=None)
    run_state_machine_as_test(machine(make, 10**6 * SECOND), settings=steps)
    assert ledger.counters == {"errors": 0, "timeouts": 0}
    LOOP.run_until_complete(ledger.aclose())
    client.close()


def one(amount: int, limit: int = 100, scope: str = "s", window: int = 60 * SECOND) -> list[Claim]:
    return [Claim(scope, limit, window, amount)]


@pytest.fixture(params=["local", "redis"])
async def ledger(request: pytest.FixtureRequest, redis_session: RedisServer, kit: Kit) -> Any:
    """Either of them, with a `set_clock`."""
    made: Any
    if request.param == "local":
        clock = kit.Clock()
        made = LocalLedger(clock=clock)
        made.set_clock = lambda seconds: setattr(clock, "now", seconds)
        yield made
        return
    client = redis_session.client()
    client.flushall()
    made = kit.TestLedger(redis_session.url, budget=5)
    made.set_clock = lambda seconds: kit.turn(client, int(seconds * SECOND))
    made.set_clock(1000.0)
    yield made
    await made.aclose()
    client.close()


async def test_a_window_boundary_does_not_double_the_limit(ledger: Any) -> None:
    """All of it at the end of one minute is still there at the beginning of the next."""
    ledger.set_clock(59.999 + 600)
    assert isinstance(await ledger.reserve("a", one(100), 1), Grant)
    assert await ledger.settle("a", [100])
    for moment in (660.0, 660.001, 700.0, 719.99):
        ledger.set_clock(moment)
        assert isinstance(await ledger.reserve(f"b{moment}", one(1), 1), Denied)
    ledger.set_clock(720.0)
    assert isinstance(await ledger.reserve("c", one(100), 1), Grant)


async def test_a_limit_of_zero_denies_even_what_costs_nothing(ledger: Any) -> None:
    assert await ledger.reserve("a", one(0, limit=0), 1) == Denied(0, math.inf, 0)


async def test_all_or_nothing(ledger: Any) -> None:
    full = one(100, scope="full")
    assert isinstance(await ledger.reserve("a", full, 1000), Grant)
    both = [*one(10, scope="empty"), *one(10, scope="full")]
    outcome = await ledger.reserve("b", both, 1)
    assert isinstance(outcome, Denied)
    assert (outcome.claim, outcome.left) == (1, 0)
    assert await ledger.usage(both) == [Usage(), Usage(0, 100)]


async def test_an_expired_reservation_is_charged_in_full(ledger: Any) -> None:
    """When it expired; what is said of it later changes nothing."""
    assert isinstance(await ledger.reserve("a", one(70), 10), Grant)
    ledger.set_clock(1011.0)
    assert not await ledger.settle("a", [1])
    assert not await ledger.release("a")
    assert await ledger.usage(one(0)) == [Usage(70, 0)]
    ledger.set_clock(1072.0)
    assert await ledger.usage(one(0)) == [Usage(0, 0)]


async def test_more_than_reserved_is_charged_and_counted(ledger: Any) -> None:
    await ledger.reserve("a", one(10), 1)
    assert await ledger.settle("a", [130])
    assert await ledger.usage(one(0)) == [Usage(130, 0, 1)]
    outcome = await ledger.reserve("b", one(0), 1)
    assert isinstance(outcome, Denied)
    assert outcome.left == 0


async def test_what_is_released_before_it_is_reserved_is_not_reserved(ledger: Any) -> None:
    """As when a reservation is overtaken by its release."""
    assert not await ledger.release("a")
    with pytest.raises(ConfigError, match="used once"):
        await ledger.reserve("a", one(10), 1)
    assert await ledger.usage(one(0)) == [Usage()]


async def test_a_clock_set_back_forgets_nothing(ledger: Any) -> None:
    await ledger.reserve("a", one(60), 5)
    await ledger.settle("a", [60])
    ledger.set_clock(400.0)
    assert isinstance(await ledger.reserve("b", one(60), 5), Denied)


@pytest.mark.parametrize("amount", [-1, math.nan, math.inf, 1.5, True, MAX_AMOUNT + 1, "1"])
async def test_amounts_that_no_ledger_can_keep(ledger: Any, amount: Any) -> None:
    for claim in (Claim("s", 100, 60 * SECOND, amount), Claim("s", amount, 60 * SECOND, 1)):
        with pytest.raises(ConfigError, match=r"amount|limit"):
            await ledger.reserve("a", [claim], 1)
    await ledger.reserve("a", one(10), 1)
    with pytest.raises(ConfigError, match="actual"):
        await ledger.settle("a", [amount])
    assert await ledger.usage(one(0)) == [Usage(0, 10)]


async def test_the_largest_amounts_stay_exact(ledger: Any) -> None:
    largest = one(MAX_AMOUNT - 1, limit=MAX_AMOUNT)
    await ledger.reserve("a", largest, 1)
    outcome: Outcome = await ledger.reserve("b", one(2, limit=MAX_AMOUNT), 1)
    assert isinstance(outcome, Denied)
    assert outcome.left == 1
    await ledger.settle("a", [MAX_AMOUNT - 1])
    assert await ledger.reserve("c", one(1, limit=MAX_AMOUNT), 1) == Grant((MAX_AMOUNT,))


@pytest.mark.parametrize("ttl", [0, -1.0, math.nan, math.inf])
async def test_a_reservation_ends(ledger: Any, ttl: float) -> None:
    with pytest.raises(ConfigError, match="ttl"):
        await ledger.reserve("a", one(1), ttl)


@pytest.mark.parametrize("window", [0, -5, math.nan, 1e6, 10**20])
async def test_windows_that_no_ledger_can_keep(ledger: Any, window: Any) -> None:
    with pytest.raises(ConfigError, match="window"):
        await ledger.reserve("a", one(1, window=window), 1)


async def test_a_scope_is_claimed_once(ledger: Any) -> None:
    with pytest.raises(ConfigError, match="different scopes"):
        await ledger.reserve("a", [*one(1), *one(2)], 1)


async def test_many_windows_that_nobody_uses_any_more_are_forgotten(kit: Kit) -> None:
    clock = kit.Clock()
    ledger = LocalLedger(clock=clock)
    for number in range(500):
        await ledger.reserve(f"a{number}", one(1, scope=f"user{number}"), 1)
        await ledger.settle(f"a{number}", [1])
    clock.now += 1000
    for _ in range(500):
        await ledger.usage(one(0))
    assert not ledger._windows
    assert not ledger._over
    assert len(ledger._expiries) < 1500


async def test_redis_keeps_nothing_that_does_not_matter_any_more(
    redis_session: RedisServer, kit: Kit
) -> None:
    """Every scope's key ends by itself, after its window."""
    client = redis_session.client()
    client.flushall()
    kit.turn(client, 1000 * SECOND)
    ledger = kit.TestLedger(redis_session.url, budget=5)
    await ledger.reserve("a", one(5), 30)
    await ledger.settle("a", [5])
    kept = {key: client.pttl(key) for key in client.keys("*") if key != b"clock"}
    forever = {key for key, ttl in kept.items() if ttl == -1}
    assert forever == {b"{tritonkit}:budget:memory"}
    assert 60_000 < kept[b"{tritonkit}:budget:scope:s"] <= 1.25 * 92_000
    await ledger.aclose()
    client.close()


def test_threads_do_not_slip_through_together() -> None:
    """Each with an event loop of its own; together they get what is there, to the last unit."""
    ledger, granted = LocalLedger(), []

    async def work(name: str) -> None:
        for number in range(300):
            id = f"{name}{number}"
            if isinstance(await ledger.reserve(id, one(3, limit=1000), 60), Grant):
                await ledger.settle(id, [2])
                granted.append(id)

    threads = [threading.Thread(target=lambda n=n: asyncio.run(work(n))) for n in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # The last one needs 3 to be left, and leaves 1.
    assert len(granted) == 499
    assert asyncio.run(ledger.usage(one(0))) == [Usage(998, 0)]
