"""Attempts: which, when, how many, and never more than the budget has."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from itertools import product
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tritonkit.client import Cache, InferRequest, InferResponse, Route, Stack, Trace
from tritonkit.client.layers.breaker.breaker import Breaker
from tritonkit.client.layers.budget.budget import Budget
from tritonkit.client.layers.budget.limits import Quota
from tritonkit.client.layers.retry.backoff import Backoff
from tritonkit.client.layers.retry.budget import WINDOW, RetryBudget
from tritonkit.client.layers.retry.retry import Retry
from tritonkit.client.stack import Layer
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.client.types import Service
from tritonkit.errors import (
    BudgetExceeded,
    CircuitOpen,
    ConfigError,
    DeadlineExceeded,
    InferenceFailed,
    InvalidInput,
    LimitExceeded,
    ModelUnavailable,
    NotKept,
    ProtocolError,
    ServerOverloaded,
    ServerUnavailable,
)

if TYPE_CHECKING:
    from tests.client.layers.conftest import Clock, Kit, Model


class Script:
    """A transport that does one thing after the other, each in its time, by the test's clock."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.steps: list[tuple[float, Exception | None]] = []
        self.sent: list[float] = []
        self.slept: list[float] = []
        self.transport = FakeTransport(self.answer, inputs={"x": (1,)}, outputs={"y": (1,)})

    def answer(self, request: InferRequest) -> Any:
        self.sent.append(self.clock())
        seconds, error = self.steps.pop(0) if self.steps else (0.0, None)
        self.clock.advance(seconds)
        if error is not None:
            raise error
        return {"y": request.inputs["x"]}

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.advance(seconds)

    def fails(self, *errors: Exception, seconds: float = 0.0) -> None:
        self.steps = [(seconds, error) for error in errors]

    def retry(self, attempts: int = 3, **options: Any) -> Retry:
        options = {"random": Random(0), "min_per_second": 100, **options}
        return Retry(attempts, clock=self.clock, sleep=self.sleep, **options)


@pytest.fixture
def script(kit: type[Kit]) -> Script:
    return Script(kit.Clock())


DOWN = ServerUnavailable("down")


@given(
    attempt=st.integers(1, 5000),
    base=st.floats(0, 10),
    cap=st.floats(0, 10),
    room=st.none() | st.floats(-1, 10),
    least=st.floats(0, 10),
    seed=st.integers(0, 99),
)
def test_backoff(
    attempt: int, base: float, cap: float, room: float | None, least: float, seed: int
) -> None:
    backoff = Backoff(base, cap)
    ceiling = backoff.ceiling(attempt)
    assert ceiling == min(cap, base * 2.0 ** min(attempt - 1, 64))
    delay = backoff.delay(attempt, Random(seed), room=room, least=least)
    fits = least <= cap if room is None else room > 0 and least <= room
    assert (delay is not None) == fits
    if delay is not None:
        assert least <= delay <= least + ceiling + 1e-9
        assert room is None or delay <= room


def test_full_jitter() -> None:
    """Any time up to the ceiling is as likely as another."""
    backoff, random = Backoff(0.1, 1.0), Random(7)
    delays = [backoff.delay(3, random) or 0.0 for _ in range(4000)]
    counts = np.histogram(delays, bins=10, range=(0, 0.4))[0]
    assert counts.sum() == 4000
    assert counts.min() > 320


EVENTS = st.lists(
    st.tuples(st.floats(0, 3), st.sampled_from(["request", "retry", "retry", "retry"])), max_size=40
)


