"""How old an answer may be, and what is done about it."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tritonkit.client import Memory, Stack
from tritonkit.client.layers.cache.freshness import Freshness, State
from tritonkit.errors import (
    ConfigError,
    DeadlineExceeded,
    InferenceFailed,
    ModelUnavailable,
    ServerUnavailable,
)

if TYPE_CHECKING:
    from conftest import Kit, Model, SharedStore


def test_states_by_age() -> None:
    """Both kinds of staleness count from the end of ttl."""
    freshness = Freshness.of(10, 20, 50)
    states = [freshness.state(age) for age in (0, 9.99, 10, 29.99, 30, 59.99, 60, 1e9)]
    fresh, stale, spare, gone = State
    assert states == [fresh, fresh, stale, stale, spare, spare, gone, gone]
    assert freshness.lifetime == 60
    assert Freshness.of(10, None, None).state(10) is gone
    assert Freshness.of(10, 50, 20).state(59) is stale
    assert Freshness.of(None, None, None).state(1e18) is fresh
    assert Freshness.of(None, None, None).lifetime is None


@pytest.mark.parametrize("name", ["ttl", "stale", "stale_if_error", "recheck", "lease"])
def test_what_is_no_duration(kit: type[Kit], model: Model, name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        model.cache(**{name: "soon"})


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.floats(0, 8), st.lists(st.integers(0, 3).map(float), min_size=1, max_size=4)),
        max_size=12,
    ),
    shared=st.booleans(),
    stale=st.sampled_from([None, 3.0]),
)
def test_nothing_is_served_beyond_its_time(
    kit: type[Kit], steps: list[tuple[float, list[float]]], shared: bool, stale: float | None
) -> None:
    """At any age, in memory and in a shared store; the trace says how old it is."""

    async def main() -> None:
        model = kit.Model()
        made: dict[float, float] = {}

        def handler(request: Any) -> dict[str, Any]:
            # The answer says when it was made.
            x = request.inputs["x"]
            return {"y": np.full((len(x), 1), model.clock.now)}

        model.transport.handler = handler
        stores = [Memory("1MB", clock=model.clock)]
        if shared:
            stores.append(kit.SharedStore(model.clock))  # type: ignore[arg-type]
        stack = model.stack(*stores, ttl=10, stale=stale, recheck=1000)
        for seconds, rows in steps:
            model.clock.advance(seconds)
            answer = await kit.ask(stack, rows)
            for row, y, age, origin in zip(
                rows, answer["y"].ravel(), answer.trace.ages, answer.trace.origins, strict=True
            ):
                assert age == model.clock.now - y
                assert age < 10 + (stale or 0)
                assert (origin == "stale") == (age >= 10)
                if row in made and model.clock.now - made[row] < 10:
                    assert y == made[row]
                made[row] = float(y)
            await kit.settle()
            if stale:
                # What was stale is new by now.
                for row in rows:
                    made.pop(row, None)
        await stack.aclose()

    asyncio.run(main())


async def test_stale_is_served_at_once_and_computed_anew(kit: type[Kit], model: Model) -> None:
    """By one call, however many ask; nobody waits for it."""
    stack = model.stack(ttl=10, stale=100, recheck=1000)
    await kit.ask(stack, [1, 2])
    model.clock.advance(11)
    model.gate = asyncio.Event()
    model.factor = 5.0
    for _ in range(5):
        answer = await kit.ask(stack, [1, 2, 1])
        assert answer["y"].tolist() == [[1.0], [2.0], [1.0]]
        assert answer.trace.origins == ("stale",) * 3
        assert answer.trace.ages == (11.0,) * 3
        await kit.settle()
    assert model.sent == [[1.0, 2.0], [1.0, 2.0]]
    model.gate.set()
    await kit.settle()
    answer = await kit.ask(stack, [1, 2])
    assert answer["y"].tolist() == [[5.0], [10.0]]
    assert answer.trace.origins == ("memory",) * 2
    assert len(model.sent) == 2


async def test_stale_and_missing_in_one_request(kit: type[Kit], model: Model) -> None:
    stack = model.stack(ttl=10, stale=100, recheck=1000)
    await kit.ask(stack, [1, 2])
    model.clock.advance(11)
    answer = await kit.ask(stack, [3, 1])
    assert answer["y"].tolist() == [[3.0], [1.0]]
    assert answer.trace.origins == ("model", "stale")
    await kit.settle()
    assert sorted(map(tuple, model.sent)) == [(1.0,), (1.0, 2.0), (3.0,)]


async def test_a_refresh_has_its_own_time_and_priority(kit: type[Kit], model: Model) -> None:
    """Not the caller's, whose deadline is soon over, and who does not wait for it."""
    stack = model.stack(ttl=10, stale=100, recheck=1000)
    await kit.ask(stack, [1])
    model.clock.advance(11)
    await kit.ask(stack, [1], deadline=monotonic() + 0.01)
    await kit.settle()
    refresh = model.transport.requests[-1]
    assert (refresh.deadline, refresh.priority) == (None, "refresh")


