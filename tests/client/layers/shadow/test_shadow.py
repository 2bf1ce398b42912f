"""What a shadow does to the user's answer: nothing; and what becomes of the copies."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import tracemalloc
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

import numpy as np
import pytest

from tritonkit.client import (
    AllClose,
    Breaker,
    Budget,
    Cache,
    CompareBy,
    InferRequest,
    InferResponse,
    Layer,
    Limit,
    Quota,
    Route,
    Service,
    Shadow,
    Stack,
    Trace,
)
from tritonkit.client.layers.split.assignment import uniform
from tritonkit.client.placement import placements
from tritonkit.client.spent import Spent
from tritonkit.client.testing.layers import LayerTests
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.errors import (
    BudgetExceeded,
    ConfigError,
    InferenceFailed,
    InvalidInput,
    ServerUnavailable,
)


class TestShadow(LayerTests):
    def make(self) -> Layer:
        return Shadow(Route("candidate"), share=1)


class Models:
    """
    Models "primary" and "candidate" of x to y, one number a row: twice x.

    `off` is added to the candidate's answers. A gate holds a model up, a failure is raised
    by it.
    """

    def __init__(self) -> None:
        self.off = 0.0
        self.gates: dict[str, asyncio.Event] = {}
        self.failures: dict[str, Exception] = {}
        self.cancelled: list[str] = []
        self.transport = FakeTransport(self.answer, inputs={"x": (1,)}, outputs={"y": (1,)})

    async def answer(self, request: InferRequest) -> dict[str, Any]:
        await asyncio.sleep(0)
        if request.model in self.gates:
            try:
                await self.gates[request.model].wait()
            except asyncio.CancelledError:
                self.cancelled.append(request.model)
                raise
        if request.model in self.failures:
            raise self.failures[request.model]
        off = self.off if request.model == "candidate" else 0.0
        return {"y": request.inputs["x"] * 2 + np.float32(off)}

    def asked(self, model: str = "candidate") -> list[InferRequest]:
        return [one for one in self.transport.requests if one.model == model]


async def until(done: Callable[[], bool]) -> None:
    """Turns of the loop until something is so; a hundred thousand are never needed."""
    for _ in range(100_000):
        if done():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never was so")


def compared(layer: Shadow, least: int) -> bool:
    """Whether so many copies have come to an answer or failed."""
    return sum(layer.counts.get(how, 0) for how in ("failed", "compared")) >= least


@pytest.fixture
def models() -> Models:
    return Models()


def request(*values: float, **fields: Any) -> InferRequest:
    x = np.array(values or (1.0,), np.float32).reshape(-1, 1)
    return InferRequest(**{"model": "primary", "inputs": {"x": x}, **fields})


def shadow(*layers: Layer, **options: Any) -> Shadow:
    options = {"share": 1, "min_requests": 0, "until_decided": False, "drain": "5s", **options}
    return Shadow(Route("candidate", model="candidate", layers=layers), **options)


async def test_the_answer_is_the_primarys_own(models: Models) -> None:
    """The very object that the layer below gave: values, trace and all; also where paired."""
    answers: list[InferResponse] = []

    class Notes(Layer):
        async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
            answers.append(await inner(request))
            return answers[-1]

    for paired in (False, True):
        layer = shadow(paired=paired)
        stack = Stack(models.transport, [layer, Notes()])
        assert await stack(request(3.0)) is answers[-1]
        await layer.aclose()
        assert layer.counts == {"sampled": 1, "answered": 1, "compared": 1}


@pytest.mark.parametrize("state", ["off", "on", "paired", "hanging", "failing", "full", "broken"])
async def test_nothing_of_it_is_on_the_users_path(models: Models, state: str) -> None:
    """
    A call takes the same number of steps of the event loop, whatever the shadow does.

    Each step is a turn that the loop gives to this task. Fewer would be no wait for the
    primary, more a wait for something else.
    """

    async def turns(stack: Stack) -> int:
        call = stack(request(1.0))
        count = 0
        iterator = call.__await__()
        while True:
            try:
                waited = next(iterator)
            except StopIteration:
                return count
            count += 1
            # Only the primary's own `sleep(0)` ever gives the loop its turn.
            assert waited is None
            await asyncio.sleep(0)

    options: dict[str, Any] = {"paired": state == "paired", "queue": 0 if state == "full" else 100}
    if state == "broken":
        options["compare"] = CompareBy(lambda a, b: 1 / 0)
        models.off = 1.0
    if state == "off":
        options["share"] = 0
    if state == "hanging":
        models.gates["candidate"] = asyncio.Event()
    if state == "failing":
        models.failures["candidate"] = ServerUnavailable("down")
    layer = shadow(**options, drain=0)
    stack = Stack(models.transport, [layer])
    bare = await turns(Stack(models.transport))
    assert [await turns(stack) for _ in range(20)] == [bare] * 20
    await stack.aclose()


async def test_a_hanging_shadow_holds_nobody_up(models: Models) -> None:
    """What is held is bounded, the newest is dropped and counted; each copy ends once."""
    models.gates["candidate"] = asyncio.Event()
    layer = shadow(queue=6, concurrency=2, timeout="30s", drain=0)
    stack = Stack(models.transport, [layer])
    for value in range(50):
        assert (await stack(request(value)))["y"].item() == 2 * value
    assert layer.counts == {"sampled": 50, "dropped": 44}
    assert len(models.asked()) <= 2
    await stack.aclose()
    assert layer.counts == {"sampled": 50, "dropped": 44, "cancelled": 6}
    assert models.cancelled == ["candidate"] * 2


async def test_bytes_are_bounded_as_well(models: Models) -> None:
    models.gates["candidate"] = asyncio.Event()
    # A request and its answer are 400 bytes each.
    layer = shadow(max_bytes=1000, drain=0)
    stack = Stack(models.transport, [layer])
    for _ in range(3):
        await stack(request(*range(100)))
    assert layer.counts["dropped"] == 2
    await stack.aclose()


@pytest.mark.parametrize("paired", [False, True])
async def test_an_answer_without_room_is_not_copied(models: Models, paired: bool) -> None:
    """However large it is: it is dropped, and the user has his own."""
    answer = np.zeros((1, 1_000_000), np.float32)
    models.transport.handler = lambda request: {"y": answer if request.model == "primary" else 0}
    layer = shadow(max_bytes=1000, paired=paired)
    stack = Stack(models.transport, [layer])
    tracemalloc.start()
    try:
        await stack(request(1.0))
        assert tracemalloc.get_traced_memory()[1] < answer.nbytes
    finally:
        tracemalloc.stop()
    await layer.aclose()
    assert layer.counts["sampled"] == layer.counts["dropped"] == 1


async def test_a_timeout_of_its_own(models: Models) -> None:
    """The caller's deadline is not the shadow's, and a shadow that hangs has an end."""
    models.gates["candidate"] = asyncio.Event()
    layer = shadow(timeout="20ms")
    stack = Stack(models.transport, [layer])
    await stack(request(1.0, deadline=1e18))
    await asyncio.sleep(0)
    (copy,) = models.asked()
    assert copy.deadline is not None
    assert copy.deadline < 1e18
    await layer.aclose()
    assert layer.counts == {"sampled": 1, "failed": 1}


@pytest.mark.parametrize("paired", [False, True])
async def test_a_caller_who_leaves_takes_no_copy_along(models: Models, paired: bool) -> None:
    """Paired, the copy is on its way already, and goes on; it has nothing to be compared with."""
    for model in ("primary", "candidate"):
        models.gates[model] = asyncio.Event()
    layer = shadow(paired=paired)
    stack = Stack(models.transport, [layer])
    call = asyncio.ensure_future(stack(request(1.0)))
    await until(lambda: len(models.transport.requests) == 1 + paired)
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert models.cancelled == ["primary"]
    models.gates["candidate"].set()
    await layer.aclose()
    assert layer.counts == {"sampled": 1, "abandoned": 1} | ({"answered": 1} if paired else {})


async def test_nothing_is_sent_for_a_caller_who_left(models: Models) -> None:
    """Where it waits for its turn still, though paired."""
    models.gates = {"candidate": asyncio.Event(), "primary": asyncio.Event()}
    layer = shadow(paired=True, concurrency=1)
    stack = Stack(models.transport, [layer])
    calls = [asyncio.ensure_future(stack(request(1.0))) for _ in range(2)]
    await until(lambda: len(models.transport.requests) == 3)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    models.gates["candidate"].set()
    await layer.aclose()
    assert len(models.asked()) == 1
    assert layer.counts == {"sampled": 2, "answered": 1, "abandoned": 2}


async def test_arrays_may_change_after_the_answer(models: Models) -> None:
    """Inputs and answers are the caller's then; copy and comparison see what was."""
    layer = shadow(compare=AllClose(), keep=1)
    stack = Stack(models.transport, [layer])
    for paired in (False, True):
        layer.paired = paired
        asked = request(1.0, 2.0, tags={"user": "u"}, parameters={"p": 1})
        answer = await stack(asked)
        answer["y"][:] = 99
        asked.inputs["x"][:] = 77
        asked.tags.clear()  # type: ignore[attr-defined]
        asked.parameters.clear()  # type: ignore[attr-defined]
        await until(partial(compared, layer, 1 + paired))
        copy = models.asked()[-1]
        assert copy.inputs["x"].tolist() == [[1.0], [2.0]]
        assert not copy.inputs["x"].flags.writeable
        assert (copy.tags, copy.parameters) == ({"user": "u"}, {"p": 1})
    assert layer.report().tally.disagreeing == 0
    await layer.aclose()


