"""A row that is being computed is waited for, not computed again."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tritonkit.client import Cache, InferRequest, InferResponse, Layer, Memory, Stack, Trace
from tritonkit.client.types import Service
from tritonkit.errors import (
    DeadlineExceeded,
    InferenceFailed,
    LimitExceeded,
    RequestError,
    ServerUnavailable,
)

if TYPE_CHECKING:
    from conftest import Kit, Model, SharedStore

BATCHES = st.lists(
    st.lists(st.integers(0, 6).map(float), min_size=1, max_size=5), min_size=1, max_size=6
)


def in_flight(cache: Cache) -> int:
    assert cache._computing is not None
    return cache._computing.in_flight


async def test_many_who_ask_for_one_row(kit: type[Kit], model: Model) -> None:
    cache = model.cache()
    stack = Stack(model.transport, [cache])
    model.gate = asyncio.Event()
    calls = [asyncio.ensure_future(kit.ask(stack, [1])) for _ in range(50)]
    await kit.settle()
    assert in_flight(cache) == 1
    model.gate.set()
    answers = await asyncio.gather(*calls)
    assert model.sent == [[1.0]]
    assert all(answer["y"].tolist() == [[1.0]] for answer in answers)
    origins = [answer.trace.origins[0] for answer in answers]
    assert (origins.count("model"), origins.count("coalesced")) == (1, 49)
    assert in_flight(cache) == 0


async def test_what_lands_while_a_store_is_asked(
    kit: type[Kit], model: Model, store: SharedStore
) -> None:
    """A call that ended since memory was looked into has left its rows there."""
    slow = asyncio.Event()

    class Slow(kit.SharedStore):  # type: ignore[name-defined, misc]
        asked = 0

        async def get(self, model: str, keys: Any) -> Any:
            self.asked += 1
            found = await super().get(model, keys)
            if self.asked == 2:
                await slow.wait()
            return found

    stack = Stack(
        model.transport, [model.cache(Memory("1MB", clock=model.clock), Slow(model.clock))]
    )
    model.gate = asyncio.Event()
    first = asyncio.ensure_future(kit.ask(stack, [1]))
    await kit.settle()
    second = asyncio.ensure_future(kit.ask(stack, [1]))
    await kit.settle()
    model.gate.set()
    assert (await first).trace.origins == ("model",)
    slow.set()
    assert (await second).trace.origins == ("memory",)
    assert model.sent == [[1.0]]


@settings(max_examples=60, deadline=None)
@given(batches=BATCHES, cancelled=st.sets(st.integers(0, 5)), data=st.data())
def test_overlapping_batches(
    kit: type[Kit], batches: list[list[float]], cancelled: set[int], data: st.DataObject
) -> None:
    """
    Each distinct row is computed once, whoever is cancelled, the first included.

    Rows that nobody waits for any longer may be computed again.
    """

    async def main() -> None:
        model = kit.Model(factor=3.0)
        cache = model.cache()
        stack = Stack(model.transport, [cache])
        await kit.ask(stack, [99])
        model.transport.requests.clear()
        model.gate = asyncio.Event()
        calls = [asyncio.ensure_future(kit.ask(stack, rows)) for rows in batches]
        await kit.settle()
        distinct = list(dict.fromkeys(row for rows in batches for row in rows))
        assert [row for rows in model.sent for row in rows] == distinct
        order = data.draw(st.permutations(sorted(n for n in cancelled if n < len(calls))))
        for number in order:
            calls[number].cancel()
            if data.draw(st.booleans()):
                await kit.settle()
        await kit.settle()
        model.gate.set()
        answers = await asyncio.gather(*calls, return_exceptions=True)
        for number, (rows, answer) in enumerate(zip(batches, answers, strict=True)):
            if number in cancelled:
                assert isinstance(answer, asyncio.CancelledError)
            else:
                assert not isinstance(answer, BaseException)
                assert answer["y"].ravel().tolist() == [3 * row for row in rows]
        await kit.settle()
        assert [row for rows in model.sent for row in rows] == distinct
        assert in_flight(cache) == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}
        if len(order) == len(calls):
            assert model.cancelled == len(model.sent)

    asyncio.run(main())


async def test_the_last_to_leave_takes_the_call_along(kit: type[Kit], model: Model) -> None:
    cache = model.cache()
    stack = Stack(model.transport, [cache])
    model.gate = asyncio.Event()
    calls = [asyncio.ensure_future(kit.ask(stack, [1])) for _ in range(3)]
    await kit.settle()
    for left, call in enumerate(calls, start=1):
        assert model.cancelled == 0
        call.cancel()
        await kit.settle()
        assert model.cancelled == (left == 3)
    assert in_flight(cache) == 0
    await asyncio.gather(*calls, return_exceptions=True)


async def test_a_newcomer_does_not_join_a_call_that_ends(kit: type[Kit], model: Model) -> None:
    """The last waiter has left, and the call is not yet over."""
    stack = model.stack()
    model.gate = asyncio.Event()
    first = asyncio.ensure_future(kit.ask(stack, [1]))
    await kit.settle()
    first.cancel()
    second = asyncio.ensure_future(kit.ask(stack, [1]))
    await kit.settle()
    model.gate.set()
    assert (await second)["y"].tolist() == [[1.0]]
    await asyncio.gather(first, return_exceptions=True)


@pytest.mark.parametrize("waiters", [1, 2, 30])
@pytest.mark.parametrize(
    "error", [InferenceFailed("no"), ServerUnavailable("away"), DeadlineExceeded("late")]
)
async def test_a_failure_makes_no_herd(
    kit: type[Kit], model: Model, waiters: int, error: RequestError
) -> None:
    """One asks the model once more for all the others, and that is all."""
    cache = model.cache()
    stack = Stack(model.transport, [cache])
    model.failure = error
    model.gate = asyncio.Event()
    calls = [asyncio.ensure_future(kit.ask(stack, [1])) for _ in range(waiters)]
    await kit.settle()
    model.gate.set()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(answer) for answer in answers} == {type(error)}
    assert len(model.sent) <= 2
    assert in_flight(cache) == 0


async def test_those_who_joined_survive_a_failure(kit: type[Kit], model: Model) -> None:
    """It may have been the leader's: its batch, its connection, its time."""
    stack = model.stack()
    model.failure = InferenceFailed("no")
    model.gate = asyncio.Event()
    first = asyncio.ensure_future(kit.ask(stack, [1]))
    await kit.settle()
    model.failure = None
    joined = [asyncio.ensure_future(kit.ask(stack, rows)) for rows in ([1], [1, 2], [1, 2, 3])]
    await kit.settle()
    model.gate.set()
    with pytest.raises(InferenceFailed):
        await first
    for call, rows in zip(joined, ([1], [1, 2], [1, 2, 3]), strict=True):
        assert (await call)["y"].ravel().tolist() == rows
    assert [row for rows in model.sent for row in rows].count(1.0) == 2


