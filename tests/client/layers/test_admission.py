"""Places by priority, against a model that looks at everybody each time."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tritonkit.client.layers.limit.admission import PRIORITIES, Admission
from tritonkit.client.types import Priority

SHARES: dict[Priority, float] = {"batch": 0.8, "refresh": 0.5, "shadow": 0.25}
NAMES = st.sampled_from(PRIORITIES)


def places(shares: dict[Priority, float], priority: Priority, limit: int) -> int:
    share = shares.get(priority, 1.0)
    return max(1, int(share * limit + 1e-9)) if share else 0


class Doors(RuleBasedStateMachine):
    """The reference holds plain lists and searches them from the beginning."""

    def __init__(self) -> None:
        super().__init__()
        self.queue, self.shares, self.limit = 3, SHARES, 8
        self.admission: Admission[int] = Admission(queue=self.queue, shares=self.shares)
        self.held: list[Priority] = []
        self.waiting: list[tuple[Priority, int]] = []
        self.items = 0

    def free(self, priority: Priority) -> bool:
        rank = PRIORITIES.index(priority)
        return all(
            sum(PRIORITIES.index(held) >= above for held in self.held)
            < places(self.shares, PRIORITIES[above], self.limit)
            for above in range(rank + 1)
        )

    @rule(priority=NAMES)
    def arrive(self, priority: Priority) -> None:
        entered = self.admission.enter(priority, self.limit)
        assert entered == self.free(priority)
        if entered:
            self.held.append(priority)
            assert len(self.held) <= self.limit
            return
        self.items += 1
        victim = self.admission.wait(self.items, priority, self.limit, now=0.0)
        line = sorted(
            [*self.waiting, (priority, self.items)],
            key=lambda waiting: (PRIORITIES.index(waiting[0]), waiting[1]),
        )
        expected = line.pop() if len(line) > self.queue else None
        assert victim == (None if expected is None else expected[1])
        self.waiting = line

    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        if self.held:
            priority = data.draw(st.sampled_from(self.held))
            self.held.remove(priority)
            self.admission.leave(priority)
            self.let_in()

    @rule(limit=st.integers(1, 12))
    def change(self, limit: int) -> None:
        self.limit = limit
        self.let_in()

    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        if self.waiting:
            waiting = data.draw(st.sampled_from(self.waiting))
            self.waiting.remove(waiting)
            self.admission.withdraw(waiting[1], waiting[0])
            self.admission.withdraw(waiting[1], waiting[0])
            assert self.admission.admit(self.limit) == []

    def let_in(self) -> None:
        before = len(self.held)
        expected = []
        for priority, item in list(self.waiting):
            if self.free(priority):
                self.held.append(priority)
                self.waiting.remove((priority, item))
                expected.append(item)
        assert self.admission.admit(self.limit) == expected
        # More than the limit only where it shrank, and nobody was let in then.
        assert len(self.held) <= max(self.limit, before)

    @invariant()
    def counts(self) -> None:
        assert self.admission.in_flight == len(self.held)
        assert self.admission.waiting == len(self.waiting) <= self.queue
        assert not any(self.free(priority) for priority, _ in self.waiting)


class NoShadows(Doors):
    """A share of nothing is legal; those wait for ever or are turned away."""

    def __init__(self) -> None:
        super().__init__()
        self.shares = {"batch": 0.3, "refresh": 1.0}
        self.admission = Admission(queue=self.queue, shares=self.shares)


@pytest.mark.parametrize("machine", [Doors, NoShadows])
def test_as_the_reference(machine: type[Doors]) -> None:
    run_state_machine_as_test(
        machine, settings=settings(max_examples=50, stateful_step_count=40, deadline=None)
    )


def test_a_share_of_nothing_is_turned_away_at_once() -> None:
    admission: Admission[int] = Admission(queue=10, shares={"shadow": 0.0})
    assert not admission.enter("shadow", 10)
    assert admission.wait(1, "shadow", 10, now=0.0) == 1
    assert admission.waiting == 0


@pytest.mark.parametrize("priority", PRIORITIES)
def test_a_small_share_is_one_place(priority: str) -> None:
    """Where nothing else is in flight, everybody gets in."""
    admission: Admission[int] = Admission(queue=0, shares=SHARES)
    assert admission.enter(cast("Priority", priority), 1)


def test_who_cannot_be_in_time_does_not_wait() -> None:
    """With 10 ms an answer and a full limit ahead it takes two rounds."""
    admission: Admission[int] = Admission(queue=100, shares={})
    for _ in range(2):
        assert admission.enter("live", 2)
    assert admission.wait(1, "live", 2, now=5.0, deadline=5.009, latency=0.01) == 1
    for item in (2, 3):
        assert admission.wait(item, "live", 2, now=5.0, deadline=5.011, latency=0.01) is None
    assert admission.wait(4, "live", 2, now=5.0, deadline=5.011, latency=0.01) == 4
    assert admission.wait(5, "live", 2, now=5.0, deadline=5.021, latency=0.01) is None
    assert admission.wait(6, "live", 2, now=5.0, deadline=5.001) is None
    assert admission.wait(7, "live", 2, now=5.0, deadline=5.0) == 7


@dataclass
class Served:
    """What became of the requests of one priority."""

    arrived: int = 0
    shed: int = 0
    waits: list[float] = field(default_factory=list)


def flooded(name_of: Callable[[Priority], Priority]) -> dict[Priority, Served]:
    """
    20 s of a server that answers 16 at a time, 10 ms each: 400 live requests a second
    and 2,000 of each other priority, and a limit of 18.
    """
    by_chance = random.Random(1)
    admission: Admission[tuple[Priority, float]] = Admission(queue=100, shares=SHARES)
    served = {priority: Served() for priority in PRIORITIES}
    rates = dict.fromkeys(PRIORITIES, 2000.0) | {"live": 400.0}
    # When, what, and of what priority; -1 for an arrival.
    events = [(by_chance.expovariate(rates[p]), -1, p) for p in PRIORITIES]
    heapq.heapify(events)
    now, number = 0.0, 0

    def send(priority: Priority, arrived: float) -> None:
        nonlocal number
        number += 1
        served[priority].waits.append(now - arrived)
        queueing = max(1.0, admission.in_flight / 16)
        ends = now + 0.01 * queueing * by_chance.uniform(0.5, 1.5)
        heapq.heappush(events, (ends, number, priority))

    while now < 20:
        now, what, priority = heapq.heappop(events)
        if what >= 0:
            admission.leave(name_of(priority))
            for waited in admission.admit(18):
                send(*waited)
            continue
        again = now + by_chance.expovariate(rates[priority])
        heapq.heappush(events, (again, -1, priority))
        served[priority].arrived += 1
        if admission.enter(name_of(priority), 18):
            send(priority, now)
        else:
            victim = admission.wait((priority, now), name_of(priority), 18, now=now)
            if victim is not None:
                served[victim[0]].shed += 1
    return served


def test_a_flood_of_batch_and_shadow_does_not_touch_live() -> None:
    """Four times what the server can do: no live request is shed, and hardly one waits."""
    served = flooded(lambda priority: priority)
    live = served["live"]
    assert live.shed == 0
    assert sum(live.waits) / live.arrived < 0.001
    assert served["shadow"].shed > 0.9 * served["shadow"].arrived
    assert len(served["batch"].waits) > 0.3 * served["batch"].arrived
    # As equals they would be: most are shed.
    assert flooded(lambda priority: "live")["live"].shed > 0.5 * live.arrived