async def test_read_only_answers_are_not_copied() -> None:
    """Nobody can change them: the transport's are views of what was received."""
    seen: list[Any] = []
    y = np.ones((1, 1), np.float32)
    y.flags.writeable = False
    transport = FakeTransport(lambda _: {"y": y}, inputs={"x": (1,)}, outputs={"y": (1,)})
    layer = shadow()
    layer._judge.compare = lambda copy, *rest: seen.append(copy.outputs["y"]) or _nothing()  # type: ignore
    await Stack(transport, [layer])(request(1.0))
    await layer.aclose()
    assert seen[0] is y


async def _nothing() -> None:
    pass


async def test_what_the_copy_says_of_itself(models: Models) -> None:
    """Priority, no id, further parameters; the scope and the tags go along."""
    layer = shadow(parameters={"priority": 9})
    await Stack(models.transport, [layer])(
        request(1.0, id="i", scope="t", tags={"user": "u"}, parameters={"a": 1}, outputs=("y",))
    )
    await layer.aclose()
    (copy,) = models.asked()
    assert (copy.priority, copy.id, copy.scope) == ("shadow", "", "t")
    assert copy.parameters == {"a": 1, "priority": 9}
    assert copy.tags == {"user": "u"}
    assert copy.outputs == ("y",)