async def test_a_failure_of_another_kind_reaches_all(kit: type[Kit], model: Model) -> None:
    """A bug in a layer below is no reason to try again."""
    stack = model.stack()
    model.failure = ValueError("bug")
    model.gate = asyncio.Event()
    calls = [asyncio.ensure_future(kit.ask(stack, [1])) for _ in range(3)]
    await kit.settle()
    model.gate.set()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(answer) for answer in answers] == [ValueError] * 3
    assert len(model.sent) == 1


async def test_a_deadline_holds_though_the_call_goes_on(kit: type[Kit], model: Model) -> None:
    """One who joined leaves in time; the one who began it gets the answer."""
    stack = model.stack()
    await kit.ask(stack, [9])
    model.gate = asyncio.Event()
    first = asyncio.ensure_future(kit.ask(stack, [1]))
    await kit.settle()
    start = monotonic()
    with pytest.raises(DeadlineExceeded):
        await kit.ask(stack, [1, 2], deadline=start + 0.05)
    assert monotonic() - start < 1
    model.gate.set()
    assert (await first)["y"].tolist() == [[1.0]]


async def test_who_has_more_time_survives_the_first_deadline(kit: type[Kit], model: Model) -> None:
    """The call ended with its first caller's time, and is made again for the others."""

    async def handler(request: InferRequest) -> dict[str, Any]:
        remaining = request.remaining()
        if remaining is not None and remaining < 1:
            await asyncio.sleep(remaining)
            raise DeadlineExceeded("late")
        return {"y": request.inputs["x"]}

    model.transport.handler = handler
    stack = model.stack()
    now = monotonic()
    deadlines = [now + 0.03, now + 0.06, now + 0.09, now + 60, None, now + 60]
    calls = []
    for deadline in deadlines:
        calls.append(asyncio.ensure_future(kit.ask(stack, [1], deadline=deadline)))
        await kit.settle()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(a).__name__ for a in answers] == ["DeadlineExceeded"] * 3 + ["InferResponse"] * 3
    assert len(model.sent) == 4


