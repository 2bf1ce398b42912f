"""Single-flight, identity, freshness and invalidation together, in any order of events."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tritonkit.client import InferRequest, InferResponse, Memory, Stack
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.errors import InferenceFailed

if TYPE_CHECKING:
    from conftest import Kit

RECHECK = 1.0
BATCH = st.lists(st.integers(1, 6), min_size=1, max_size=4)


class Loop(asyncio.SelectorEventLoop):
    """Its time passes when a test says so."""

    now = 1000.0

    def time(self) -> float:
        return self.now


@dataclass
class Call:
    """A request that has reached the model: which model that was, and what it has yet to say."""

    number: int
    state: int
    outcome: asyncio.Future[None]


@dataclass
class Asked:
    """A request of a user."""

    rows: list[int]
    cache: int
    start: float
    after: int
    task: asyncio.Task[InferResponse]
    cancelled: bool = False


class Machine(RuleBasedStateMachine):
    """
    The model answers each row x with x + 100 * state + 10000 * number of the call.

    So an answer tells which state of the model made it, and when. Two caches
    stand over one server; they may share a store.
    """

    kit: type[Kit]

    def __init__(self) -> None:
        super().__init__()
        self.loop = Loop()
        self.complaints: list[Any] = []
        self.loop.set_exception_handler(lambda _, what: self.complaints.append(what))
        self.calls: list[Call] = []
        self.count = 0
        self.asked: list[Asked] = []
        # Of each state: its version.
        self.versions = ["1"]
        self.stacks: list[Stack] = []
        self.caches: list[Any] = []
        # When each state began to serve, the present one last.
        self.history = [(self.loop.now, 0)]
        self.invalidated = [0, 0]
        self.transport = FakeTransport(
            self._serve,
            inputs={"x": (1,)},
            outputs={"y": (1,)},
            datatypes={"x": "FP64", "y": "FP64"},
        )
        self._show(0)

    @initialize(shared=st.booleans(), rows=st.booleans(), stale=st.booleans())
    def begin(self, shared: bool, rows: bool, stale: bool) -> None:
        clock = self.loop.time
        store = self.kit.SharedStore(clock)  # type: ignore[arg-type]
        self.ttl = 5.0
        self.stale = 3.0 if stale else 0.0
        for _ in range(2):
            memory = Memory("1MB", clock=clock)
            cache = self.kit.Model.cache(
                _Clocked(clock),  # type: ignore[arg-type]
                *((memory, store) if shared else (memory,)),
                rows=["m"] if rows else [],
                recheck=RECHECK,
                ttl=self.ttl,
                stale=self.stale or None,
            )
            self.caches.append(cache)
            self.stacks.append(Stack(self.transport, [cache]))

    async def _serve(self, request: InferRequest) -> Mapping[str, Any] | InferResponse:
        self.count += 1
        call = Call(self.count, self.history[-1][1], self.loop.create_future())
        self.calls.append(call)
        try:
            await call.outcome
        finally:
            self.calls.remove(call)
        y = request.inputs["x"] + 100 * call.state + 10_000 * call.number
        version = self.versions[call.state]
        return InferResponse(model="m", version=version, outputs={"y": y})

    def _show(self, state: int) -> None:
        """What the server says of its model from now on."""
        self.transport.versions[:] = [self.versions[state]]
        self.transport.model_config["parameters"] = {
            "tritonkit.model_digest": {"string_value": f"state {state}"}
        }
        self.transport.counters = dict.fromkeys(self.transport.counters, 0)

    def _settle(self) -> None:
        self.loop.run_until_complete(self.kit.settle())
        self._check()

    def _pass(self, seconds: float) -> None:
        self.loop.now += seconds
        self._settle()

    @rule(rows=st.lists(BATCH, min_size=1, max_size=3), cache=st.integers(0, 1))
    def infer(self, rows: list[list[int]], cache: int) -> None:
        """Some at the same time."""
        for batch in rows:
            x = np.array(batch, dtype=np.float64).reshape(-1, 1)
            request = InferRequest(model="m", inputs={"x": x})

            async def ask(request: InferRequest = request) -> InferResponse:
                return await self.stacks[cache](request)

            task = self.loop.create_task(ask())
            self.asked.append(Asked(batch, cache, self.loop.now, self.invalidated[cache], task))
        self._settle()

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from(self.calls))
        call.outcome.set_result(None)
        self._settle()

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from(self.calls))
        call.outcome.set_exception(InferenceFailed("no"))
        self._settle()

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        asked = data.draw(st.sampled_from(self.asked))
        asked.task.cancel()
        asked.cancelled = True
        self._settle()

    @rule(seconds=st.sampled_from([0.1, 0.3, 0.6, 1.0, 2.5]))
    def wait(self, seconds: float) -> None:
        self._pass(seconds)

    @rule(another_version=st.booleans())
    def load_another(self, another_version: bool) -> None:
        """In place, or under the next version."""
        version = int(self.versions[self.history[-1][1]]) + another_version
        self.versions.append(str(version))
        self._load(len(self.versions) - 1)

    @precondition(lambda self: not self.calls and len(self.history) > 1)
    @rule(data=st.data())
    def load_again(self, data: st.DataObject) -> None:
        """
        A model that was there before; its digest is what it was.

        Two loads within *recheck* cannot be told from none where the counters
        have grown again meanwhile: the tests leave that time between them.
        """
        state = data.draw(st.integers(0, len(self.versions) - 1))
        if state == self.history[-1][1]:
            return
        self._pass(RECHECK)
        self._load(state)
        self._pass(RECHECK)

    def _load(self, state: int) -> None:
        self.history.append((self.loop.now, state))
        self._show(state)

    @rule(cache=st.integers(0, 1))
    def invalidate(self, cache: int) -> None:
        self.loop.run_until_complete(self.stacks[cache].invalidate("m"))
        self.invalidated[cache] = self.count
        self._settle()

    def _check(self) -> None:
        """Every answer that has come is one that its time allows."""
        for asked in [one for one in self.asked if one.task.done()]:
            self.asked.remove(asked)
            assert asked.task.cancelled() == asked.cancelled
            if asked.cancelled:
                continue
            error = asked.task.exception()
            if error is not None:
                assert isinstance(error, InferenceFailed)
                continue
            answer = asked.task.result()
            y = answer["y"].ravel().astype(int)
            assert (y % 100).tolist() == asked.rows
            states = y // 100 % 100
            numbers = y // 10_000
            assert set(states) <= self._served(asked.start - RECHECK)
            # Version numbers are never mixed, and said as they are.
            assert {self.versions[state] for state in states} == {answer.version}
            # Nothing from before the invalidation that its caller had seen end.
            assert min(numbers) > asked.after
            # A row may grow older while the request waits for another one.
            waited = self.loop.now - asked.start
            for age, origin in zip(answer.trace.ages, answer.trace.origins, strict=True):
                assert age - waited < self.ttl + self.stale
                assert age - waited < self.ttl or origin == "stale"
        assert not self.complaints

    def _served(self, since: float) -> set[int]:
        """The states of the model that were there at some time from then on."""
        ends = [begin for begin, _ in self.history[1:]] + [float("inf")]
        return {state for (_, state), end in zip(self.history, ends, strict=True) if end >= since}

    def teardown(self) -> None:
        """All that is under way ends, and leaves nothing behind."""
        try:
            for _ in range(100):
                if not self.asked and not self.calls:
                    break
                for call in self.calls:
                    if not call.outcome.done():
                        call.outcome.set_result(None)
                self._pass(0.1)
            assert not self.asked
            for cache in self.caches:
                self.loop.run_until_complete(cache.aclose())
                assert cache._computing is None or cache._computing.in_flight == 0
            self._settle()
            assert not asyncio.all_tasks(self.loop)
        finally:
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.run_until_complete(self.kit.settle())
            self.loop.close()


@dataclass
class _Clocked:
    clock: Any


def test_any_order_of_events(kit: type[Kit]) -> None:
    class OfKit(Machine):
        pass

    OfKit.kit = kit
    run_state_machine_as_test(
        OfKit, settings=settings(max_examples=200, stateful_step_count=25, deadline=None)
    )