async def test_layers_of_the_primary_never_see_it(models: Models) -> None:
    """Neither breaker, limit, budget nor cache changes: also where the model is the same."""
    models.failures["candidate"] = InferenceFailed("boom")
    breaker, limit, cache = Breaker("1%", min_calls=1), Limit(fixed=1, queue=0), Cache()
    budget = Budget(Quota("10 calls", window="1h"))
    for route in (Route("candidate", model="candidate"), Route("same")):
        layer = Shadow(route, share=1, until_decided=False, failures=0)
        stack = Stack(models.transport, [layer, cache, budget, limit, breaker])
        await asyncio.gather(*[stack(request(1.0)) for _ in range(3)])
        await until(partial(compared, layer, 3))
    assert breaker.states() == {"primary": "closed"}
    assert cache.counts["model"] + cache.counts["coalesced"] + cache.counts["memory"] == 6
    (usage,) = await budget.usage()
    assert (usage.settled, usage.reserved) == (1, 0)
    (purse,) = await budget.usage(purse="shadow")
    assert purse.settled == 0
    await layer.aclose()


async def test_what_layers_above_say_is_not_said_of_copies(models: Models) -> None:
    """Neither their wishes for a server nor where they note what failures took."""
    spent, seen = Spent(), []

    class Notes(Layer):
        async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
            seen.append((request.spent, placements.get()))
            return await inner(request)

    layer = shadow(Notes(), Notes(), Budget(Quota("9 calls", window="1h")))
    models.failures["candidate"] = InferenceFailed("boom")
    token = placements.set((object(),))  # type: ignore[arg-type]
    await Stack(models.transport, [layer])(request(1.0, spent=spent))
    placements.reset(token)
    await layer.aclose()
    assert seen == [(None, ())] * 2
    assert (spent.attempts, spent.cost) == (0, 0)