async def test_a_deadline_that_is_over(kit: type[Kit], model: Model) -> None:
    """What is in memory is there all the same."""
    stack = model.stack()
    await kit.ask(stack, [1])
    assert (await kit.ask(stack, [1], deadline=monotonic() - 1)).trace.origins == ("memory",)
    model.gate = asyncio.Event()
    with pytest.raises(DeadlineExceeded):
        await kit.ask(stack, [2], deadline=monotonic() - 1)


async def test_invalidation_ends_what_is_under_way(kit: type[Kit], model: Model) -> None:
    """A call that began before it answers those who waited; nobody joins it afterwards."""
    stack = model.stack()
    model.gate = asyncio.Event()
    before = asyncio.ensure_future(kit.ask(stack, [1]))
    await kit.settle()
    await stack.invalidate()
    model.factor = 5.0
    after = asyncio.ensure_future(kit.ask(stack, [1]))
    await kit.settle()
    model.gate.set()
    assert (await before)["y"].tolist() == [[1.0]]
    assert (await after)["y"].tolist() == [[5.0]]
    assert (await kit.ask(stack, [1]))["y"].tolist() == [[5.0]]


async def test_whole_requests_fly_alone_and_together(kit: type[Kit]) -> None:
    model = kit.Model(invariant=False)
    stack = model.stack()
    model.gate = asyncio.Event()
    batches = ([1, 2], [1, 2], [2, 1], [1])
    calls = [asyncio.ensure_future(kit.ask(stack, rows)) for rows in batches]
    await kit.settle()
    model.gate.set()
    for call, rows in zip(calls, batches, strict=True):
        assert (await call)["y"].ravel().tolist() == rows
    assert model.sent == [[1.0, 2.0], [2.0, 1.0], [1.0]]


def test_one_event_loop_after_another(kit: type[Kit]) -> None:
    """A cache outlives its loop, and what that loop left under way."""
    model = kit.Model()
    stack = model.stack()

    async def leave() -> None:
        model.gate = asyncio.Event()
        asyncio.ensure_future(kit.ask(stack, [1, 2]))  # noqa: RUF006
        await kit.settle()

    async def come() -> None:
        model.gate = None
        assert (await kit.ask(stack, [2, 3]))["y"].tolist() == [[2.0], [3.0]]
        assert (await kit.ask(stack, [2, 3])).trace.origins == ("memory", "memory")

    asyncio.run(leave())
    asyncio.run(come())
    asyncio.run(come())


async def test_closing_while_calls_are_under_way(
    kit: type[Kit], model: Model, store: SharedStore
) -> None:
    """It does not wait for them, nor do they hang."""
    stack = model.stack(store)
    model.gate = asyncio.Event()
    call = asyncio.ensure_future(kit.ask(stack, [1]))
    await kit.settle()
    async with asyncio.timeout(2):
        await stack.aclose()
    assert store.closed
    model.gate.set()
    assert (await call)["y"].tolist() == [[1.0]]
    await stack.aclose()


