"""The choice between endpoints, step by step."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tritonkit.client.transports.endpoints.fleet import Fleet
from tritonkit.client.transports.endpoints.health import HealthPolicy
from tritonkit.client.transports.endpoints.member import Attempt, Member
from tritonkit.client.transports.endpoints.outcome import Outcome

M = ("m", "")
N = ("n", "")


def fleet(names: str = "abc", *, share: float = 0.75, **options: Any) -> Fleet:
    policy = HealthPolicy(**{"failures": 3, **options})
    return Fleet(names, policy, patience=0.5, max_ejected=share, rng=random.Random(0))


def run(
    one: Fleet, member: Member, outcome: Outcome, now: float, *, seconds: float = 0.0, key: Any = M
) -> None:
    attempt = one.begin(member, key, now)
    member.end(attempt, outcome, now + seconds)


def chosen(one: Fleet, now: float = 0.0, key: Any = M, times: int = 60) -> Counter[str]:
    found = Counter[str]()
    for _ in range(times):
        member = one.choose(key, now)
        assert member is not None
        found[member.name] += 1
    return found


def test_ties_are_broken_at_random() -> None:
    """Nobody is asked first by his place."""
    assert all(count > 5 for count in chosen(fleet()).values())
    assert set("abc") == set(chosen(fleet()))


def test_the_least_outstanding_of_two_is_asked() -> None:
    """The busiest of all is asked never, for it loses against each."""
    one = fleet()
    for name, count in (("a", 2), ("b", 1), ("c", 0)):
        for _ in range(count):
            one.begin(one.members[name], M, 0.0)
    found = chosen(one)
    assert "a" not in found
    assert found["c"] > found["b"] > 0


def test_a_slow_one_is_asked_less_and_tried_again() -> None:
    """Half a second against 5 ms weighs as a hundred in flight, and fades."""
    one = fleet("ab")
    run(one, one.members["a"], Outcome.ANSWERED, 0.0, seconds=0.5)
    run(one, one.members["b"], Outcome.ANSWERED, 0.5, seconds=0.005)
    for _ in range(20):
        one.begin(one.members["b"], M, 0.6)
    assert {"b"} == set(chosen(one, 0.6))
    assert "a" in chosen(one, 20.0)


def test_a_slow_start_is_soon_forgotten() -> None:
    """Two seconds, once, against 2 ms: by halves alone it would take twenty to be tried again."""
    one = fleet("ab")
    run(one, one.members["a"], Outcome.ANSWERED, 0.0, seconds=2.0)
    for tenth in range(20, 75):
        run(one, one.members["b"], Outcome.ANSWERED, tenth / 10, seconds=0.002)
    assert {"b"} == set(chosen(one, 6.9))
    assert set("ab") == set(chosen(one, 7.1))
    # Still slow: what waits there tells so, before its answer does.
    one.begin(one.members["a"], M, 7.1)
    for _ in range(3):
        one.begin(one.members["b"], M, 7.11)
    assert {"b"} == set(chosen(one, 7.12))


def test_who_is_not_known_is_as_fast_as_the_other() -> None:
    """Neither shunned nor overrun."""
    one = fleet("ab")
    for seconds in (0.005, 0.5):
        run(one, one.members["a"], Outcome.ANSWERED, 0.0, seconds=seconds)
        one.begin(one.members["b"], M, 0.5)
        assert {"a"} == set(chosen(one, 0.5))
        one.begin(one.members["a"], M, 0.5)
        assert set("ab") == set(chosen(one, 0.5))


def test_what_is_in_flight_for_long_is_slow() -> None:
    """Before any answer tells so: a server that stands still gets no more calls."""
    one = fleet("ab")
    for name in "ab":
        run(one, one.members[name], Outcome.ANSWERED, 0.0, seconds=0.005)
    one.begin(one.members["a"], M, 0.1)
    one.begin(one.members["b"], M, 0.39)
    one.begin(one.members["b"], M, 0.39)
    assert {"b"} == set(chosen(one, 0.4))


def test_a_model_fails_on_one_endpoint_alone() -> None:
    """It is asked there no more, other models are."""
    one = fleet("ab")
    for _ in range(3):
        run(one, one.members["a"], Outcome.FAILED, 0.0)
    assert {"b"} == set(chosen(one))
    assert {"a", "b"} == set(chosen(one, key=N))


def test_an_unloaded_model_is_asked_for_elsewhere_whatever_the_share() -> None:
    """An endpoint without the model cannot answer; asked again where none has it."""
    one = fleet("abc", share=0.0)
    for name in "ab":
        run(one, one.members[name], Outcome.ABSENT, 0.0)
    assert {"c"} == set(chosen(one))
    assert one.members["a"].absent() == ("m",)
    run(one, one.members["c"], Outcome.ABSENT, 0.0)
    assert set("abc") == set(chosen(one))
    assert None is one.choose(M, 0.0, {one.members["a"]})


def test_an_answer_where_the_model_was_absent_takes_it_back() -> None:
    """It says more than a probe does."""
    one = fleet("a")
    run(one, one.members["a"], Outcome.ABSENT, 0.0)
    run(one, one.members["a"], Outcome.ANSWERED, 0.1)
    assert one.members["a"].absent() == ()
    assert not one.members["a"].ill()


def test_where_all_are_ill_the_one_longest_out_is_asked() -> None:
    """Never nobody."""
    one = fleet("abc", share=1.0)
    for now, name in enumerate("abc"):
        for _ in range(3):
            run(one, one.members[name], Outcome.UNREACHABLE, float(now))
    assert all(member.health.out for member in one.members.values())
    assert {"a"} == set(chosen(one, 3.0))
    other = one.choose(M, 3.0, {one.members["a"]})
    assert other in (one.members["b"], one.members["c"])
    assert None is one.choose(M, 3.0, set(one.members.values()))


def test_silence_is_suspect_though_every_call_has_left() -> None:
    """Calls with short deadlines leave nothing in flight, and no answer either."""
    one = fleet("a")
    for tick in range(10):
        run(one, one.members["a"], Outcome.NEUTRAL, tick * 0.1, seconds=0.08)
    assert [(one.members["a"], None)] == one.due(0.9)
    one.members["a"].vouched(0.9)
    assert one.due(2.0) == []


def test_what_is_slow_by_habit_is_not_suspect() -> None:
    """A model of two seconds is silent for longer than patience."""
    one = fleet("a")
    run(one, one.members["a"], Outcome.ANSWERED, 0.0, seconds=2.0)
    one.begin(one.members["a"], M, 2.0)
    assert one.due(9.0) == []
    assert [(one.members["a"], None)] == one.due(10.0)


def test_an_old_call_says_nothing_of_what_came_back() -> None:
    """Calls that began before the return may fail after it."""
    one = fleet("a", ejection=0.0)
    member = one.members["a"]
    late = [one.begin(member, M, 0.0) for _ in range(5)]
    for _ in range(3):
        run(one, member, Outcome.UNREACHABLE, 0.0)
    assert member.health.out
    member.health.probed(True, 1.0)
    for attempt in late:
        member.end(attempt, Outcome.UNREACHABLE, 1.1)
    assert not member.health.out


def test_probes_end_when_nobody_calls() -> None:
    """What nobody asks for needs no probe; the next call begins them again."""
    one = fleet("ab")
    for _ in range(3):
        run(one, one.members["a"], Outcome.UNREACHABLE, 0.0)
    assert one.watched(10.0)
    assert not one.watched(40.0)
    assert one.due(40.0) == []
    run(one, one.members["b"], Outcome.ANSWERED, 40.0)
    assert [(one.members["a"], None)] == one.due(40.0)


def test_a_model_that_is_used_elsewhere_is_probed() -> None:
    """However long ago it was asked for where it is missing; one that nobody uses is not."""
    one = fleet("ab")
    for key in (M, N):
        run(one, one.members["a"], Outcome.ABSENT, 0.0, key=key)
    for now in range(0, 100, 10):
        run(one, one.members["b"], Outcome.ANSWERED, float(now))
    assert [(one.members["a"], M)] == one.due(100.0)


def test_a_sequence_stays_where_it_is() -> None:
    """Whatever becomes of the endpoint; sequences are spread."""
    one = fleet()
    places = {what: one.pinned(M, what).name for what in map(str, range(60))}
    assert set("abc") == set(places.values())
    one.members["a"].health.eject(0.0)
    assert places == {what: one.pinned(M, what).name for what in places}


def test_endpoints_that_stay_keep_their_state() -> None:
    """Those that leave are handed back."""
    one = fleet("ab")
    kept, gone = one.members["b"], one.members["a"]
    assert [gone] == one.replace("bc")
    assert one.members["b"] is kept
    assert list(one.members) == ["b", "c"]


@pytest.mark.parametrize(("share", "used"), [(0.0, 4), (0.25, 3), (0.5, 2), (0.75, 1), (1.0, 1)])
def test_no_more_than_the_share_is_out(share: float, used: int) -> None:
    """Of four that all fail."""
    one = fleet("abcd", share=share)
    for member in one.members.values():
        member.health.eject(0.0)
    assert used == len(one.usable(M))


class Life(RuleBasedStateMachine):
    """Endpoints that do anything at all."""

    share = 0.5

    def __init__(self) -> None:
        super().__init__()
        self.fleet = fleet("abcde", share=self.share, min_calls=5)
        self.now = 0.0
        self.flying: list[Attempt] = []

    @rule(seconds=st.floats(0, 5))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(key=st.sampled_from([M, N]), question=st.booleans())
    def a_call(self, key: tuple[str, str], question: bool) -> None:
        member = self.fleet.choose(key, self.now)
        assert member in self.fleet.usable(key)
        assert member is not None
        self.flying.append(self.fleet.begin(member, key, self.now, question=question))

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), outcome=st.sampled_from(Outcome))
    def an_end(self, data: st.DataObject, outcome: Outcome) -> None:
        attempt = self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))
        attempt.member.end(attempt, outcome, self.now)
        attempt.member.end(attempt, outcome, self.now)

    @rule(name=st.sampled_from("abcde"))
    def a_death(self, name: str) -> None:
        for attempt in self.fleet.members[name].lost(self.now):
            self.flying.remove(attempt)
            attempt.member.end(attempt, Outcome.UNREACHABLE, self.now)

    @rule(well=st.booleans())
    def the_probes(self, well: bool) -> None:
        for member, key in self.fleet.due(self.now):
            if key is not None:
                member.probed(key, well, self.now)
            elif member.health.out:
                member.health.probed(well, self.now)
            else:
                member.vouched(self.now)

    @invariant()
    def enough_are_used(self) -> None:
        for key in (M, N):
            having = [one for one in self.fleet.members.values() if one.has(key)]
            usable = self.fleet.usable(key)
            allowed = min(int(self.share * len(having)), len(having) - 1)
            assert usable
            assert len(usable) >= len(having) - max(0, allowed)
            if having:
                assert set(usable) <= set(having)

    @invariant()
    def the_counts_are_right(self) -> None:
        assert len(self.flying) == self.fleet.outstanding()

    def teardown(self) -> None:
        for attempt in self.flying:
            attempt.member.end(attempt, Outcome.NEUTRAL, self.now)
        assert self.fleet.outstanding() == 0


Life.TestCase.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
TestLife = Life.TestCase