async def test_a_purse_of_its_own(models: Models) -> None:
    """A Budget in the route ends the shadow and nobody else; being refused is no failure."""
    budget = Budget(Quota("2 calls", window="1h"))
    layer = shadow(budget)
    stack = Stack(models.transport, [layer, budget])
    for _ in range(2):
        await stack(request(1.0))
    with pytest.raises(BudgetExceeded):
        await stack(request(1.0))
    await layer.aclose()
    assert layer.counts == {"sampled": 3, "answered": 2, "compared": 2, "abandoned": 1,
                            "primary_failed": 1}  # fmt: skip
    assert (await budget.usage(purse="shadow"))[0].settled == 2


async def test_a_run_of_failures_pauses(models: Models, kit: Any) -> None:
    """Then one copy tries; what fails again pauses for twice as long."""
    clock = kit.Clock()
    layer = shadow(failures=2, pause="10s", clock=clock, concurrency=1)
    stack = Stack(models.transport, [layer])
    models.failures["candidate"] = ServerUnavailable("down")

    async def ask(count: int) -> int:
        before = len(models.asked())
        for _ in range(count):
            await stack(request(1.0))
            await kit.settle()
        return len(models.asked()) - before

    assert await ask(5) == 2
    clock.advance(10)
    assert await ask(3) == 1
    clock.advance(19)
    assert await ask(1) == 0
    clock.advance(1)
    models.failures.clear()
    assert await ask(5) == 5
    assert layer.counts == {"sampled": 14, "failed": 3, "paused": 6, "answered": 5, "compared": 5}
    await layer.aclose()


async def test_who_is_copied(models: Models) -> None:
    """Nothing that nobody waits for, has state on a server, or wants kept answers only."""
    layer = shadow()
    stack = Stack(models.transport, [layer])
    for fields in (
        {"priority": "shadow"},
        {"priority": "refresh"},
        {"parameters": {"sequence_id": 7}},
        {"parameters": {"sequence_id": "a", "sequence_start": True}},
    ):
        await stack(request(1.0, **fields))
    await layer.aclose()
    assert layer.counts == {}


async def test_users_are_in_or_out(models: Models) -> None:
    """A tag's value decides, alike in every process; requests without it are out."""
    layer = shadow(share=0.3, by="user")
    stack = Stack(models.transport, [layer])
    users = [f"u{n}" for n in range(40)]
    for user in (*users, *users):
        await stack(request(1.0, tags={"user": user}))
    for tags in ({}, {"user": ""}, {"user": "\ud800"}, {"user": None}):
        await stack(request(1.0, tags=tags))
    await layer.aclose()
    chosen = {user for user in users if uniform("shadow", "candidate", user) < 0.3}
    assert [copy.tags["user"] for copy in models.asked()] == [
        user for user in (*users, *users) if user in chosen
    ]
    assert 4 <= len(chosen) <= 20


async def test_by_chance(models: Models) -> None:
    """A share of the requests; within 4 standard deviations of the mean, as in 1 of 16,000."""
    layer = shadow(share="20%", random=Random(3))
    stack = Stack(models.transport, [layer])
    for _ in range(500):
        await stack(request(1.0))
    assert abs(layer.counts["sampled"] - 100) <= 4 * (500 * 0.2 * 0.8) ** 0.5
    await layer.aclose()


async def test_errors_of_both_are_counted(models: Models) -> None:
    """A request that is wrong itself is nobody's error; what failed is not compared."""
    layer = shadow(failures=0)
    stack = Stack(models.transport, [layer])
    for error in (InferenceFailed("boom"), InvalidInput("wrong")):
        models.failures["primary"] = error
        with pytest.raises(type(error)):
            await stack(request(1.0))
    models.failures = {"candidate": InvalidInput("no such shape")}
    await stack(request(1.0))
    await layer.aclose()
    assert layer.counts == {"sampled": 3, "abandoned": 2, "primary_failed": 1, "failed": 1}


async def test_degraded_answers_are_not_compared(models: Models) -> None:
    class Degrade(Layer):
        async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
            return replace(await inner(request), trace=Trace(degraded="constant"))

    layer = shadow()
    await Stack(models.transport, [layer, Degrade()])(request(1.0))
    await layer.aclose()
    assert layer.counts["degraded"] == 1