@given(
    events=EVENTS,
    share=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    per_second=st.sampled_from([0.0, 0.1, 1.0]),
)
def test_a_budget_is_kept_in_every_span(
    events: list[tuple[float, str]], share: float, per_second: float
) -> None:
    budget = RetryBudget(share, per_second)
    now = 100.0
    log: list[tuple[float, int, int]] = []
    for seconds, what in events:
        now += seconds
        if what == "request":
            budget.deposit(now)
            log.append((now, 1, 0))
        else:
            log.append((now, 0, budget.withdraw(now)))
    # Of what was saved before a span, no more than the window's share is there.
    for first, (start, _, _) in enumerate(log):
        saved = sum(request for at, request, _ in log[:first] if at > start - WINDOW * 10 / 9)
        requests = retries = 0
        for at, request, retry in log[first:]:
            requests += request
            retries += retry
            limit = share * (saved + requests) + per_second * (at - start + WINDOW)
            assert retries <= limit + 1e-6
    requests = sum(request for _, request, _ in log)
    assert per_second or sum(retry for _, _, retry in log) <= share * requests


async def test_what_is_asked_again(kit: type[Kit], script: Script) -> None:
    for kind in (
        ServerUnavailable,
        ServerOverloaded,
        InferenceFailed,
        ModelUnavailable,
        DeadlineExceeded,
        CircuitOpen,
    ):
        script.sent, script.slept = [], []
        script.fails(kind("e"), kind("e"))
        answer = await kit.ask(Stack(script.transport, [script.retry()]), [1])
        assert len(script.sent) == 3
        assert answer.trace.attempts == (1 if kind is CircuitOpen else 3)
        assert len(script.slept) == 2
        assert 0 < script.slept[0] <= 0.02
        assert 0 < script.slept[1] <= 0.04


async def test_what_is_as_true_the_second_time(kit: type[Kit], script: Script) -> None:
    for error in (
        InvalidInput("e"),
        BudgetExceeded("e"),
        NotKept("e"),
        LimitExceeded("e"),
        ProtocolError("e"),
        ConfigError("e"),
        ZeroDivisionError("e"),
    ):
        script.sent = []
        script.fails(error)
        with pytest.raises(type(error)) as raised:
            await kit.ask(Stack(script.transport, [script.retry()]), [1])
        assert raised.value is error
        assert len(script.sent) == 1


async def test_the_last_attempts_error_is_raised(kit: type[Kit], script: Script) -> None:
    for attempts in (1, 2, 5):
        script.sent = []
        script.fails(*[ServerUnavailable(str(n)) for n in range(9)])
        with pytest.raises(ServerUnavailable, match=str(attempts - 1)):
            await kit.ask(Stack(script.transport, [script.retry(attempts)]), [1])
        assert len(script.sent) == attempts


async def test_what_failed_before_stands_behind_what_is_raised(
    kit: type[Kit], script: Script
) -> None:
    """A Budget above charges for an attempt, though the last one was not made."""
    layer = Budget(Quota("3 calls", window="1h"), attempts=3)
    script.fails(DOWN, LimitExceeded("shed"))
    with pytest.raises(LimitExceeded) as raised:
        await kit.ask(Stack(script.transport, [layer, script.retry()]), [1])
    assert raised.value.__cause__ is DOWN
    assert [used.settled for used in await layer.usage()] == [3]


@pytest.mark.parametrize("name", ["sequence_id", "sequence_start"])
async def test_a_sequence_is_never_sent_twice(kit: type[Kit], script: Script, name: str) -> None:
    script.fails(DOWN)
    stack = Stack(script.transport, [script.retry()])
    with pytest.raises(ServerUnavailable):
        await kit.ask(stack, [1], parameters={name: 1})
    assert len(script.sent) == 1


async def test_nothing_is_sent_after_the_deadline(kit: type[Kit], script: Script) -> None:
    """Neither is slept past it."""
    for seconds, seed in product([0.0, 0.001, 0.05, 0.3], range(5)):
        script.sent = []
        script.fails(*[DOWN] * 50, seconds=0.002)
        deadline = script.clock() + seconds
        stack = Stack(script.transport, [script.retry(50, random=Random(seed))])
        with pytest.raises(ServerUnavailable):
            await kit.ask(stack, [1], deadline=deadline)
        assert len(script.sent) == 1 or script.sent[-1] <= deadline - 0.002 + 1e-9
        assert (len(script.sent) > 1) == (seconds > 0.004)


