"""Tokens, counted by model; spikes, told of by user."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.client import InferRequest, InferResponse, Spike, Stack, Telemetry, Tokens
from tritonkit.client.layers.telemetry.heavy import Heavy
from tritonkit.errors import ConfigError, InferenceFailed

if TYPE_CHECKING:
    from tests.client.layers.conftest import Kit, Model


def asked(user: str = "", rows: int = 1, **inputs: Any) -> InferRequest:
    found = inputs or {"input_ids": np.zeros((rows, 10), dtype=np.int64)}
    return InferRequest(model="m", inputs=found, tags={"user": user})


def answer(**outputs: Any) -> InferResponse:
    return InferResponse(model="m", outputs=outputs)


def test_tokens_of_requests_and_answers() -> None:
    tokens = Tokens()
    tokens.saw("m", asked(), answer(output_ids=np.zeros((1, 4), dtype=np.int64)))
    mask = np.array([[1, 1, 0], [1, 0, 0]])
    ids = np.zeros((2, 3), dtype=np.int64)
    tokens.saw("m", asked(input_ids=ids, attention_mask=mask), None)
    text = np.array([["two words"], ["and three more"]], dtype=object)
    tokens.saw("m", asked(text=text), answer(text=np.array([[b"one two"]], dtype=object)))
    assert tokens.counts() == {("m", "in"): 10 + 3 + 5, ("m", "out"): 4 + 2}


def test_tokens_by_a_function_or_a_tokenizer() -> None:
    class Letters:
        def __call__(self, text: str) -> None:
            """Those of transformers are functions of a text as well."""

        def encode(self, text: str) -> list[str]:
            return list(text)

    tokens = Tokens(Letters(), lambda response: 7)
    text = np.array([[b"abc"], ["de"]], dtype=object)
    tokens.saw("m", asked(text=text), answer())
    assert tokens.counts() == {("m", "in"): 5, ("m", "out"): 7}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def steady(tokens: Tokens, clock: Clock, bins: int, users: dict[str, int]) -> None:
    """So many bins in which each user sends so many requests of ten tokens."""
    for _ in range(bins):
        for user, count in users.items():
            for _ in range(count):
                tokens.saw("m", asked(user), None)
        clock.now += 10.0


def test_one_user_who_takes_much_more() -> None:
    """He is found and named in the callback; the metric names nobody."""
    clock, spikes = Clock(), list[Spike]()
    tokens = Tokens(clock=clock, on_spike=spikes.append, users=20)
    usual = {f"u{number}": 1 for number in range(10)}
    steady(tokens, clock, 200, usual)
    assert not spikes
    steady(tokens, clock, 27, {**usual, "u3": 5})
    assert [(spike.scope, spike.user) for spike in spikes] == [("user", "u3")]
    # His own spike is part of what active users take.
    assert 10 < spikes[0].usual < 15
    assert str(spikes[0]).startswith("user 'u3': 50 tokens in 10s, 1")
    assert tokens.spikes() == {"global": 0, "user": 1}


def test_all_together_take_much_more(caplog: pytest.LogCaptureFixture) -> None:
    """Ten times the users, each as before: everybody's alarm alone."""
    clock = Clock()
    tokens = Tokens(clock=clock, users=20)
    steady(tokens, clock, 200, {f"u{number}": 1 for number in range(5)})
    with caplog.at_level(logging.WARNING):
        steady(tokens, clock, 19, {f"v{number}": 1 for number in range(50)})
        tokens.saw("m", asked(), None)
    assert tokens.spikes() == {"global": 1, "user": 0}
    assert "all users together" in caplog.text


def test_a_night_without_traffic_is_no_reason() -> None:
    """What was usual at day is so in the morning."""
    clock = Clock()
    tokens = Tokens(clock=clock)
    day = {f"u{number}": 2 for number in range(3)}
    steady(tokens, clock, 400, day)
    clock.now += 8 * 3600
    steady(tokens, clock, 100, day)
    assert tokens.spikes() == {"global": 0, "user": 0}