async def test_a_lease_leaves_a_row_to_another_process(
    kit: type[Kit], model: Model, store: SharedStore
) -> None:
    """Two caches over one store: the row is computed once, and both have it."""
    one, two = (model.stack(store, lease="5s", recheck=0.1) for _ in range(2))
    await kit.ask(one, [9])
    await kit.ask(two, [8])
    model.transport.requests.clear()
    model.gate = asyncio.Event()
    calls = [asyncio.ensure_future(kit.ask(stack, [1, 2])) for stack in (one, two)]
    await asyncio.sleep(0.05)
    assert model.sent == [[1.0, 2.0]]
    model.gate.set()
    for answer in await asyncio.gather(*calls):
        assert answer["y"].tolist() == [[1.0], [2.0]]
    assert model.sent == [[1.0, 2.0]]
    await one.aclose()
    await two.aclose()


@pytest.mark.parametrize("own", [[], [2, 3]])
async def test_what_layers_below_say_of_rows_that_another_process_had(
    kit: type[Kit], model: Model, store: SharedStore, own: list[float]
) -> None:
    """It failed, so they are computed here after all, in a call of their own."""

    class Spends(Layer):
        async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
            response = await inner(request)
            count = len(request.inputs["x"])
            trace = Trace(tiers=("fast",), degraded="fallback", attempts=1, cost=10 * count)
            return replace(response, trace=trace)

    one, two = (
        Stack(model.transport, [model.cache(store, lease="30s", recheck=0.1), Spends()])
        for _ in range(2)
    )
    await kit.ask(two, [9])
    model.gate = asyncio.Event()
    model.failure = InferenceFailed("no")
    fails = asyncio.ensure_future(kit.ask(one, [1]))
    await kit.settle()
    model.failure = None
    waits = asyncio.ensure_future(kit.ask(two, [1, *own]))
    await kit.settle()
    model.gate.set()
    with pytest.raises(InferenceFailed):
        await fails
    answer = await waits
    assert answer["y"].ravel().tolist() == [1, *own]
    trace = answer.trace
    assert (trace.degraded, trace.attempts) == ("fallback", 2 if own else 1)
    assert trace.cost == 10 * (1 + len(own))
    assert trace.tiers == ("fast",) * (1 + len(own))
    await one.aclose()
    await two.aclose()


async def test_two_calls_for_one_request_are_both_told_of(kit: type[Kit], model: Model) -> None:
    """The second for a row that another request was asking for in vain."""
    one = Trace(attempts=1, cost=10)

    class Counts(Layer):
        async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
            return replace(await inner(request), trace=one)

    stack = Stack(model.transport, [model.cache(), Counts()])
    await kit.ask(stack, [9])
    model.gate, model.failure = asyncio.Event(), InferenceFailed("no")
    fails = asyncio.ensure_future(kit.ask(stack, [1]))
    await kit.settle()
    model.failure = None
    both = asyncio.ensure_future(kit.ask(stack, [1, 2]))
    await kit.settle()
    model.gate.set()
    with pytest.raises(InferenceFailed):
        await fails
    trace = (await both).trace
    assert (trace.origins, trace.attempts, trace.cost) == (("model",) * 2, 2, 20)


async def test_who_waits_for_another_process_is_not_given_what_is_too_old(
    kit: type[Kit], model: Model, store: SharedStore
) -> None:
    """The store still has it for errors; that it is being computed anew is no error."""
    options = {"ttl": 10, "stale_if_error": 100, "lease": "3s", "recheck": 1}
    one, two = (model.stack(store, **options) for _ in range(2))
    await kit.ask(one, [1])
    await asyncio.sleep(0.15)
    model.clock.advance(20)
    model.factor = 5.0
    model.gate = asyncio.Event()
    calls = []
    for stack in (one, two):
        calls.append(asyncio.ensure_future(kit.ask(stack, [1])))
        await asyncio.sleep(0.05)
    model.gate.set()
    for answer in await asyncio.gather(*calls):
        assert answer["y"].tolist() == [[5.0]]
    assert len(model.sent) == 2
    await one.aclose()
    await two.aclose()