async def test_time_that_an_answer_takes_must_be_left(kit: type[Kit], script: Script) -> None:
    stack = Stack(script.transport, [script.retry(base=0)])
    script.steps = [(0.5, None)]
    await kit.ask(stack, [1])
    script.fails(DOWN, seconds=0.01)
    with pytest.raises(ServerUnavailable):
        await kit.ask(stack, [1], deadline=script.clock() + 0.5)
    script.fails(DOWN, seconds=0.01)
    await kit.ask(stack, [1], deadline=script.clock() + 0.52)
    # Another model's time is its own.
    script.fails(DOWN, seconds=0.01)
    await kit.ask(stack, [1], deadline=script.clock() + 0.05, model="n")


async def test_the_requests_own_deadline_is_the_end(kit: type[Kit], script: Script) -> None:
    script.fails(DeadlineExceeded("late"), seconds=1.0)
    with pytest.raises(DeadlineExceeded):
        await kit.ask(Stack(script.transport, [script.retry()]), [1], deadline=script.clock() + 1.0)
    assert len(script.sent) == 1


async def test_who_sleeps_for_too_long_does_not_send(kit: type[Kit], script: Script) -> None:
    """A busy event loop wakes a sleeper late."""

    async def oversleep(seconds: float) -> None:
        script.clock.advance(1.0)

    script.fails(DOWN)
    retry = Retry(3, clock=script.clock, sleep=oversleep)
    with pytest.raises(ServerUnavailable):
        await kit.ask(Stack(script.transport, [retry]), [1], deadline=script.clock() + 0.5)
    assert len(script.sent) == 1


async def test_an_open_circuit_is_waited_for_if_there_is_time(
    kit: type[Kit], script: Script
) -> None:
    stack = Stack(script.transport, [script.retry()])
    for retry_after, timeout, again in (
        (0.4, 0.5, True),
        (0.6, 0.5, False),
        (5.0, 10.0, True),
        # Without a deadline the cap is the longest wait.
        (0.9, None, True),
        (1.1, None, False),
    ):
        script.slept = []
        script.fails(CircuitOpen("open", retry_after=retry_after))
        deadline = None if timeout is None else script.clock() + timeout
        if again:
            await kit.ask(stack, [1], deadline=deadline)
            assert retry_after <= script.slept[0] <= retry_after + 0.02
        else:
            with pytest.raises(CircuitOpen):
                await kit.ask(stack, [1], deadline=deadline)
            assert script.slept == []


async def test_above_a_breaker(kit: type[Kit], script: Script) -> None:
    """The circuit opens within the first call, and the second waits for its probe."""
    breaker = Breaker(min_calls=2, clock=script.clock, random=Random(0))
    stack = Stack(script.transport, [script.retry(9), breaker])
    script.fails(DOWN, DOWN)
    await kit.ask(stack, [1])
    assert len(script.sent) == 3
    assert sum(script.slept[1:]) >= 0.5
    assert breaker.states() == {"m": "closed"}


async def test_cancelled_while_it_waits(kit: type[Kit], model: Model) -> None:
    model.failure = DOWN
    sleeping = asyncio.Event()

    async def sleep(seconds: float) -> None:
        sleeping.set()
        await asyncio.Event().wait()

    retry = Retry(3, sleep=sleep)
    stack = Stack(model.transport, [retry])
    call = asyncio.ensure_future(kit.ask(stack, [1]))
    await sleeping.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert len(model.sent) == 1


async def test_amplification(kit: type[Kit], script: Script) -> None:
    """When everything fails, so much more is sent and no more, however layers are stacked."""
    for share in ("0%", "10%", "100%"):
        script.sent = []
        script.fails(*[DOWN] * 1000)
        retries = [script.retry(5, budget=share, min_per_second=0) for _ in range(5)]

        class Routed(Layer):
            """Goes by a route that has a Retry of its own, as Tiers do."""

            def __init__(self, retry: Retry) -> None:
                self.route = Route("r", layers=[retry])

            async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
                return await self.route(request, inner)

        inside = Stack(script.transport, retries[3:])
        stack = Stack(inside, [retries[0], Routed(retries[1]), retries[2]])
        for _ in range(300):
            script.clock.advance(0.01)
            with pytest.raises(ServerUnavailable):
                await kit.ask(stack, [1])
        most = 300 * (1 + retries[0].share)
        assert most - 1 <= len(script.sent) <= most


