"""An answer now, the better one for the next caller."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tritonkit.client import Budget, Cache, Memory, Quota, Stack
from tritonkit.client.layers.tiers.fast_then_accurate import FastThenAccurate
from tritonkit.client.layers.tiers.tiers import Tiers
from tritonkit.errors import (
    BudgetExceeded,
    CircuitOpen,
    ConfigError,
    DeadlineExceeded,
    InferenceFailed,
    InvalidInput,
    ServerUnavailable,
)

if TYPE_CHECKING:
    from conftest import Ways

COMPUTING = "fast: accurate is being computed"


def stacked(ways: Ways, *below: Any, **options: Any) -> Stack:
    options = {"grace": "1ms", **options}
    return ways.stack(Tiers(*ways.routes(), strategy=FastThenAccurate(**options)), *below)


def gate(ways: Ways, *names: str) -> None:
    ways.gates = {name: asyncio.Event() for name in names}


async def test_the_accurate_answer_within_the_grace(ways: Ways) -> None:
    answer = await stacked(ways, grace="10s")(ways.request())
    assert (answer.trace.tiers, answer.trace.degraded) == (("accurate",), "")
    assert ways.asked == ["accurate"]


async def test_the_fast_answer_now_and_the_accurate_one_next(ways: Ways) -> None:
    """A cache below keeps what nobody waited for."""
    gate(ways, "accurate")
    cache = Cache(Memory("1MB"))
    stack = stacked(ways, cache)
    answer = await stack(ways.request())
    assert (answer.model, answer.trace.tiers) == ("fast", ("fast",))
    assert answer.trace.degraded == COMPUTING
    ways.gates["accurate"].set()
    await ways.until(lambda: "accurate" in ways.ended)
    await ways.until(lambda: stack.now(ways.request()) is not None)
    answer = await stack(ways.request())
    assert (answer.trace.tiers, answer.trace.origins) == (("accurate",), ("memory",))
    assert answer.trace.degraded == ""


async def test_nobody_is_in_a_hurry_for_it(ways: Ways) -> None:
    gate(ways, "accurate")
    began = monotonic()
    stack = stacked(ways, timeout="30s")
    await stack(ways.request(deadline=began + 1))
    accurate, fast = ways.transport.requests
    assert (accurate.priority, fast.priority) == ("refresh", "live")
    assert accurate.deadline is not None
    assert began + 30 <= accurate.deadline <= monotonic() + 30
    assert fast.deadline == began + 1
    await stack.aclose()


async def test_the_callers_arrays_are_its_own_again(ways: Ways) -> None:
    gate(ways, "accurate")
    stack = stacked(ways)
    request = ways.request(1, 2)
    await stack(request)
    request.inputs["x"][:] = 9
    assert ways.rows("accurate") == [1, 2]
    await stack.aclose()


async def test_whichever_comes_first(ways: Ways) -> None:
    """The accurate answer is taken while the fast one is still being waited for."""
    gate(ways, "accurate", "fast")
    stack = stacked(ways)
    call = asyncio.ensure_future(stack(ways.request()))
    await ways.until(lambda: ways.asked == ["accurate", "fast"])
    ways.gates["accurate"].set()
    answer = await call
    assert (answer.trace.tiers, answer.trace.degraded) == (("accurate",), "")
    await ways.until(lambda: ways.cancelled == ["fast"])


async def test_the_accurate_model_fails_within_the_grace(ways: Ways) -> None:
    ways.fail["accurate"] = CircuitOpen("no")
    answer = await stacked(ways, grace="10s")(ways.request())
    assert answer.trace.degraded == "fast: accurate: CircuitOpen"


async def test_the_accurate_model_fails_later(ways: Ways) -> None:
    gate(ways, "accurate", "fast")
    ways.fail["accurate"] = CircuitOpen("no")
    call = asyncio.ensure_future(stacked(ways)(ways.request()))
    await ways.until(lambda: "fast" in ways.asked)
    ways.gates["accurate"].set()
    await ways.until(lambda: "accurate" in ways.ended)
    ways.gates["fast"].set()
    assert (await call).trace.degraded == "fast: accurate: CircuitOpen"


async def test_the_fast_model_fails(ways: Ways) -> None:
    """The caller waits for the accurate answer, which is a full one."""
    gate(ways, "accurate")
    ways.fail["fast"] = ServerUnavailable("no")
    call = asyncio.ensure_future(stacked(ways)(ways.request()))
    await ways.until(lambda: ways.ended == ["fast"])
    ways.gates["accurate"].set()
    assert (await call).trace.tiers == ("accurate",)


async def test_the_fast_model_fails_and_the_deadline_passes(ways: Ways) -> None:
    gate(ways, "accurate")
    ways.fail["fast"] = ServerUnavailable("no")
    stack = stacked(ways)
    with pytest.raises(ServerUnavailable):
        await stack(ways.request(deadline=monotonic() + 0.03))
    assert ways.cancelled == []
    await stack.aclose()
    assert ways.cancelled == ["accurate"]


async def test_a_wrong_configuration_is_told(ways: Ways) -> None:
    ways.fail["accurate"] = ConfigError("wrong")
    with pytest.raises(ConfigError, match="wrong"):
        await stacked(ways, grace="10s")(ways.request())


async def test_both_fail(ways: Ways) -> None:
    ways.fail = {"accurate": InferenceFailed("a"), "fast": ServerUnavailable("f")}
    with pytest.raises(ServerUnavailable):
        await stacked(ways)(ways.request())


async def test_a_wrong_request_waits_for_nobody(ways: Ways) -> None:
    gate(ways, "accurate")
    ways.fail["fast"] = InvalidInput("wrong")
    stack = stacked(ways)
    with pytest.raises(InvalidInput):
        await stack(ways.request())
    await stack.aclose()


async def test_too_late_at_all(ways: Ways) -> None:
    gate(ways, "accurate")
    stack = stacked(ways)
    with pytest.raises(DeadlineExceeded):
        await stack(ways.request(deadline=monotonic() - 1))
    await stack.aclose()


async def test_a_limited_number_of_accurate_calls(ways: Ways) -> None:
    """Beyond it, the first route is asked for kept answers only."""
    gate(ways, "accurate")
    cache = Cache(Memory("1MB"))
    stack = stacked(ways, cache, most=2)
    answers = [await stack(ways.request(n)) for n in range(4)]
    assert [answer.trace.degraded for answer in answers] == [
        COMPUTING,
        COMPUTING,
        "fast: too many answers of accurate are being computed",
        "fast: too many answers of accurate are being computed",
    ]
    assert ways.asked.count("accurate") == 2
    ways.gates["accurate"].set()
    await ways.until(lambda: all(stack.now(ways.request(n)) is not None for n in (0, 1)))
    # Their answers are kept; their calls end with that.
    for _ in range(10):
        await asyncio.sleep(0)
    gate(ways, "accurate")
    for n in (5, 6):
        assert (await stack(ways.request(n))).trace.degraded == COMPUTING
    assert (await stack(ways.request(0))).trace.tiers == ("accurate",)
    await stack.aclose()


async def test_none_at_all(ways: Ways) -> None:
    answer = await stacked(ways, most=0)(ways.request())
    assert (ways.asked, answer.trace.tiers) == (["fast"], ("fast",))


async def test_kept_answers_only(ways: Ways) -> None:
    cache = Cache(Memory("1MB"))
    stack = stacked(ways, cache, grace="10s")
    await stack(ways.request())
    answer = await stack(ways.request(only_kept=True))
    assert (answer.trace.tiers, answer.trace.degraded) == (("accurate",), "")


async def test_nothing_outlives_closing(ways: Ways) -> None:
    gate(ways, "accurate")
    stack = stacked(ways)
    await asyncio.gather(*[stack(ways.request(n)) for n in range(5)])
    assert ways.cancelled == []
    await stack.aclose()
    assert ways.cancelled == ["accurate"] * 5
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_after_closing_nothing_begins(ways: Ways) -> None:
    gate(ways, "accurate")
    stack = stacked(ways)
    await stack.aclose()
    assert (await stack(ways.request())).trace.tiers == ("fast",)
    assert ways.asked == ["fast"]


@pytest.mark.parametrize("after_grace", [False, True])
async def test_a_cancelled_caller_takes_its_calls_along(ways: Ways, after_grace: bool) -> None:
    gate(ways, "accurate", "fast")
    stack = stacked(ways, grace="1ms" if after_grace else "10s")
    call = asyncio.ensure_future(stack(ways.request()))
    await ways.until(lambda: len(ways.asked) == 1 + after_grace)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await ways.until(lambda: len(ways.cancelled) == 1 + after_grace)
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_another_event_loop(ways: Ways) -> None:
    """What one loop began takes no place in the next."""
    strategy = FastThenAccurate(grace=0, most=1)
    stack = ways.stack(Tiers(*ways.routes(), strategy=strategy))

    async def once() -> str:
        gate(ways, "accurate")
        return (await stack(ways.request())).trace.degraded

    assert [asyncio.run(once()) for _ in range(3)] == [COMPUTING] * 3


async def test_a_failure_in_the_background_is_nobodys(ways: Ways) -> None:
    gate(ways, "accurate")
    ways.fail["accurate"] = InferenceFailed("no")
    await stacked(ways)(ways.request())
    ways.gates["accurate"].set()
    await ways.until(lambda: "accurate" in ways.ended)


@pytest.mark.parametrize("options", [{"most": -1}, {"grace": "5"}, {"timeout": "soon"}])
def test_options(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        FastThenAccurate(**options)


async def test_many_callers(ways: Ways) -> None:
    ways.surety["fast"] = lambda x: x / 100
    ways.surety["accurate"] = lambda x: x / 100
    stack = stacked(ways, Cache(Memory("1MB")), grace=0)
    answers = await asyncio.gather(*[stack(ways.request(n % 20)) for n in range(100)])
    got = [round(float(answer["y"][0, 0]) * 100) for answer in answers]
    assert got == [n % 20 for n in range(100)]
    await stack.aclose()
    assert np.isfinite(got).all()


async def test_who_is_charged_for_the_accurate_answer(ways_of: type[Ways]) -> None:
    """
    Its own purse, of the same user, or the caller's, whose spent quota then leaves the fast one.

    Of one accurate call an hour each way.
    """
    expected = {
        "refresh": [("refresh", 1), ("", 0)],
        "caller": [("refresh", 0), ("", 1)],
    }
    for charged_to, purses in expected.items():
        ways = ways_of()
        budget = Budget(Quota("1 call", per="user", model="accurate", window="1h"))
        stack = stacked(ways, budget, grace="10s", charged_to=charged_to)
        user = {"tags": {"user": "u17"}}
        assert (await stack(ways.request(1, **user))).trace.degraded == ""
        for purse, settled in purses:
            (usage,) = await budget.usage(user="u17", model="accurate", purse=purse)  # type: ignore[arg-type]
            assert usage.settled == settled
        answer = await stack(ways.request(2, **user))
        assert answer.trace.degraded == "fast: accurate: BudgetExceeded"
        # Who is denied causes no call; others are not.
        assert ways.asked == ["accurate", "fast"]
        other = await stack(ways.request(3, tags={"user": "u18"}))
        assert other.trace.tiers == ("accurate",)
        accurate = ways.transport.requests[0]
        assert (accurate.priority, accurate.tags["user"]) == ("refresh", "u17")


async def test_what_a_caller_waits_for_is_left_when_refreshes_are_spent(ways: Ways) -> None:
    """And the other way round: the purses take nothing from each other."""
    quota = Quota("1 call", model="accurate", window="1h")
    budget = Budget(quota)
    stack = stacked(ways, budget, grace="10s")
    await stack(ways.request(1))
    assert (await stack(ways.request(2))).trace.tiers == ("fast",)
    direct = Stack(ways.transport, [budget])
    assert (await direct(ways.request(3, model="accurate"))).model == "accurate"
    with pytest.raises(BudgetExceeded):
        await direct(ways.request(4, model="accurate"))
    shadow = await direct(ways.request(5, model="accurate", priority="shadow"))
    assert shadow.model == "accurate"


def test_a_purse_that_does_not_exist() -> None:
    with pytest.raises(ConfigError, match="refresh or caller, but got 'shadow'"):
        FastThenAccurate(charged_to="shadow")  # type: ignore[arg-type]