async def test_a_lease_of_one_that_fails_is_free(
    kit: type[Kit], model: Model, store: SharedStore
) -> None:
    """Another process need not wait for its end, also where others have leases of its rows."""
    one, two = (model.stack(store, lease="30s", recheck=0.1) for _ in range(2))
    await kit.ask(one, [9])
    model.failure = InferenceFailed("no")
    with pytest.raises(InferenceFailed):
        await kit.ask(one, [1])
    leased = dict(store.leases)
    model.gate = asyncio.Event()
    alone = asyncio.ensure_future(kit.ask(one, [2]))
    await kit.settle()
    with_another = asyncio.ensure_future(kit.ask(two, [2, 3]))
    await kit.settle()
    model.gate.set()
    for call in (alone, with_another):
        with pytest.raises(InferenceFailed):
            await call
    assert store.leases == leased
    model.failure = None
    async with asyncio.timeout(2):
        assert (await kit.ask(two, [1, 2, 3]))["y"].tolist() == [[1.0], [2.0], [3.0]]
    await one.aclose()
    await two.aclose()


async def test_who_waits_for_one_that_fails_goes_on_by_itself(
    kit: type[Kit], model: Model, store: SharedStore
) -> None:
    """As soon as the lease is free, not when it would have ended."""
    one, two = (model.stack(store, lease="30s", recheck=0.1) for _ in range(2))
    await kit.ask(two, [9])
    model.gate = asyncio.Event()
    model.failure = InferenceFailed("no")
    fails = asyncio.ensure_future(kit.ask(one, [1]))
    await kit.settle()
    waits = asyncio.ensure_future(kit.ask(two, [1]))
    await asyncio.sleep(0.02)
    model.failure = None
    model.gate.set()
    with pytest.raises(InferenceFailed):
        await fails
    async with asyncio.timeout(2):
        assert (await waits)["y"].tolist() == [[1.0]]
    await one.aclose()
    await two.aclose()


async def test_a_lease_of_one_that_is_gone_ends(
    kit: type[Kit], model: Model, store: SharedStore
) -> None:
    """Then, or when half of the time is over, the row is computed after all."""
    for wait, deadline in ((0.1, None), (30.0, 0.2)):
        stack = model.stack(store, lease=wait)
        await kit.ask(stack, [9])
        store.lease = _nothing  # type: ignore[method-assign]
        start = monotonic()
        row = random.random()
        answer = await kit.ask(
            stack, [row], deadline=None if deadline is None else start + deadline
        )
        assert answer.trace.origins == ("model",)
        assert 0.09 < monotonic() - start < 2
        del store.lease
        await stack.aclose()


async def _nothing(keys: list[bytes], seconds: float) -> list[bool]:
    return [False] * len(keys)


async def test_a_call_that_is_cancelled_below(kit: type[Kit], model: Model) -> None:
    """A layer that gives up by cancellation cancels nobody who waits."""

    async def give_up(request: InferRequest) -> dict[str, Any]:
        raise asyncio.CancelledError

    model.transport.handler = give_up
    with pytest.raises(InferenceFailed, match="cancelled"):
        await kit.ask(model.stack(), [1])


async def test_a_live_caller_who_joined_a_call_that_is_shed_makes_his_own(
    kit: type[Kit], model: Model
) -> None:
    """He waits in the batch's place; where that is lost, he is live again."""
    shed = asyncio.Event()

    class Shedding(Layer):
        async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
            if request.priority == "batch":
                await shed.wait()
                raise LimitExceeded("no place for a batch")
            return await inner(request)

    stack = Stack(model.transport, [model.cache(), Shedding()])
    batch = asyncio.ensure_future(kit.ask(stack, [2], priority="batch"))
    await kit.settle()
    live = asyncio.ensure_future(kit.ask(stack, [2]))
    await kit.settle()
    assert not live.done()
    shed.set()
    assert (await live)["y"].tolist() == [[2.0]]
    with pytest.raises(LimitExceeded):
        await batch
