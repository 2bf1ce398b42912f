"""The policy against a model of it, and what it promises of scans."""

from __future__ import annotations

import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tritonkit.client.stores.s3fifo import S3FIFO

KEYS = st.integers(0, 30)


class Kept(RuleBasedStateMachine):
    """Whatever is done, the budget holds, and a key has its last value or none."""

    @initialize(budget=st.integers(0, 400), place=st.integers(0, 12), ghosts=st.floats(0, 2))
    def begin(self, budget, place, ghosts):
        self.policy = S3FIFO(budget, place=place, ghosts=ghosts)
        self.place = place
        self.last = {}
        self.count = 0

    @rule(key=KEYS, size=st.integers(0, 60) | st.integers(0, 500))
    def put(self, key, size):
        self.count += 1
        before = {k: k in self.policy for k in range(31)}
        used = self.policy.used
        if self.policy.put(key, self.count, size):
            assert max(size, self.place) <= self.policy.budget
            assert key in self.policy
            self.last[key] = self.count
        else:
            assert max(size, self.place) > self.policy.budget
            assert before == {k: k in self.policy for k in range(31)}
            assert used == self.policy.used

    @rule(keys=st.lists(KEYS, max_size=5))
    def find(self, keys):
        there = [key in self.policy for key in keys]
        found = self.policy.find(keys)
        assert there == [value is not None for value in found]
        for key, value in zip(keys, found, strict=True):
            assert value in (None, self.last.get(key))

    @rule(key=KEYS, recent=st.booleans())
    def drop(self, key, recent):
        there = key in self.policy
        value = self.last.get(key, 0) if recent else -1
        self.policy.drop(key, value)
        assert (key in self.policy) == (there and not recent)

    @invariant()
    def budget_holds(self):
        assert 0 <= self.policy.used <= self.policy.budget

    @invariant()
    def accounts_agree(self):
        nodes = self.policy._nodes.values()
        assert self.policy.used == sum(node.size for node in nodes)
        assert len(self.policy) == sum(node.value is not None for node in nodes)
        assert all(node.size >= self.place for node in nodes)
        queues = (self.policy._small, self.policy._main, self.policy._gone)
        assert all(node in queues[node.queue] for node in nodes)
        small, _, gone = ([node for node in nodes if node.queue == n] for n in range(3))
        assert self.policy._small_used == sum(node.size for node in small)
        assert all(node.value is None for node in gone)
        assert len(self.policy._small) + len(self.policy._main) + len(gone) == len(nodes)


Kept.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestKept = Kept.TestCase


@pytest.fixture
def policy():
    return S3FIFO(1000)


def ask(policy, key, size=1):
    there = policy.find((key,))[0] is not None
    if not there:
        policy.put(key, True, size)
    return there


def test_scan_leaves_the_hot_entries(policy):
    """A scan a hundred times the budget takes nothing of what was used before it."""
    hot = range(800)
    for _ in range(3):
        for key in hot:
            ask(policy, key)

    for key in range(10_000, 110_000):
        ask(policy, key)

    assert len(hot) == sum(key in policy for key in hot)


def test_hot_entries_displace_others_amid_a_scan(policy):
    """Keys asked for every so often gather while ten others, never seen again, come for each."""
    choose = random.Random(1)
    hits = []
    for number in range(200_000):
        if number % 11:
            ask(policy, 10_000 + number)
        else:
            hits.append(ask(policy, choose.randrange(400)))

    assert sum(hits[-5000:]) > 0.9 * 5000


def test_what_comes_back_soon_stays(policy):
    """A key that left unused and returns goes where a scan does not reach it."""
    for key in range(1100):
        ask(policy, key)
    (returning,) = [key for key in [0] if key not in policy]
    ask(policy, returning)
    for key in range(5000, 9000):
        ask(policy, key)

    assert returning in policy


def test_large_values_leave_first(policy):
    """Sizes count, not entries: one value of half the budget takes the place of as many bytes."""
    for key in range(1000):
        ask(policy, key)
    policy.put("large", True, 500)

    assert policy.used == 1000
    assert len(policy) == 501


def test_dropped_value_comes_back_in_its_place(policy):
    """An entry that was dropped and put again has kept its standing."""
    for _ in range(2):
        for key in range(500):
            ask(policy, key)
    for key in range(1000, 3000):
        ask(policy, key)
    for key in range(500):
        policy.drop(key, True)
        policy.put(key, True, 1)
    for key in range(5000, 9000):
        ask(policy, key)

    assert sum(key in policy for key in range(500)) == 500