async def test_a_refresh_that_fails(kit: type[Kit], model: Model) -> None:
    """The old answer stays, grows no younger, and the model is left alone for a while."""
    stack = model.stack(ttl=10, stale=100, recheck=1000)
    await kit.ask(stack, [1])
    model.clock.advance(11)
    model.failure = InferenceFailed("no")
    for _ in range(5):
        assert (await kit.ask(stack, [1])).trace.origins == ("stale",)
        await kit.settle()
    assert len(model.sent) == 2
    await asyncio.sleep(1.05)
    await kit.ask(stack, [1])
    await kit.settle()
    assert len(model.sent) == 3
    model.clock.advance(98)
    assert (await kit.ask(stack, [1])).trace.ages == (109.0,)
    model.clock.advance(1)
    with pytest.raises(InferenceFailed):
        await kit.ask(stack, [1])


async def test_who_comes_too_late_joins_the_refresh(kit: type[Kit], model: Model) -> None:
    """The entry's time is over while it is computed anew."""
    stack = model.stack(ttl=10, stale=10, recheck=1000)
    await kit.ask(stack, [1])
    model.clock.advance(15)
    model.gate = asyncio.Event()
    await kit.ask(stack, [1])
    await kit.settle()
    model.clock.advance(10)
    late = asyncio.ensure_future(kit.ask(stack, [1]))
    await kit.settle()
    model.gate.set()
    assert (await late).trace.origins == ("coalesced",)
    assert len(model.sent) == 2


async def test_one_refresh_among_processes(
    kit: type[Kit], model: Model, store: SharedStore
) -> None:
    """Two caches over one store: who is first refreshes for both."""
    stacks = [
        model.stack(Memory("1MB", clock=model.clock), store, ttl=10, stale=100, recheck="200ms")
        for _ in range(2)
    ]
    await kit.ask(stacks[0], [1])
    await asyncio.sleep(0.05)
    await kit.ask(stacks[1], [1])
    assert len(model.sent) == 1
    model.clock.advance(11)
    model.gate = asyncio.Event()
    for _ in range(3):
        for stack in stacks:
            assert (await kit.ask(stack, [1])).trace.origins == ("stale",)
            await kit.settle()
    assert len(model.sent) == 2
    # Its holder never comes back: after the lease there is another.
    for stack in stacks:
        await stack.aclose()
    model.clock.advance(5)
    third = model.stack(store, ttl=10, stale=100)
    assert (await kit.ask(third, [1])).trace.origins == ("stale",)
    await kit.settle()
    assert len(model.sent) == 3
    await third.aclose()


async def test_closing_ends_refreshes(kit: type[Kit], model: Model) -> None:
    stack = model.stack(ttl=10, stale=100, recheck=1000)
    await kit.ask(stack, [1])
    model.clock.advance(11)
    model.gate = asyncio.Event()
    await kit.ask(stack, [1])
    await kit.settle()
    await stack.aclose()
    await kit.settle()
    assert model.cancelled == 1
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize(
    "error", [InferenceFailed("no"), ServerUnavailable("away"), ModelUnavailable("gone")]
)
@pytest.mark.parametrize("everything", [True, False])
async def test_what_is_kept_for_errors(
    kit: type[Kit], model: Model, error: Exception, everything: bool
) -> None:
    """Whether the model fails, or questions fail too: for as long as was said, every time."""
    stack = model.stack(ttl=10, stale_if_error=50)
    await kit.ask(stack, [1, 2])
    model.clock.advance(15)
    if everything or isinstance(error, ModelUnavailable):
        model.transport.down = error
    else:
        model.failure = error
    for _ in range(3):
        answer = await kit.ask(stack, [2, 1, 2])
        assert answer["y"].tolist() == [[2.0], [1.0], [2.0]]
        assert answer.trace.origins == ("stale",) * 3
        assert answer.trace.ages == (15.0,) * 3
        await kit.settle()
    with pytest.raises(type(error)):
        await kit.ask(stack, [1, 3])
    model.clock.advance(45)
    for _ in range(2):
        with pytest.raises(type(error)):
            await kit.ask(stack, [1])
    model.transport.down = model.failure = None
    assert (await kit.ask(stack, [1])).trace.origins == ("model",)


async def test_nothing_stands_in_where_nobody_said_so(kit: type[Kit], model: Model) -> None:
    stack = model.stack(ttl=10)
    await kit.ask(stack, [1])
    model.clock.advance(5)
    model.transport.down = ServerUnavailable("away")
    with pytest.raises(ServerUnavailable):
        await kit.ask(stack, [1])


@pytest.mark.parametrize("stale", [None, 5, 500])
async def test_a_fresh_answer_stands_in_as_well(
    kit: type[Kit], model: Model, stale: float | None
) -> None:
    """The server cannot say which model it has: what is kept for errors serves, however young."""
    stack = model.stack(ttl=10, stale=stale, stale_if_error=50)
    await kit.ask(stack, [1])
    model.clock.advance(5)
    model.transport.down = ServerUnavailable("away")
    answer = await kit.ask(stack, [1])
    assert answer.trace.origins == ("stale",)
    model.transport.down = None
    assert (await kit.ask(stack, [1])).trace.origins == ("memory",)