async def test_it_stops_when_it_is_decided(models: Models) -> None:
    """The verdict is told once, and no copies are sent from then on."""
    models.off = 1.0
    told: list[Any] = []
    layer = shadow(until_decided=True, on_verdict=told.append)
    stack = Stack(models.transport, [layer])
    for value in range(30):
        await stack(request(value))
        for _ in range(10):
            await asyncio.sleep(0)
    (verdict,) = told
    assert verdict.decision == "reject"
    assert verdict.rows == len(models.asked()) < 10
    assert layer.verdict is verdict
    assert "after" in str(layer.report())
    await layer.aclose()


async def test_no_verdict_of_a_few(models: Models) -> None:
    """By default; the evidence is told all the same."""
    models.off = 1.0
    layer = shadow(min_requests=30)
    stack = Stack(models.transport, [layer])
    for sent in range(30):
        assert layer.verdict.decision == "undecided"
        assert layer.verdict.more is None or layer.verdict.more >= 30 - sent
        await stack(request(1.0))
        await until(partial(compared, layer, sent + 1))
    assert layer.verdict.decision == "reject"
    await layer.aclose()


async def test_decided_by_errors_alone(models: Models) -> None:
    """A shadow that never answers is rejected, although nothing is compared."""
    models.failures["candidate"] = InferenceFailed("boom")
    layer = shadow(until_decided=True, failures=0)
    stack = Stack(models.transport, [layer])
    for _ in range(10):
        await stack(request(1.0))
        for _ in range(10):
            await asyncio.sleep(0)
    assert layer.verdict.decision == "reject"
    assert "failed" in layer.verdict.reason
    await layer.aclose()


async def test_slices_and_the_worst_rows(models: Models) -> None:
    """Told apart by a tag of few values; kept after a hook has seen the inputs."""
    models.transport.handler = lambda r: {
        "y": r.inputs["x"] * np.float32(2) + (r.model == "candidate") * (r.inputs["x"] > 5)
    }

    def redact(inputs: Any) -> Any:
        return None if inputs["x"].item() == 9 else {"x": inputs["x"] * 0}

    layer = shadow(slices="tenant", max_slices=2, keep=2, redact=redact)
    stack = Stack(models.transport, [layer])
    for n in range(10):
        await stack(request(n, 0.0, tags={"tenant": "abcd"[n % 4]}))
    await layer.aclose()
    report = layer.report()
    assert report.tally.slices == {"a": [6, 1], "b": [6, 1], "(other)": [8, 2]}
    assert [row.inputs["x"].tolist() for row in report.worst] == [[[0.0]]] * 2
    assert [row.primary["y"].item() for row in report.worst] == [12.0, 14.0]
    assert [row.shadow["y"].item() for row in report.worst] == [13.0, 15.0]
    assert report.slice("a").low > 0


async def test_a_slow_hook_holds_up_no_request(models: Models) -> None:
    """The loop goes on, and so does whoever reads the report."""
    models.off = 1.0
    entered, left = threading.Event(), threading.Event()

    def redact(inputs: Any) -> Any:
        entered.set()
        assert left.wait(20)
        return inputs

    layer = shadow(keep=1, redact=redact)
    stack = Stack(models.transport, [layer])
    await stack(request(1.0))
    async with asyncio.timeout(20):
        while not entered.is_set():  # noqa: ASYNC110, nothing tells
            await asyncio.sleep(0)
        assert (await stack(request(2.0)))["y"].item() == 4.0
    assert layer.report().worst == ()
    left.set()
    await layer.aclose()
    assert len(layer.report().worst) == 1


async def test_comparators_that_hang_take_no_thread_of_others(models: Models) -> None:
    """The event loop has 32 at most; what else needs one, such as a name's look-up, has it."""
    models.off = 1.0
    left = threading.Event()
    layer = shadow(
        compare=CompareBy(lambda a, b: np.full(len(a), left.wait(20))), concurrency=33, drain=0
    )
    stack = Stack(models.transport, [layer])
    for _ in range(33):
        await stack(request(1.0))
    await until(lambda: layer.counts.get("answered", 0) == 33)
    try:
        assert await asyncio.wait_for(asyncio.to_thread(int), 10) == 0
        await layer.aclose()
        assert layer.counts == {"sampled": 33, "answered": 33, "cancelled": 33}
    finally:
        left.set()


