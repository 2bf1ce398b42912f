"""Second requests, on an event loop whose time passes when nothing else happens."""

from __future__ import annotations

import asyncio
import contextlib
import random
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from tritonkit.client import Cache, InferRequest, InferResponse, Memory, Route, Stack, Trace
from tritonkit.client.layers.hedge.hedge import MAX_MODELS, Hedge
from tritonkit.client.layers.limit.limit import Limit
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.client.types import Priority
from tritonkit.errors import (
    BudgetExceeded,
    CircuitOpen,
    ConfigError,
    DeadlineExceeded,
    InferenceFailed,
    InvalidInput,
    LimitExceeded,
    ServerUnavailable,
)


class Skipping(selectors.SelectSelector):
    """Waits for nothing: what was to be waited for has passed."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "nothing will ever happen"
        self.passed += max(0.0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.skipping = Skipping()
        super().__init__(self.skipping)

    def time(self) -> float:
        return self.skipping.passed


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run on a loop of its own; nothing may be left over."""
    loop = VirtualLoop()
    complaints: list[Any] = []
    loop.set_exception_handler(lambda _, what: complaints.append(what))

    async def whole() -> Any:
        result = await work
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1
        return result

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        result = runner.run(whole())
    assert not complaints
    return result


def now() -> float:
    return asyncio.get_running_loop().time()


def ask(rows: int = 1, **fields: Any) -> InferRequest:
    x = np.zeros((rows, 1), dtype=np.float32)
    return InferRequest(**{"model": "m", "inputs": {"x": x}, **fields})


Script = float | Exception | tuple[float, Exception]


@dataclass
class Server:
    """Answers by a script, a step a request: after seconds, or with an error."""

    script: list[Script] = field(default_factory=list)
    usual: float = 0.01
    cost: int = 7
    sent: list[InferRequest] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)

    async def __call__(self, request: InferRequest) -> InferResponse:
        number = len(self.sent)
        self.sent.append(request)
        step = self.script.pop(0) if self.script else self.usual
        seconds, error = step if isinstance(step, tuple) else (step, None)
        if isinstance(seconds, Exception):
            raise seconds
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.cancelled.append(number)
            raise
        if error is not None:
            raise error
        trace = Trace(cost=self.cost, attempts=1)
        outputs = {"y": request.inputs["x"]}
        return InferResponse(model=request.model, version="1", outputs=outputs, trace=trace)


def hedge(**options: Any) -> Hedge:
    """One that learns fast, and hedges model m whatever its configuration."""
    return Hedge(**{"min_samples": 5, "budget": 1.0, "models": ["m"], "clock": now, **options})


async def learn(layer: Hedge, server: Callable[..., Awaitable[InferResponse]]) -> None:
    for _ in range(20):
        await layer(ask(), server)


@dataclass
class Race:
    """What came of one call after a score that all took 10 ms."""

    answer: InferResponse | BaseException
    seconds: float
    server: Server
    sent: int


def call(
    *script: Script, layer: Callable[[], Hedge] = hedge, request: InferRequest | None = None
) -> Race:
    async def work() -> Race:
        server, made = Server(), layer()
        await learn(made, server)
        server.script[:] = script
        before, began = len(server.sent), now()
        answer: InferResponse | BaseException
        try:
            answer = await made(request or ask(), server)
        except (Exception, asyncio.CancelledError) as error:
            answer = error
        seconds = now() - began
        await asyncio.sleep(10)
        return Race(answer, seconds, server, len(server.sent) - before)

    result: Race = run(work())
    return result


def trace(race: Race) -> Trace:
    assert isinstance(race.answer, InferResponse)
    return race.answer.trace


def test_a_late_answer_is_overtaken() -> None:
    """After the percentile a second request goes out; the first is cancelled, both are charged."""
    race = call(1.0, 0.01)
    assert race.sent == 2
    assert race.seconds == pytest.approx(0.02, rel=0.06)
    assert trace(race).attempts == 2
    assert trace(race).cost == 14
    assert race.server.cancelled == [20]
    assert race.server.sent[20] is race.server.sent[21]


