"""A bandit's rewards and weights, as functions of the events of a log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import count, pairwise
from math import inf, log
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tritonkit.client import Answer, Outcome, Thompson
from tritonkit.client.experiments.events import Event
from tritonkit.client.layers.split.pulls import Pulls
from tritonkit.client.statistics.thompson import BetaPosterior, NormalPosterior
from tritonkit.errors import ConfigError

EVEN = {"a": 1.0, "b": 1.0}
MINUTE = 60.0
NUMBERS = count()


def answer(arm: str, at: float, **fields: Any) -> Answer:
    # As random as those of others.
    id = sha256(b"%d" % next(NUMBERS)).hexdigest()[:32]
    named = {"answer": id, "experiment": "e", "version": "v", **fields}
    return Answer(arm=arm, unit="u", seconds=0.1, at=at, **named)


def click(to: Answer, value: float = 1.0, *, after: float = 1.0, name: str = "clicks") -> Outcome:
    return Outcome(answer=to.answer, name=name, value=value, at=to.at + after)


def pulls(events: Iterable[Event] = (), **options: Any) -> Pulls:
    made = Pulls("e", "v", ["a", "b"], "clicks", **{"delay": MINUTE, **options})
    made.add(events)
    return made


def later(at: float = 1e6) -> Answer:
    """Of an arm that takes no part: the log goes on."""
    return answer("other", at)


def run(
    bandit: Thompson,
    rates: Sequence[float],
    chance: np.random.Generator,
    *,
    rounds: int,
    each: int,
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """
    A bandit over rounds of a minute, whose outcomes are written a round after their answers.

    Returns:
        The weights of each round, and the pulls that each arm had in it.
    """
    arms = [chr(ord("a") + number) for number in range(len(rates))]
    known = bandit.pulls("e", "v", dict.fromkeys(arms, 1.0))
    weights = dict.fromkeys(arms, 1 / len(arms))
    shares, pulled, outcomes = [], [], list[Event]()
    for number in range(rounds):
        shares.append(list(weights.values()))
        taken = chance.choice(len(arms), each, p=shares[-1])
        pulled.append(np.bincount(taken, minlength=len(arms)))
        won = chance.random(each) < np.asarray(rates)[taken]
        events: list[Event] = [
            answer(arms[arm], number * MINUTE + place / each)
            for place, arm in enumerate(taken.tolist())
        ]
        known.add(outcomes + events)
        outcomes = [
            click(event, after=50)
            for event, came in zip(events, won, strict=True)
            if came and isinstance(event, Answer)
        ]
        weights = bandit.weights(known, EVEN if len(arms) == 2 else weights, number)
    return np.array(shares), np.array(pulled)


def test_a_bandit_regrets_less_than_an_even_split() -> None:
    """
    5 % against 15 %, 6,000 pulls, 4 times. The worse arm gets the floor, 300; half of the
    first four rounds of 150, in which nobody knows anything, 300; and log(6000) / kl = 172
    until it is told apart (Lai and Robbins). An even split gives it 3,000: 3.9 times as many,
    of which a third is left for chance and for the terms of lower order.
    """
    kl = 0.05 * log(0.05 / 0.15) + 0.95 * log(0.95 / 0.85)
    expected = 300 + 300 + log(6000) / kl
    assert 3000 / expected == pytest.approx(3.9, abs=0.05)
    bandit = Thompson("clicks", every="1m", delay="1m")
    regrets = []
    for seed in range(4):
        shares, pulled = run(bandit, (0.05, 0.15), np.random.default_rng(seed), rounds=40, each=150)
        assert shares.min() >= 0.05
        assert np.allclose(shares.sum(axis=1), 1)
        regrets.append(pulled[:, 0].sum())
    assert np.mean(regrets) < 3000 / (3.9 * 2 / 3)


def test_equal_arms_are_treated_alike() -> None:
    """
    60 bandits of three equal arms: each gets a third of the last round, but for four standard
    errors, which are 0.25 at most: a share is 0 to 1 with that mean.
    """
    bandit = Thompson("clicks", every="1m", delay="1m", warm_up=20)
    last = []
    for seed in range(60):
        shares, _ = run(bandit, (0.2,) * 3, np.random.default_rng(seed), rounds=5, each=90)
        last.append(shares[-1])
    assert np.std(last) > 0.05
    error = np.std(last, axis=0) / np.sqrt(60)
    assert np.all(abs(np.mean(last, axis=0) - 1 / 3) < 4 * error)


@pytest.mark.parametrize(("delay", "low", "high"), [(10 * MINUTE, 0.4, 0.6), (1.0, 0.05, 0.051)])
def test_outcomes_that_are_not_there_yet_starve_no_arm(
    delay: float, low: float, high: float
) -> None:
    """
    Two equal arms, one of them used twice as much of late, outcomes five minutes later. An arm
    whose late answers counted as failures would have half of the other's rate: see delay = 1.
    """

    def answers(arm: str, count: int, at: float) -> list[Event]:
        made = [answer(arm, at) for _ in range(count)]
        came = [click(one, after=300) for one in made[::10]] if at < 0 else []
        return [*made, *came]

    old = [*answers("a", 2000, -3600), *answers("b", 2000, -3600)]
    # Written as it happens: the outcomes come before what happens later.
    known = pulls([*old, *answers("b", 2000, 0), later(60)], delay=delay)
    if delay == 1.0:
        assert known.counted == {"a": 2000, "b": 4000}
    weights = Thompson("clicks", delay=delay).weights(known, EVEN, 0)
    assert low <= weights["b"] <= high


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (BetaPosterior(2, 2), BetaPosterior(0, 1))),
        ({"better": "lower"}, (BetaPosterior(1, 3), BetaPosterior(1, 0))),
        # 3, 1, 0 and 0 for the error.
        ({"aggregate": "sum"}, (NormalPosterior(1.0, 2.0 / 4), NormalPosterior())),
        # -3, -1 and 0.
        ({"aggregate": "sum", "better": "lower"}, (NormalPosterior(-4 / 3, 7 / 9),)),
        # 1.5 and 1; no more than two have any.
        ({"aggregate": "mean"}, (NormalPosterior(1.25, 0.125 / 2),)),
        ({"aggregate": "mean", "better": "lower"}, (NormalPosterior(-1.25, 0.125 / 2),)),
    ],
)
def test_what_an_answer_earns(options: Any, expected: Sequence[Any]) -> None:
    """Of four of one arm: two outcomes, one, none, and an error."""
    twice, once, never, failed = (
        answer("a", 0, error=error) for error in ("", "", "", "InferenceFailed")
    )
    events = [twice, once, never, failed, answer("b", 0)]
    came = [click(twice, 1), click(twice, 2), click(once), click(once, 9, name="rating")]
    known = pulls([*events, *came, later()], **options)
    for found, right in zip(known.posteriors(), expected, strict=False):
        if isinstance(right, BetaPosterior) or right.variance == inf:
            assert found == right
        else:
            assert isinstance(found, NormalPosterior)
            assert (found.mean, found.variance) == pytest.approx((right.mean, right.variance))


def test_what_does_not_count() -> None:
    """Another experiment, version or arm; an outcome that comes too late, or of nobody."""
    others = [answer("a", 0, experiment="f"), answer("a", 0, version="w"), answer("x", 0)]
    mine = answer("a", 0)
    known = pulls([*others, mine, *(click(one) for one in others), click(later())])
    assert (known.counted, known.waiting) == ({"a": 0, "b": 0}, 1)
    known.add([answer("a", MINUTE - 1)])
    assert known.counted == {"a": 0, "b": 0}
    known.add([later(MINUTE), click(mine, after=MINUTE + 1)])
    assert known.posteriors() == [BetaPosterior(0, 1), BetaPosterior()]


def test_an_outcome_may_be_written_before_its_answer() -> None:
    """Two processes write, and one of them had to wait."""
    early = answer("b", 0)
    assert pulls([click(early), early, later()]).posteriors()[1] == BetaPosterior(1, 0)


@given(
    kinds=st.lists(
        st.tuples(st.sampled_from("abx"), st.integers(0, 9), st.integers(0, 3)), max_size=40
    ),
    cuts=st.sets(st.integers(0, 80)),
)
@settings(max_examples=60, deadline=None)
def test_pages_do_not_matter(kinds: list[tuple[str, int, int]], cuts: set[int]) -> None:
    """However the events are cut into pages, the same is earned."""
    events: list[Event] = []
    at, written = 0.0, list[Answer]()
    for arm, step, back in kinds:
        at += step
        written.append(answer(arm, at))
        events.append(written[-1])
        if back < len(written):
            events.append(click(written[-1 - back], after=back))
    whole = pulls(events, delay=15)
    paged = pulls(delay=15)
    places = sorted({0, *cuts, len(events)})
    for start, end in pairwise(places):
        paged.add(events[start:end])
    assert (paged.posteriors(), paged.waiting) == (whole.posteriors(), whole.waiting)


def test_more_answers_than_there_is_room_for() -> None:
    """
    10,000 where 400 may wait: a sample of both arms, with the rates that they have. Half of
    401 or more stay, 160 at least by four errors, a quarter of them arm a's: an error of
    its share is 0.034, and one of its rate of 20 % is 0.063.
    """
    chance = np.random.default_rng(1)
    made = [answer("ab"[number % 4 > 0], number / 1000) for number in range(10_000)]
    came = [click(one) for one in made if chance.random() < 0.2]
    known = pulls(made, room=400)
    assert 160 <= known.waiting <= 400
    known.add([*came, later()])
    assert known.waiting == 0
    assert 0.11 < known.counted["a"] / sum(known.counted.values()) < 0.39
    for found in known.posteriors():
        assert isinstance(found, BetaPosterior)
        assert found.successes / (found.successes + found.failures) == pytest.approx(0.2, abs=0.25)
    # Then there is room again.
    known.add(answer("x", 2e6 + 100 * number) for number in range(20))
    known.add(answer("b", 3e6) for _ in range(300))
    assert known.waiting == 300


@given(
    won=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=2, max_size=4),
    floor=st.floats(0, 0.25),
    aggregate=st.sampled_from(["any", "sum", "mean"]),
)
@settings(max_examples=40, deadline=None)
def test_every_arm_has_its_floor(won: list[tuple[int, int]], floor: float, aggregate: Any) -> None:
    """Whatever was earned; an arm without weight gets nothing."""
    bandit = Thompson("clicks", floor=floor, aggregate=aggregate, warm_up=0, delay=1)
    first = {**{str(arm): 1.0 for arm in range(len(won))}, "none": 0.0}
    known = bandit.pulls("e", "v", first)
    for arm, (some, others) in enumerate(won):
        made = [answer(str(arm), 0) for _ in range(some + others)]
        known.add([*made, *(click(one, 1 + arm) for one in made[:some])])
    known.add([later()])
    weights = bandit.weights(known, first, 0)
    assert list(weights) == list(first)
    assert weights.pop("none") == 0
    assert min(weights.values()) >= floor
    assert sum(weights.values()) == pytest.approx(1)


def test_first_weights_hold_until_something_is_known() -> None:
    bandit = Thompson("clicks", warm_up=3, delay=1)
    first = {"a": 3.0, "b": 1.0}
    known = pulls([*(answer("a", 0) for _ in range(50)), answer("b", 0), answer("b", 0), later()])
    assert bandit.weights(known, first, 0) == {"a": 0.75, "b": 0.25}
    known.add([answer("b", 1e6), later(2e6)])
    assert bandit.weights(known, first, 0)["b"] > 0.75


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outcome": ""}, "outcome must be text"),
        ({"floor": "101%"}, "floor must be 0 to 1"),
        ({"every": 0}, "every must be more than 0"),
        ({"delay": 0}, "delay must be more than 0"),
        ({"aggregate": "median"}, "aggregate must be one of any, mean, sum, but got 'median'"),
        ({"better": "more"}, "better must be one of higher, lower"),
        ({"draw": "user"}, "draw must be one of unit, request"),
        ({"warm_up": -1}, "warm_up must be 0 or more, but got warm_up=-1"),
    ],
)
def test_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Thompson(**{"outcome": "clicks", **options})