@pytest.mark.parametrize("failing", [False, True])
async def test_a_hook_that_cannot_be_told(models: Models, caplog: Any, failing: bool) -> None:
    """It is logged; each copy has become one thing, and it is decided all the same."""
    models.off = 1.0
    if failing:
        models.failures["candidate"] = ServerUnavailable("gone")

    def cannot(verdict: Any) -> None:
        raise RuntimeError("nobody there")

    layer = shadow(tolerate=0, errors=0, failures=0, on_verdict=cannot)
    stack = Stack(models.transport, [layer])
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            await stack(request(1.0))
        await layer.aclose()
    how = {"failed": 3} if failing else {"answered": 3, "compared": 3}
    assert layer.counts == {"sampled": 3, **how}
    assert layer.verdict.decision == "reject"
    assert len(caplog.records) == 1


async def test_a_comparator_that_cannot(models: Models, caplog: Any) -> None:
    """It is logged once and counted; the user has his answer."""
    models.off = 1.0
    layer = shadow(compare=CompareBy(lambda a, b: 1 / 0))
    stack = Stack(models.transport, [layer])
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert (await stack(request(1.0)))["y"].item() == 2.0
        await layer.aclose()
    assert layer.counts["broken"] == 2
    assert len(caplog.records) == 1


async def test_large_answers_are_compared_in_a_thread(models: Models) -> None:
    threads: list[str] = []

    def note(a: Any, b: Any) -> Any:
        threads.append(threading.current_thread().name)
        return np.ones(len(a), bool)

    models.off = 1.0
    layer = shadow(compare=CompareBy(note))
    await Stack(models.transport, [layer])(request(1.0))
    await layer.aclose()
    assert threads[0] != threading.current_thread().name


async def test_latencies_are_of_what_was_computed(models: Models) -> None:
    """A kept answer says nothing of the model's time."""
    layer = shadow(paired=True)
    stack = Stack(models.transport, [layer, Cache(identities={"primary": "1"}, rows=["primary"])])
    for _ in range(3):
        await stack(request(1.0))
    await layer.aclose()
    report = layer.report()
    assert report.tally.requests == 3
    assert report.tally.primary.n == report.tally.slower.n == 1


async def test_kept_answers_that_need_no_loop(models: Models) -> None:
    """From any thread; the copy goes by the event loop that asked last."""
    cache = Cache(identities={"primary": "1"}, rows=["primary"])
    layer = shadow()
    stack = Stack(models.transport, [layer, cache])
    asked = request(1.0)
    assert stack.now(asked) is None
    await stack(asked)
    answer = await asyncio.to_thread(stack.now, asked)
    assert answer is not None
    assert answer["y"].item() == 2.0
    await asyncio.sleep(0)
    await layer.aclose()
    assert layer.counts == {"sampled": 2, "answered": 2, "compared": 2}


def test_two_loops_and_a_fork(models: Models) -> None:
    """Each loop has its own copies; a child counts from nothing."""
    layer = shadow()
    stack = Stack(models.transport, [layer])

    async def main() -> None:
        await stack(request(1.0))
        await until(lambda: not (layer._running.here().tasks or layer._running.here().waiting))

    for _ in range(2):
        asyncio.run(main())
    assert layer.counts["compared"] == 2
    read, write = os.pipe()
    with warnings.catch_warnings():
        # From 3.12 on Python warns where other tests left threads behind.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        try:
            asyncio.run(main())
            os.write(write, str(layer.counts["compared"]).encode())
        finally:
            os._exit(0)
    os.close(write)
    assert os.waitpid(child, 0)[1] == 0
    with os.fdopen(read) as told:
        assert told.read() == "1"


@pytest.mark.parametrize(
    "wrong",
    [
        {"share": 2},
        {"alpha": 0},
        {"alpha": 1},
        {"queue": -1},
        {"concurrency": 0},
        {"latency": 0},
        {"keep": -1},
        {"min_requests": -1},
        {"tolerate": -0.1},
        {"errors": 1.5},
        {"timeout": "soon"},
    ],
)
def test_what_is_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Shadow(Route("candidate"), **wrong)