def test_the_first_may_still_win() -> None:
    race = call(0.015, 1.0)
    assert race.sent == 2
    assert race.seconds == pytest.approx(0.015)
    assert (trace(race).attempts, trace(race).cost) == (2, 14)
    assert race.server.cancelled == [21]


def test_an_answer_in_time_is_sent_once() -> None:
    race = call(0.009)
    assert race.sent == 1
    assert (trace(race).attempts, trace(race).cost) == (1, 7)
    assert race.server.cancelled == []


def test_the_failure_of_one_waits_for_the_other() -> None:
    first = call((0.012, InferenceFailed("no")), 0.05)
    assert isinstance(first.answer, InferResponse)
    assert first.seconds == pytest.approx(0.06, rel=0.06)
    assert trace(first).attempts == 2
    second = call(0.05, ServerUnavailable("gone"))
    assert isinstance(second.answer, InferResponse)
    assert second.seconds == pytest.approx(0.05)
    assert trace(second).attempts == 2
    assert first.server.cancelled == second.server.cancelled == []


def test_where_both_fail_the_first_error_counts() -> None:
    race = call((0.012, InferenceFailed("first")), (0.05, ServerUnavailable("second")))
    assert isinstance(race.answer, InferenceFailed)
    other = call((0.05, InferenceFailed("first")), ServerUnavailable("second"))
    assert isinstance(other.answer, InferenceFailed)


@pytest.mark.parametrize("error", [InvalidInput("wrong"), RuntimeError("a bug")])
def test_what_no_second_request_can_help_is_raised(error: Exception) -> None:
    race = call((0.012, error), 0.05)
    assert race.answer is error
    assert race.seconds == pytest.approx(0.012)
    assert race.server.cancelled == [21]


def test_a_bug_in_the_second_is_not_passed_over() -> None:
    error = RuntimeError("a bug")
    race = call(1.0, error)
    assert race.answer is error
    assert race.server.cancelled == [20]


def test_a_failure_in_time_is_not_sent_again() -> None:
    race = call((0.001, InferenceFailed("no")))
    assert isinstance(race.answer, InferenceFailed)
    assert race.sent == 1


def test_a_deadline_that_has_passed_waits_for_nobody() -> None:
    race = call((0.03, DeadlineExceeded("late")), 1.0, request=ask(deadline=0.21))
    assert isinstance(race.answer, DeadlineExceeded)
    assert race.seconds == pytest.approx(0.03)


@pytest.mark.parametrize(
    "shed", [LimitExceeded("full"), CircuitOpen("open"), BudgetExceeded("spent")]
)
def test_a_second_request_that_was_not_sent_is_none(shed: Exception) -> None:
    race = call(0.05, shed)
    assert (trace(race).attempts, trace(race).cost) == (1, 7)
    assert race.seconds == pytest.approx(0.05)


def test_nothing_is_late_before_there_are_samples() -> None:
    race = call(1.0, layer=lambda: hedge(min_samples=21))
    assert race.sent == 1
    assert call(1.0, layer=lambda: hedge(min_samples=20)).sent == 2


@pytest.mark.parametrize("name", ["sequence_id", "sequence_start", "sequence_end"])
def test_a_step_of_a_sequence_is_sent_once(name: str) -> None:
    race = call(1.0, request=ask(parameters={name: 1}))
    assert race.sent == 1


@pytest.mark.parametrize(
    ("priority", "sent"), [("live", 2), ("batch", 2), ("refresh", 1), ("shadow", 1)]
)
def test_nobody_waits_for_refreshes_and_shadows(priority: Priority, sent: int) -> None:
    assert call(1.0, request=ask(priority=priority)).sent == sent


def test_others_models_and_sizes_are_not_late() -> None:
    assert call(1.0, request=ask(model="n")).sent == 1
    assert call(1.0, request=ask(rows=9)).sent == 1


