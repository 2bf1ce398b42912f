"""The breaker of a store against its description, by a clock of the test."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tritonkit.client.stores.redis.breaker import Attempt, Breaker


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def fail(breaker: Breaker, times: int = 1) -> bool:
    opened = False
    for _ in range(times):
        attempt = breaker.begin()
        assert attempt is not None
        opened = breaker.fail(attempt)
    return opened


def test_three_failures_in_a_row_open_it(clock: Clock) -> None:
    breaker = Breaker(clock=clock)
    assert not fail(breaker, 2)
    attempt = breaker.begin()
    assert attempt is not None
    breaker.succeed(attempt)
    assert not fail(breaker, 2)
    assert fail(breaker)
    assert breaker.state == "open"
    assert breaker.begin() is None


def test_half_open_it_lets_one_ask(clock: Clock) -> None:
    breaker = Breaker(clock=clock)
    fail(breaker, 3)
    clock.now += 0.5
    assert breaker.state == "half-open"
    probe = breaker.begin()
    assert probe is not None
    assert breaker.begin() is None
    breaker.succeed(probe)
    assert breaker.state == "closed"


def test_it_stays_open_for_longer_each_time_a_probe_fails(clock: Clock) -> None:
    breaker = Breaker(clock=clock)
    fail(breaker, 3)
    for seconds in (0.5, 1, 2, 4, 8, 10, 10):
        clock.now += seconds - 0.01
        assert breaker.begin() is None
        clock.now += 0.02
        fail(breaker)
    clock.now += 10
    probe = breaker.begin()
    assert probe is not None
    breaker.succeed(probe)
    fail(breaker, 3)
    clock.now += 0.5
    assert breaker.state == "half-open"


def test_a_probe_given_up_says_nothing_and_is_free_again(clock: Clock) -> None:
    breaker = Breaker(clock=clock)
    fail(breaker, 3)
    clock.now += 0.5
    probe = breaker.begin()
    assert probe is not None
    breaker.forget(probe)
    assert breaker.state == "half-open"
    assert breaker.begin() is not None


def test_only_the_first_outcome_of_an_attempt_counts(clock: Clock) -> None:
    breaker = Breaker(clock=clock)
    fail(breaker, 2)
    attempt = breaker.begin()
    assert attempt is not None
    breaker.succeed(attempt)
    breaker.fail(attempt)
    assert not fail(breaker, 2)


def test_an_outcome_from_before_it_opened_says_nothing(clock: Clock) -> None:
    breaker = Breaker(clock=clock)
    late = [breaker.begin() for _ in range(2)]
    fail(breaker, 3)
    clock.now += 0.5
    probe = breaker.begin()
    for attempt in late:
        assert attempt is not None
        breaker.succeed(attempt)
    assert breaker.state == "half-open"
    assert breaker.begin() is None
    assert probe is not None
    breaker.fail(probe)
    assert breaker.state == "open"


class AnyOrder(RuleBasedStateMachine):
    """Attempts begin and end in any order: never two probes, never one while open."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.breaker = Breaker(clock=self.clock)
        self.live: list[Attempt] = []

    @rule(seconds=st.floats(0, 12))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule()
    def begin(self) -> None:
        state = self.breaker.state
        attempt = self.breaker.begin()
        if attempt is not None:
            assert state != "open"
            assert attempt.probe == (state == "half-open")
            self.live.append(attempt)
        else:
            assert state != "closed"

    @precondition(lambda self: self.live)
    @rule(data=st.data(), how=st.sampled_from(["succeed", "fail", "forget"]))
    def end(self, data: st.DataObject, how: str) -> None:
        attempt = self.live.pop(data.draw(st.integers(0, len(self.live) - 1)))
        before = self.breaker.state
        getattr(self.breaker, how)(attempt)
        if not attempt.probe and how != "fail":
            assert self.breaker.state == before
        if attempt.probe:
            after = {"succeed": "closed", "fail": "open", "forget": "half-open"}
            assert self.breaker.state == after[how]

    @invariant()
    def one_probe_at_most(self) -> None:
        assert sum(attempt.probe for attempt in self.live) <= 1


TestAnyOrder = AnyOrder.TestCase