async def test_a_deadline_is_an_error_too(kit: type[Kit], model: Model) -> None:
    stack = model.stack(ttl=10, stale_if_error=50, recheck=1000)
    await kit.ask(stack, [1])
    model.clock.advance(15)
    model.gate = asyncio.Event()
    answer = await kit.ask(stack, [1], deadline=monotonic() + 0.05)
    assert answer.trace.origins == ("stale",)
    with pytest.raises(DeadlineExceeded):
        await kit.ask(stack, [2], deadline=monotonic() + 0.05)


@pytest.mark.parametrize("shared", [True, False])
async def test_invalidation(kit: type[Kit], model: Model, shared: bool) -> None:
    """Of a model, of a scope, of all: here at once, elsewhere within *recheck*."""
    store = kit.SharedStore(model.clock)

    def stack() -> Stack:
        memory = Memory("1MB", clock=model.clock)
        return model.stack(*((memory, store) if shared else (memory,)), recheck=0.1)

    here, elsewhere = stack(), stack()
    kinds = [{"model": name, "scope": scope} for name in ("m", "n") for scope in ("", "a")]

    async def again(asking: Stack) -> list[bool]:
        found = [await kit.ask(asking, [1], **kind) for kind in kinds]
        await asyncio.sleep(0.15 if shared else 0)
        return ["model" in answer.trace.origins for answer in found]

    await again(here)
    if shared:
        assert await again(elsewhere) == [False] * 4
    await here.invalidate(model="m")
    assert await again(here) == [True, True, False, False]
    await here.invalidate(scope="a")
    assert await again(here) == [False, True, False, True]
    await here.invalidate()
    if shared:
        # Believes what it knew for *recheck*.
        assert await again(elsewhere) == [False] * 4
        model.clock.advance(0.1)
        assert await again(elsewhere) == [True] * 4
        assert await again(here) == [False] * 4
    else:
        assert await again(here) == [True] * 4
    await here.aclose()
    await elsewhere.aclose()


async def test_invalidation_while_epochs_are_read(
    kit: type[Kit], model: Model, store: SharedStore
) -> None:
    """Who was told that the answers have ended gets none of them, not even a second later."""
    stack = model.stack(store, recheck=1)
    await kit.ask(stack, [1])
    await asyncio.sleep(0.15)
    model.clock.advance(1)
    store.reading = asyncio.Event()
    reading = asyncio.ensure_future(kit.ask(stack, [2]))
    await kit.settle()
    await stack.invalidate()
    model.factor = 5.0
    store.reading.set()
    await reading
    assert (await kit.ask(stack, [1]))["y"].tolist() == [[5.0]]
    await stack.aclose()


async def test_invalidation_that_cannot_be_told(
    kit: type[Kit], model: Model, store: SharedStore
) -> None:
    """The caller hears of it; what is here has ended all the same."""
    stack = model.stack(Memory("1MB", clock=model.clock), store)
    await kit.ask(stack, [1])
    store.down = ServerUnavailable("redis")
    with pytest.raises(ServerUnavailable):
        await stack.invalidate()
    assert (await kit.ask(stack, [1])).trace.origins == ("model",)
    await stack.aclose()


async def test_an_invalidation_that_could_not_be_told_is_told_later(
    kit: type[Kit], model: Model, store: SharedStore
) -> None:
    """Back again, the store still has what ended: nobody is answered from it, here or elsewhere."""
    stack, elsewhere = (model.stack(store, recheck=1) for _ in range(2))
    await kit.ask(stack, [1])
    await asyncio.sleep(0.15)
    assert len(store.entries) == 1
    store.down = ServerUnavailable("redis")
    with pytest.raises(ServerUnavailable):
        await stack.invalidate()
    model.factor = 5.0
    store.down = None
    assert (await kit.ask(stack, [1]))["y"].tolist() == [[5.0]]
    model.clock.advance(1)
    assert (await kit.ask(stack, [1]))["y"].tolist() == [[5.0]]
    assert (await kit.ask(elsewhere, [1]))["y"].tolist() == [[5.0]]
    await stack.aclose()
    await elsewhere.aclose()


async def test_a_shared_store_that_is_away(
    kit: type[Kit], model: Model, store: SharedStore
) -> None:
    """No call fails, nothing is lost here, and nothing waits for longer than its budget."""
    store.budget = 0.05
    stack = model.stack(Memory("1MB", clock=model.clock), store)
    store.down = ServerUnavailable("redis")
    await kit.ask(stack, [1])
    assert (await kit.ask(stack, [1])).trace.origins == ("memory",)
    store.down = None
    store.reading = asyncio.Event()
    model.clock.advance(2)
    start = monotonic()
    await kit.ask(stack, [2])
    assert monotonic() - start < 1
    store.reading.set()
    await stack.aclose()