@pytest.mark.parametrize("options", [{"budget": "0%"}, {"enabled": lambda: False}])
def test_none_where_it_is_forbidden(options: dict[str, Any]) -> None:
    assert call(1.0, layer=lambda: hedge(**options)).sent == 1


def test_both_answers_at_once_are_charged_as_they_say() -> None:
    """One is delivered."""

    async def work() -> InferResponse:
        layer, server = hedge(percentile=0), Server()
        await learn(layer, server)
        gate = asyncio.get_running_loop().create_future()
        costs = iter((5, 11))

        async def together(request: InferRequest) -> InferResponse:
            cost = next(costs)
            await asyncio.wait((gate,))
            return InferResponse(model="m", outputs={}, trace=Trace(cost=cost, attempts=cost))

        asyncio.get_running_loop().call_later(1.0, gate.set_result, None)
        return await layer(ask(), together)

    answer = run(work())
    assert (answer.trace.cost, answer.trace.attempts) in {(16, 16), (10, 6), (22, 12)}


@pytest.mark.parametrize("after", [0.005, 0.02])
def test_a_cancelled_caller_takes_both_along(after: float) -> None:
    async def work() -> Server:
        layer, server = hedge(), Server()
        await learn(layer, server)
        server.script[:] = [1.0, 1.0]
        task = asyncio.ensure_future(layer(ask(), server))
        await asyncio.sleep(after)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return server

    server = run(work())
    assert server.cancelled == ([20] if after == 0.005 else [20, 21])


@pytest.mark.parametrize("turns", range(6))
def test_a_caller_that_gives_up_as_the_second_wins(turns: int) -> None:
    """Whatever comes first in that moment: cancelled or answered, and never both."""

    async def work() -> bool:
        layer, server = hedge(), Server()
        await learn(layer, server)
        loop = asyncio.get_running_loop()
        calls = iter((1.0, 0.01))

        def later(turns: int) -> None:
            loop.call_soon(later, turns - 1) if turns else task.cancel()

        async def inner(request: InferRequest) -> InferResponse:
            seconds = next(calls)
            await asyncio.sleep(seconds)
            later(turns)
            return InferResponse(model="m", outputs={})

        task = asyncio.ensure_future(layer(ask(), inner))
        await asyncio.wait((task,))
        assert task.cancelled() or task.result().trace.attempts == 2
        return task.cancelled()

    cancelled = run(work())
    assert cancelled or turns > 0
    assert not (cancelled and turns == 5)


def test_a_timeout_around_it_stays_a_timeout() -> None:
    """Interrupting the first is no cancellation for whoever is further out."""

    async def work() -> None:
        layer, server = hedge(), Server()
        await learn(layer, server)
        server.script[:] = [1.0, 0.01]
        async with asyncio.timeout(0.5):
            await layer(ask(), server)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        server.script[:] = [1.0, 1.0]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await layer(ask(), server)
        assert task.cancelling() == 0

    run(work())


def test_inner_that_answers_although_it_is_cancelled() -> None:
    async def work() -> InferResponse:
        layer, server = hedge(), Server()
        await learn(layer, server)
        numbers = iter(range(2))

        async def stubborn(request: InferRequest) -> InferResponse:
            number = next(numbers)
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep((1.0, 0.01)[number])
            return InferResponse(model=str(number), outputs={})

        answer = await layer(ask(), stubborn)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        return answer

    assert run(work()).model == "1"


def test_routes_take_turns() -> None:
    async def work() -> list[str]:
        asked: list[str] = []

        def route(name: str) -> Route:
            def answer(request: InferRequest) -> Any:
                asked.append(name)
                return {"y": request.inputs["x"]}

            shapes = {"inputs": {"x": (1,)}, "outputs": {"y": (1,)}}
            return Route(name, server=FakeTransport(answer, **shapes))  # type: ignore[arg-type]

        layer, server = hedge(routes=[route("a"), route("b")]), Server()
        await learn(layer, server)
        for _ in range(4):
            server.script[:] = [1.0]
            await layer(ask(), server)
        assert len(server.sent) == 24
        await layer.aclose()
        return asked

    assert run(work()) in (["a", "b", "a", "b"], ["b", "a", "b", "a"])


