"""The circuit against a model that keeps a list of everything."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tritonkit.client.layers.breaker.circuit import Circuit, Limits, Permit

LIMITS = Limits(
    failure_rate=0.5,
    slow=None,
    slow_rate=0.5,
    min_calls=4,
    window=10.0,
    open_for=1.0,
    max_open_for=8.0,
    probes=1,
    probe_timeout=5.0,
)


class Fixed(Random):
    """Draws the same share of every range."""

    def __init__(self, share: float) -> None:
        super().__init__(0)
        self.share = share

    def uniform(self, a: float, b: float) -> float:
        return a + self.share * (b - a)


def circuit(share: float = 1.0, **limits: Any) -> Circuit:
    return Circuit(replace(LIMITS, **limits), Fixed(share))


def call(circuit: Circuit, now: float, *, failed: bool = False, seconds: float = 0.0) -> bool:
    permit = circuit.begin(now)
    assert permit is not None
    return (circuit.fail if failed else circuit.succeed)(permit, now + seconds)


def opened(now: float = 0.0, **options: Any) -> Circuit:
    it = circuit(**options)
    while not call(it, now, failed=True):
        pass
    return it


def test_opens_at_the_failure_rate() -> None:
    it = circuit()
    for failed in (False, True, False):
        assert not call(it, 0, failed=failed)
    assert call(it, 0, failed=True)
    assert it.state(0.9) == "open"
    assert it.begin(0.9) is None
    assert it.retry_after(0.25) == 0.75
    assert it.reason == "2 of 4 calls failed"


def test_too_few_calls_mean_nothing() -> None:
    it = circuit()
    for _ in range(3):
        assert not call(it, 0, failed=True)
    # When the fourth comes, the window has left the first three behind.
    assert not call(it, 10, failed=True)
    assert it.state(10) == "closed"


def test_opens_at_the_slow_rate() -> None:
    it = circuit(slow=0.5, slow_rate=1.0)
    for _ in range(3):
        assert not call(it, 0, seconds=0.5)
    assert call(it, 0, seconds=0.5)
    assert it.reason == "4 of 4 calls took 500ms or longer"


@pytest.mark.parametrize("rate", [{"failure_rate": 0.0}, {"slow_rate": 0.0, "slow": 1.0}])
def test_a_threshold_of_nothing(rate: dict[str, float]) -> None:
    """Any failure opens it, and no success does."""
    it = circuit(**rate)
    for _ in range(99):
        assert not call(it, 0)
    assert call(it, 0, failed="failure_rate" in rate, seconds=1)


def test_a_threshold_of_everything() -> None:
    it = circuit(failure_rate=1.0)
    assert not call(it, 0)
    for _ in range(99):
        assert not call(it, 0, failed=True)
    assert call(opened(failure_rate=1.0), 1, failed=True)


def test_a_rate_that_is_met_exactly() -> None:
    """7 of 100 are 7 %, whatever 0.07 * 100 is."""
    for percent in range(1, 101):
        it = circuit(failure_rate=percent / 100, min_calls=100)
        for position in range(99):
            assert not call(it, 0, failed=position >= 100 - percent)
        assert call(it, 0, failed=True)


def test_everything_at_zero() -> None:
    it = circuit(failure_rate=0.0, min_calls=0, open_for=0.0, max_open_for=0.0, probe_timeout=0.0)
    assert call(it, 5, failed=True)
    assert it.state(5) == "half-open"
    # A permit that expires at once keeps nobody out.
    first, second = it.begin(5), it.begin(5)
    assert first is not None
    assert second is not None
    it.succeed(second, 5)
    assert it.state(5) == "closed"


def test_a_probe_closes_it() -> None:
    it = opened()
    assert it.state(1) == "half-open"
    probe = it.begin(1)
    assert probe is not None
    assert it.begin(1) is None
    assert it.retry_after(1) == 0
    it.succeed(probe, 1)
    assert it.state(1) == "closed"
    # What was counted before it opened is forgotten.
    assert not call(it, 1, failed=True)


def test_a_slow_probe_does_not_close_it() -> None:
    it = opened(slow=0.5)
    assert call(it, 1, seconds=0.5)
    assert it.reason == "1 of 1 probes took 500ms or longer"


def test_several_probes_are_judged_together() -> None:
    it = opened(probes=3)
    probes = [it.begin(1) for _ in range(4)]
    assert probes[3] is None
    first, second, third = (probe for probe in probes if probe is not None)
    it.fail(first, 1)
    it.succeed(second, 1)
    # Two have come back: there is one left to come, and no place for another.
    assert it.begin(1) is None
    it.succeed(third, 1)
    assert it.state(1) == "closed"


def test_it_opens_as_soon_as_probes_cannot_save_it() -> None:
    it = opened(probes=3)
    first, second, third = it.begin(1), it.begin(1), it.begin(1)
    assert first is not None
    assert second is not None
    assert third is not None
    assert not it.fail(first, 1)
    assert it.fail(second, 1)
    it.succeed(third, 1)
    assert it.state(1) == "open"


def test_a_probe_that_never_comes_back() -> None:
    it = opened()
    lost = it.begin(1)
    assert lost is not None
    assert it.begin(5.9) is None
    replacement = it.begin(6)
    assert replacement is not None
    it.fail(replacement, 6)
    # Late, and of another generation by now.
    it.succeed(lost, 6)
    assert it.state(6) == "open"


def test_a_late_answer_of_an_older_generation() -> None:
    it = circuit()
    late = [it.begin(0) for _ in range(9)]
    for _ in range(4):
        call(it, 0, failed=True)
    for permit in late[:4]:
        assert permit is not None
        it.succeed(permit, 0)
    assert it.state(0) == "open"
    call(it, 1)
    for permit in late[4:]:
        assert permit is not None
        it.fail(permit, 1)
    assert it.state(1) == "closed"


def test_a_probe_given_up_is_free_again() -> None:
    it = opened()
    probe = it.begin(1)
    assert probe is not None
    it.forget(probe, 1)
    assert it.state(1) == "half-open"
    assert it.begin(1) is not None


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_it_is_open_for_longer_each_time(share: float) -> None:
    """Twice as long until the cap, and never shorter than the time before."""
    it, now, times = opened(share=share), 0.0, []
    for _ in range(70):
        times.append(it.retry_after(now))
        now += times[-1] + 0.001
        call(it, now, failed=True)
    assert times[:5] == pytest.approx([n * (0.5 + share / 2) for n in (1, 2, 4, 8, 8)], abs=1e-6)
    assert max(times) <= 8.001
    now += 9
    call(it, now)
    while not call(it, now, failed=True):
        pass
    assert it.retry_after(now) == pytest.approx(0.5 + share / 2)


def test_times_are_jittered() -> None:
    it, times = Circuit(replace(LIMITS, max_open_for=1.0), Random(1)), []
    now = 0.0
    while not call(it, now, failed=True):
        pass
    for _ in range(200):
        times.append(it.retry_after(now))
        now += 1
        call(it, now, failed=True)
    assert len(set(times)) > 190
    assert 0.5 <= min(times) < 0.55 < 0.95 < max(times) <= 1.0


class Reference(RuleBasedStateMachine):
    """Knows every call that ever was, and looks all of it through each time."""

    @initialize(
        failure_rate=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
        slow=st.sampled_from([None, 0.0, 1.0]),
        slow_rate=st.sampled_from([0.0, 0.5, 1.0]),
        min_calls=st.integers(0, 4),
        probes=st.integers(1, 3),
        open_for=st.sampled_from([0.0, 1.0, 3.0]),
        probe_timeout=st.sampled_from([0.0, 2.0]),
        share=st.sampled_from([0.0, 0.5, 1.0]),
    )
    def start(self, share: float, **limits: Any) -> None:
        self.limits = replace(LIMITS, **limits)
        self.circuit = Circuit(self.limits, Fixed(share))
        self.share = share
        self.now = 0.0
        self.state, self.generation = "closed", 0
        self.until, self.openings = 0.0, 0
        self.log: list[tuple[float, bool, bool]] = []
        self.permits: list[tuple[Permit, int, float, bool]] = []
        self.ended: set[int] = set()

    def become(self, state: str) -> None:
        self.state, self.log = state, []
        self.generation += 1

    def turn(self) -> None:
        if self.state == "open" and self.now >= self.until:
            self.become("half-open")

    @rule(seconds=st.sampled_from([0.0, 0.25, 1.0, 2.0, 9.0, 10.0, 100.0]))
    def advance(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def begin(self) -> None:
        self.turn()
        permit = self.circuit.begin(self.now)
        out = [
            began
            for permit, generation, began, _ in self.permits
            if generation == self.generation
            and id(permit) not in self.ended
            and self.now - began < self.limits.probe_timeout
        ]
        granted = self.state == "closed" or (
            self.state == "half-open" and len(out) + len(self.log) < self.limits.probes
        )
        assert (permit is not None) == granted
        if permit is not None:
            assert permit.probe == (self.state == "half-open")
            self.permits.append((permit, self.generation, self.now, permit.probe))

    @precondition(lambda self: self.permits)
    @rule(outcome=st.sampled_from(["succeed", "fail", "forget"]), data=st.data())
    def end(self, outcome: str, data: st.DataObject) -> None:
        permit, generation, began, probe = data.draw(st.sampled_from(self.permits))
        did_open = getattr(self.circuit, outcome)(permit, self.now)
        counts = generation == self.generation and id(permit) not in self.ended
        self.ended.add(id(permit))
        if not counts or outcome == "forget":
            assert not did_open
            return
        limits = self.limits
        slow = limits.slow is not None and self.now - began >= limits.slow
        self.log.append((self.now, outcome == "fail", slow))
        width = limits.window / 10
        counted = [
            (failed, slow)
            for at, failed, slow in self.log
            if probe or at // width > self.now // width - 10
        ]
        calls = limits.probes if probe else len(counted)
        failures, slows = sum(f for f, _ in counted), sum(s for _, s in counted)
        bad = (failures > 0 and failures / calls >= limits.failure_rate) or (
            slows > 0 and slows / calls >= limits.slow_rate
        )
        if bad and (probe or calls >= limits.min_calls):
            longest = min(limits.open_for * 2**self.openings, limits.max_open_for)
            self.openings += 1
            self.until = self.now + longest / 2 + self.share * longest / 2
            self.become("open")
            assert did_open
            return
        assert not did_open
        if probe and len(counted) >= limits.probes:
            self.openings = 0
            self.become("closed")

    @invariant()
    def same_state(self) -> None:
        if not hasattr(self, "circuit"):
            return
        expected = self.state
        if expected == "open" and self.now >= self.until:
            expected = "half-open"
        assert self.circuit.state(self.now) == expected
        wait = max(0.0, self.until - self.now) if expected == "open" else 0.0
        assert self.circuit.retry_after(self.now) == wait


TestReference = Reference.TestCase
TestReference.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