def test_a_function_that_fails_fails_no_call(caplog: pytest.LogCaptureFixture) -> None:
    """It is told of once; what could be counted is."""

    def fails(request: InferRequest) -> int:
        raise ZeroDivisionError

    tokens = Tokens(fails)
    tokens.saw("m", asked(), None)
    tokens.saw("m", asked(), None)
    assert tokens.counts() == {}
    assert [record.getMessage() for record in caplog.records] == [
        "tokens of model 'm' were not counted"
    ]
    clock = Clock()

    def refuses(spike: Spike) -> None:
        raise ZeroDivisionError

    tokens = Tokens(clock=clock, on_spike=refuses)
    steady(tokens, clock, 50, {"u1": 1})
    steady(tokens, clock, 50, {"u1": 100})
    assert tokens.spikes()["user"] == 1


@pytest.mark.parametrize("count", [None, "many", math.nan, math.inf])
def test_what_is_no_count_fails_no_call(count: Any) -> None:
    clock = Clock()
    tokens = Tokens(lambda request: count, clock=clock)
    steady(tokens, clock, 3, {"u1": 1})
    assert tokens.counts() == {}


def test_counts_below_nothing_are_nothing() -> None:
    clock = Clock()
    tokens = Tokens(lambda request: -5, clock=clock)
    steady(tokens, clock, 3, {"u1": 1})
    assert tokens.counts()["m", "in"] == 0


def test_bins_of_days() -> None:
    clock = Clock()
    tokens = Tokens(bin="2d", memory="60d", false_alarms="3650d", clock=clock)
    for _ in range(3):
        tokens.saw("m", asked(), None)
        clock.now += 3 * 86_400
    assert tokens.spikes() == {"global": 0, "user": 0}


def test_users_who_come_and_go() -> None:
    """
    Each is there for ten minutes of fifty, his requests are of any length: no alarm.

    By what is stated the chance of one, in 1,200 bins of 259,200, is at most half a percent.
    Then one of them takes eight times as much in each bin, and is found.
    """
    rng = np.random.default_rng(1)
    clock, spikes = Clock(), list[Spike]()
    tokens = Tokens(
        lambda request: int(request.parameters["tokens"]),
        lambda response: 0,
        clock=clock,
        users=30,
        on_spike=spikes.append,
    )
    x = np.zeros((1, 1))

    def pass_bin(there: Sequence[int], excessive: int = -1) -> None:
        for user in there:
            times = 8 if user == excessive else 1
            taken = int(times * rng.lognormal(5, 1, max(1, rng.poisson(2.5))).sum())
            request = InferRequest(
                model="m",
                inputs={"x": x},
                parameters={"tokens": taken},
                tags={"user": f"u{user}"},
            )
            tokens.saw("m", request, None)
        clock.now += 10.0

    for number in range(1200):
        if number % 60 == 0:
            there = rng.permutation(40)[:8].tolist()
        pass_bin(there)
    assert not spikes
    for _ in range(120):
        pass_bin(there, there[0])
    assert {(spike.scope, spike.user) for spike in spikes} == {("user", f"u{there[0]}")}


async def test_in_a_stack(kit: type[Kit], model: Model) -> None:
    """Answers and failures count; users and scopes are no labels."""
    telemetry = Telemetry(tokens=Tokens(lambda request: 3))
    stack = Stack(model.transport, [telemetry])
    await kit.ask(stack, [1], tags={"user": "u17"})
    model.failure = InferenceFailed("as told")
    with pytest.raises(InferenceFailed):
        await kit.ask(stack, [1], tags={"user": "u17"})
    snapshot = telemetry.snapshot()
    assert snapshot.tokens == {"m": {"in": 6, "out": 0}}
    assert "u17" not in snapshot.to_json()


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 50)), max_size=300))
def test_heavy_names_are_kept(events: list[tuple[int, int]]) -> None:
    """Whoever has more than a share of 1 / places of everything has a place; sums are no less."""
    heavy: Heavy[int] = Heavy(8)
    exact: Counter[int] = Counter()
    for name, count in events:
        heavy.add(name, count)
        exact[name] += count
    places = {heavy.name(place): place for place in range(min(8, len(exact)))}
    for name, count in exact.items():
        if count > sum(exact.values()) / 8:
            assert name in places
    for name, place in places.items():
        assert heavy._sums[place] >= exact[name]


def test_what_is_out_of_range() -> None:
    for options in (
        {"factor": 0.5},
        {"users": -1},
        {"memory": "10s"},
        {"false_alarms": "1s"},
        {"bin": 0},
    ):
        with pytest.raises(ConfigError):
            Tokens(**options)  # type: ignore[arg-type]
    Tokens(users=0).saw("m", asked("u17"), None)