class Cancelling(FakeTransport):
    cancels = True


@pytest.mark.parametrize(
    ("kind", "config", "sent"),
    [
        (Cancelling, {"dynamic_batching": {}}, 2),
        (Cancelling, {}, 1),
        (Cancelling, {"dynamic_batching": None}, 1),
        (FakeTransport, {"dynamic_batching": {}}, 1),
    ],
)
def test_only_what_triton_drops(kind: type[FakeTransport], config: Any, sent: int) -> None:
    """A model with a dynamic batcher, over a transport that takes requests back."""

    async def work() -> int:
        server = Server()
        transport = kind(server, inputs={"x": (1,)}, outputs={"y": (1,)}, config=config)
        layer = hedge(models=None)
        stack = Stack(transport, [layer])
        for _ in range(20):
            await stack(ask())
        for _ in range(2):
            server.script[:] = [1.0]
            await stack(ask())
        assert layer._models[asyncio.get_running_loop()]["m", ""].dropped == (sent == 2)
        await layer.invalidate("m")
        assert layer._models[asyncio.get_running_loop()]["m", ""].dropped is None
        return len(server.sent) - 20

    assert run(work()) == 2 * sent


def test_a_cache_above_keeps_one_answer() -> None:
    async def work() -> tuple[int, int]:
        puts: list[int] = []

        class Counting(Memory):
            async def put(self, model: str, entries: Any, lifetime: float | None) -> None:
                puts.append(len(entries))
                await super().put(model, entries, lifetime)

        server = Server()
        transport = Cancelling(
            server, inputs={"x": (1,)}, outputs={"y": (1,)}, config={"dynamic_batching": {}}
        )
        cache = Cache(Counting("1MB"))
        stack = Stack(transport, [cache, hedge(models=None)])
        for number in range(20):
            x = np.full((1, 1), number, dtype=np.float32)
            await stack(ask(inputs={"x": x}))
        before = len(puts)
        server.script[:] = [1.0]
        x = np.full((1, 1), 100, dtype=np.float32)
        await stack(ask(inputs={"x": x}))
        await stack.aclose()
        return len(server.sent) - 20, len(puts) - before

    assert run(work()) == (2, 1)


def test_a_full_limit_below_is_no_error() -> None:
    """The second request finds no place and is passed over; asked first, it is not even tried."""

    async def work() -> int:
        server, limit = Server(), Limit(fixed=1, queue=0)
        asked = 0

        async def below(request: InferRequest) -> InferResponse:
            nonlocal asked
            asked += 1
            return await limit(request, server)

        layer = hedge()
        await learn(layer, below)
        server.script[:] = [0.5]
        answer = await layer(ask(), below)
        assert answer.trace.attempts == 1
        assert asked == 22
        polite = hedge(enabled=lambda: not limit.saturated())
        await learn(polite, below)
        server.script[:] = [0.5]
        await polite(ask(), below)
        return asked

    assert run(work()) == 22 + 21


