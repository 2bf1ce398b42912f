"""Each row where the rule sends it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.client import InferRequest, Stack
from tritonkit.client.layers.tiers.by_cost import ByCost
from tritonkit.client.layers.tiers.seed_rule import SeedRule
from tritonkit.client.layers.tiers.tiers import Tiers
from tritonkit.errors import BudgetExceeded, ConfigError, InvalidInput, ServerUnavailable

if TYPE_CHECKING:
    from conftest import Ways


def big(request: InferRequest) -> Any:
    return request.inputs["x"].ravel() > 10


def stacked(ways: Ways, rule: Any = big) -> Stack:
    ways.surety |= {"accurate": lambda x: x, "fast": lambda x: -x}
    return ways.stack(Tiers(*ways.routes(), strategy=ByCost(rule)))


@given(values=st.lists(st.integers(0, 20), min_size=1, max_size=40))
def test_each_row_goes_where_its_rule_says(ways_of: type[Ways], values: list[int]) -> None:
    ways = ways_of()
    answer = asyncio.run(stacked(ways)(ways.request(*values)))
    assert ways.rows("accurate") == [value for value in values if value > 10]
    assert ways.rows("fast") == [value for value in values if value <= 10]
    assert answer["y"][:, 0].tolist() == [v if v > 10 else -v for v in values]
    assert answer.trace.degraded == ""
    names = tuple(["accurate" if value > 10 else "fast" for value in values])
    assert answer.trace.tiers == (names if len(set(names)) > 1 else names[:1])


@pytest.mark.parametrize(
    ("verdict", "route"),
    [(True, "accurate"), (False, "fast"), (np.array(False), "fast"), ("middle", "middle")],
)
async def test_one_verdict_for_the_request(ways_of: type[Ways], verdict: Any, route: str) -> None:
    ways = ways_of("accurate", "middle", "fast")
    answer = await stacked(ways, lambda request: verdict)(ways.request(1, 2))
    assert (ways.asked, answer.trace.tiers) == ([route], (route,))


async def test_names_for_rows(ways_of: type[Ways]) -> None:
    ways = ways_of("accurate", "middle", "fast")
    answer = await stacked(ways, lambda request: ["fast", "middle", True])(ways.request(1, 2, 3))
    assert answer.trace.tiers == ("fast", "middle", "accurate")


async def test_both_at_the_same_time(ways: Ways) -> None:
    ways.gates = {name: asyncio.Event() for name in ways.names}
    call = asyncio.ensure_future(stacked(ways)(ways.request(1, 20)))
    await ways.until(lambda: len(ways.asked) == 2)
    for gate in ways.gates.values():
        gate.set()
    assert (await call)["y"][:, 0].tolist() == [-1, 20]


async def test_a_spent_budget_sends_dear_rows_to_the_cheap_route(ways: Ways) -> None:
    ways.fail["accurate"] = BudgetExceeded("spent")
    answer = await stacked(ways)(ways.request(1, 20))
    assert answer["y"][:, 0].tolist() == [-1, -20]
    assert answer.trace.degraded == "fallback: accurate: BudgetExceeded"
    assert answer.trace.tiers == ("fast",)


async def test_a_better_route_is_no_less(ways: Ways) -> None:
    ways.fail["fast"] = ServerUnavailable("no")
    answer = await stacked(ways)(ways.request(1, 20))
    assert answer["y"][:, 0].tolist() == [1, 20]
    assert answer.trace.degraded == ""


async def test_all_fail(ways: Ways) -> None:
    ways.fail = dict.fromkeys(ways.names, ServerUnavailable("no"))
    with pytest.raises(ServerUnavailable):
        await stacked(ways)(ways.request(1, 20))


async def test_a_wrong_row_ends_the_request(ways: Ways) -> None:
    ways.gates["accurate"] = asyncio.Event()
    ways.fail["fast"] = InvalidInput("wrong")
    with pytest.raises(InvalidInput):
        await stacked(ways)(ways.request(1, 20))
    assert ways.cancelled == ["accurate"]


async def test_a_cancelled_caller_takes_all_along(ways: Ways) -> None:
    ways.gates = {name: asyncio.Event() for name in ways.names}
    call = asyncio.ensure_future(stacked(ways)(ways.request(1, 20)))
    await ways.until(lambda: len(ways.asked) == 2)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert sorted(ways.cancelled) == ["accurate", "fast"]


async def test_a_request_that_cannot_be_split_goes_where_its_dearest_row_does(
    ways_of: type[Ways],
) -> None:
    ways = ways_of(max_batch_size=0, inputs={"x": [-1, 1]})
    answer = await stacked(ways)(ways.request(1, 20, 2))
    assert (ways.asked, answer.trace.tiers) == (["accurate"], ("accurate",))


@pytest.mark.parametrize(
    ("verdict", "message"),
    [
        ("slow", "one of the routes"),
        ([True, False, True], "each of 2 rows"),
        ([], "gave none"),
        (["slow", True], "'slow'"),
        (np.array([[True], [False]]), "one verdict for each row"),
    ],
)
async def test_a_rule_that_says_nonsense(ways: Ways, verdict: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        await stacked(ways, lambda request: verdict)(ways.request(1, 2))


def texts(*values: Any) -> InferRequest:
    return InferRequest(model="m", inputs={"text": np.array(values, np.object_).reshape(-1, 1)})


@pytest.mark.parametrize(
    ("text", "dear"),
    [
        ("hello world", False),
        (b"hello world", False),
        ("is it so?", True),
        (b"is it so?", True),
        ("Compare apples and pears", True),
        ("please explain", True),
        ("she explained it", True),
        ("ANALYZE this", True),
        ("analyse that", True),
        ("incomparable", False),
        (" ".join(["word"] * 20), False),
        (" ".join(["word"] * 21), True),
        ("", False),
        (b"\xff\xfe", False),
    ],
)
def test_the_seed_rule(text: str | bytes, dear: bool) -> None:
    assert SeedRule()(texts(text, "plain")) == [dear, False]


def test_the_seed_rules_options() -> None:
    rule = SeedRule(words=0, question=False, verbs=())
    assert [rule.dear(text) for text in ("", "?", "compare")] == [False, True, True]
    assert not SeedRule(words=9, question=False, verbs=()).dear("compare?")
    with pytest.raises(ConfigError, match="words"):
        SeedRule(words=-1)
    with pytest.raises(ConfigError, match="a list of words"):
        SeedRule(verbs="compare")


def test_the_seed_rule_reads_every_text_of_a_row() -> None:
    request = InferRequest(
        model="m",
        inputs={
            "a": np.array([["x"], ["why?"], ["x"]], np.object_),
            "b": np.array([["x", "y"], ["x", "y"], ["x", "why?"]], np.object_),
            "n": np.zeros((3, 1)),
        },
    )
    assert SeedRule()(request) == [False, True, True]


async def test_what_a_rule_cannot_read_is_answered_all_the_same(
    ways: Ways, caplog: pytest.LogCaptureFixture
) -> None:
    """By the better route unless it is told otherwise; and it is told once."""
    stack = stacked(ways, SeedRule())
    assert (await stack(ways.request(1, 20))).trace.tiers == ("accurate",)
    assert (await stack(ways.request(1, 20))).trace.tiers == ("accurate",)
    assert caplog.messages == [
        "SeedRule reads texts, but 'm' was sent ['x']; such requests count as dear"
    ]
    answer = await stacked(ways, SeedRule(otherwise="simple"))(ways.request(1, 20))
    assert answer.trace.tiers == ("fast",)
    with pytest.raises(ConfigError, match="dear or simple, but got 'cheap'"):
        SeedRule(otherwise="cheap")  # type: ignore[arg-type]