@settings(max_examples=30, deadline=None)
@given(
    retries=st.integers(1, 4),
    fails=st.integers(0, 12),
    attempts=st.integers(1, 4),
    below=st.booleans(),
)
def test_one_retry_of_many_is_active(
    kit: type[Kit], retries: int, fails: int, attempts: int, below: bool
) -> None:
    """Layers that start tasks stand between them as well."""
    script = Script(kit.Clock())
    script.fails(*[DOWN] * fails)

    class Spawns(Layer):
        async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
            return await asyncio.ensure_future(inner(request))

    layers: list[Layer] = []
    for _ in range(retries):
        layers += [script.retry(attempts)] + [Spawns()] * below

    async def main() -> None:
        stack = Stack(script.transport, layers)
        try:
            answer = await kit.ask(stack, [1])
        except ServerUnavailable:
            assert fails >= attempts
        else:
            assert answer.trace.attempts == fails + 1
        assert len(script.sent) == min(fails + 1, attempts)
        # The next call is retried as the first was.
        script.sent.clear()
        script.fails(*[DOWN] * (attempts - 1))
        await kit.ask(stack, [1])
        assert len(script.sent) == attempts

    asyncio.run(main())


async def test_concurrent_calls_share_a_budget_and_nothing_else(
    kit: type[Kit], script: Script
) -> None:
    script.steps = [(0.0, DOWN)] * 1000
    stack = Stack(script.transport, [script.retry(5, budget="50%", min_per_second=0)])
    calls = [asyncio.ensure_future(kit.ask(stack, [n])) for n in range(100)]
    await asyncio.wait(calls)
    assert all(isinstance(call.exception(), ServerUnavailable) for call in calls)
    assert len(script.sent) == 150


async def test_attempts_are_added_up(kit: type[Kit], script: Script) -> None:
    """What was kept was not sent for."""

    class Answers(Layer):
        trace = Trace()

        async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
            answer = await inner(request)
            return InferResponse(model="m", outputs=answer.outputs, trace=self.trace)

    answers = Answers()
    stack = Stack(script.transport, [script.retry(), answers])
    for answers.trace, attempts in (
        (Trace(), 2),
        (Trace(attempts=3), 4),
        (Trace(origins=("memory", "model")), 2),
        (Trace(origins=("memory",)), 1),
    ):
        script.fails(DOWN)
        assert (await kit.ask(stack, [1])).trace.attempts == attempts


async def test_below_a_cache(kit: type[Kit], model: Model) -> None:
    """An answer from memory took no attempt."""
    cache: Cache = model.cache()
    stack = Stack(model.transport, [cache, Retry(clock=model.clock)])
    await kit.ask(stack, [1])
    assert (await kit.ask(stack, [1])).trace.attempts == 0


def refused(call: Callable[[], Retry], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        call()


def test_arguments() -> None:
    refused(lambda: Retry(0), "attempts must be at least 1, but got attempts=0")
    refused(lambda: Retry(base="-1ms"), "base must be")
    refused(lambda: Retry(cap="soon"), "cap must be")
    refused(lambda: Retry(budget=1.1), "budget must be 0 to 1")
    refused(lambda: Retry(min_per_second=-1), "min_per_second must be 0 to 1e6, but got")
    refused(lambda: Retry(min_per_second=float("nan")), "min_per_second must be 0 to 1e6, but got")
    assert repr(Retry()) == "Retry(3, base='20ms', cap='1s', budget='10%')"


def test_a_child_finds_no_lock_held(kit: type[Kit], script: Script) -> None:
    retry = script.retry()
    with retry._lock:
        child = os.fork()
        if not child:
            asyncio.run(kit.ask(Stack(script.transport, [retry]), [1]))
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