class Stragglers:
    """
    A server of instances and one queue; 10 ms a request, and 1 in 50 takes 30 times that.

    Who is cancelled leaves the queue; what was begun goes on to its end.
    """

    def __init__(self, instances: int, seed: int) -> None:
        self.free = asyncio.Semaphore(instances)
        self.random = random.Random(seed)
        self.begun = 0
        self.tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, request: InferRequest) -> InferResponse:
        await self.free.acquire()
        self.begun += 1
        late = self.random.random() < 0.02
        work = asyncio.ensure_future(
            self.work(0.3 if late else 0.01 * self.random.uniform(0.8, 1.2))
        )
        self.tasks.add(work)
        work.add_done_callback(self.tasks.discard)
        await asyncio.shield(work)
        return InferResponse(model="m", outputs={})

    async def work(self, seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
        finally:
            self.free.release()


@dataclass
class Load:
    latencies: list[float]
    begun: int
    second: int


async def direct(request: InferRequest, inner: Any) -> InferResponse:
    answer: InferResponse = await inner(request)
    return answer


def arrivals(layer: Any, calls: int, rate: float) -> Load:
    """Calls by chance, so many a second."""

    async def work() -> Load:
        server, load = Stragglers(16, 1), Load([], 0, 0)
        by_chance = random.Random(2)

        async def one() -> None:
            began = now()
            answer = await layer(ask(), server)
            load.latencies.append(now() - began)
            load.second += answer.trace.attempts == 2

        async with asyncio.TaskGroup() as group:
            for _ in range(calls):
                group.create_task(one())
                await asyncio.sleep(by_chance.expovariate(rate))
        while server.tasks:
            await asyncio.wait(server.tasks)
        load.begun = server.begun
        return load

    load: Load = run(work())
    return load


def test_the_tail_becomes_shorter() -> None:
    """At a fifth of the capacity p99 falls to a fraction, by a few second requests in a hundred."""
    calls = 4000
    layer = Hedge(models=["m"], clock=now)
    plain, hedged = arrivals(direct, calls, 200), arrivals(layer, calls, 200)
    assert len(plain.latencies) == len(hedged.latencies) == calls
    assert np.percentile(plain.latencies, 99) > 0.25
    assert np.percentile(hedged.latencies, 99) < 0.05
    assert np.percentile(hedged.latencies, 50) == pytest.approx(
        np.percentile(plain.latencies, 50), rel=0.05
    )
    assert plain.begun == calls
    assert calls < hedged.begun <= 1.05 * calls
    assert hedged.second <= hedged.begun - calls


def test_at_saturation_no_more_than_the_budget_is_lost() -> None:
    """Four times as many callers as instances, for 15 seconds: answers lost are within 5 %."""

    def answered(layer: Any) -> int:
        async def work() -> int:
            server, count = Stragglers(16, 1), 0

            async def caller() -> None:
                nonlocal count
                while now() < 15:
                    await layer(ask(), server)
                    count += 1

            async with asyncio.TaskGroup() as group:
                for _ in range(64):
                    group.create_task(caller())
            while server.tasks:
                await asyncio.wait(server.tasks)
            assert server.begun <= 1.05 * count + 64
            return count

        count: int = run(work())
        return count

    plain = answered(direct)
    hedged = answered(Hedge(models=["m"], clock=now))
    assert plain > 10_000
    assert hedged >= 0.95 * plain


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"percentile": 101}, "percentile=101"),
        ({"percentile": -1}, "percentile=-1"),
        ({"min_samples": -1}, "min_samples=-1"),
        ({"budget": "110%"}, "110%"),
        ({"models": "m"}, "'m'"),
    ],
)
def test_wrong_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Hedge(**options)


def test_models_that_do_not_exist_do_not_fill_the_memory() -> None:
    layer = hedge(models=None)

    async def ask_many() -> int:
        server = Server(usual=0)
        for number in range(MAX_MODELS + 5):
            await layer(ask(model=f"n{number}"), server)
        (models,) = layer._models.values()
        return len(models)

    assert run(ask_many()) == MAX_MODELS


def test_is_shown() -> None:
    assert repr(Hedge()) == "Hedge(95, budget='5%')"
    assert repr(Hedge(99, routes=[Route("b")])) == "Hedge(99, budget='5%', routes=[Route('b')])"


async def test_belongs_to_one_stack(model: Any) -> None:
    layer = Hedge()
    Stack(model.transport, [layer])
    with pytest.raises(ConfigError, match="one stack"):
        Stack(FakeTransport(lambda _: {}, inputs={}, outputs={}), [layer])
