"""The next route where one fails."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from tritonkit.client import Cache, Memory, Route
from tritonkit.client.layers.tiers.tiers import Tiers
from tritonkit.errors import (
    BudgetExceeded,
    CircuitOpen,
    ConfigError,
    DeadlineExceeded,
    InferenceFailed,
    InvalidInput,
    LimitExceeded,
    ModelUnavailable,
    RequestError,
    ServerOverloaded,
    ServerUnavailable,
)

if TYPE_CHECKING:
    from conftest import Ways


async def test_the_first_route_answers_and_nobody_else_is_asked(ways: Ways) -> None:
    answer = await ways.stack(Tiers(*ways.routes()))(ways.request())
    assert (answer.trace.tiers, answer.trace.degraded) == (("accurate",), "")
    assert ways.asked == ["accurate"]


@pytest.mark.parametrize(
    "failure",
    [
        BudgetExceeded,
        CircuitOpen,
        DeadlineExceeded,
        InferenceFailed,
        LimitExceeded,
        ModelUnavailable,
        ServerOverloaded,
        ServerUnavailable,
    ],
)
async def test_the_next_answers_for_one_that_fails(ways: Ways, failure: type[RequestError]) -> None:
    ways.fail["accurate"] = failure("no")
    answer = await ways.stack(Tiers(*ways.routes()))(ways.request())
    assert answer.trace.tiers == ("fast",)
    assert answer.trace.degraded == f"fallback: accurate: {failure.__name__}"
    assert answer.model == "fast"


@pytest.mark.parametrize("failure", [InvalidInput("wrong"), ConfigError("wrong")])
async def test_what_is_wrong_everywhere_is_raised_at_once(ways: Ways, failure: Exception) -> None:
    ways.fail["accurate"] = failure
    with pytest.raises(type(failure)):
        await ways.stack(Tiers(*ways.routes()))(ways.request())
    assert ways.asked == ["accurate"]


async def test_every_route_that_failed_is_named(ways_of: type[Ways]) -> None:
    ways = ways_of("accurate", "middle", "fast")
    ways.fail = {"accurate": CircuitOpen("no"), "middle": ServerUnavailable("no")}
    answer = await ways.stack(Tiers(*ways.routes()))(ways.request())
    assert answer.trace.degraded == "fallback: accurate: CircuitOpen, middle: ServerUnavailable"


async def test_the_last_failure_is_raised(ways: Ways) -> None:
    ways.fail = {"accurate": CircuitOpen("no"), "fast": ServerUnavailable("gone")}
    with pytest.raises(ServerUnavailable, match="gone"):
        await ways.stack(Tiers(*ways.routes()))(ways.request())


async def test_a_timeout_leaves_the_next_its_time(ways: Ways) -> None:
    """A route without a timeout takes half of what is left, not all of it."""
    ways.gates["accurate"] = asyncio.Event()
    began = monotonic()
    answer = await ways.stack(Tiers(*ways.routes()))(ways.request(deadline=began + 0.2))
    assert answer.trace.degraded == "fallback: accurate: DeadlineExceeded"
    first, second = [request.deadline for request in ways.transport.requests]
    assert first is not None
    assert first - began == pytest.approx(0.1, abs=0.05)
    assert second == began + 0.2


async def test_a_routes_own_timeout_holds_without_a_deadline(ways: Ways) -> None:
    ways.gates["accurate"] = asyncio.Event()
    tiers = Tiers(*ways.routes(accurate={"timeout": "10ms"}))
    answer = await ways.stack(tiers)(ways.request())
    assert answer.trace.tiers == ("fast",)
    assert ways.transport.requests[1].deadline is None


async def test_deadlines_never_move_back_along_the_routes(ways_of: type[Ways]) -> None:
    """The time that is left only falls, and no route has more than the request (E26)."""
    ways = ways_of("accurate", "middle", "fast")
    ways.gates = {name: asyncio.Event() for name in ("accurate", "middle")}
    deadline = monotonic() + 0.15
    await ways.stack(Tiers(*ways.routes(middle={"timeout": "20ms"})))(
        ways.request(deadline=deadline)
    )
    deadlines = [request.deadline or 0.0 for request in ways.transport.requests]
    assert deadlines == sorted(deadlines)
    assert deadlines[-1] <= deadline


async def test_no_route_is_asked_after_the_deadline(ways: Ways) -> None:
    stack = ways.stack(Tiers(*ways.routes()))
    with pytest.raises(DeadlineExceeded):
        await stack(ways.request(deadline=monotonic() - 1))
    assert ways.asked == []


async def test_a_route_that_overruns_the_deadline_is_the_last(ways: Ways) -> None:
    async def slow(request: object) -> None:
        await asyncio.sleep(0.03)
        raise ServerUnavailable("late")

    ways.transport.handler = slow  # type: ignore[assignment]
    with pytest.raises(ServerUnavailable):
        await ways.stack(Tiers(*ways.routes()))(ways.request(deadline=monotonic() + 0.01))
    assert ways.asked == ["accurate"]


async def test_a_caller_that_is_cancelled_falls_back_to_nothing(ways: Ways) -> None:
    ways.gates["accurate"] = asyncio.Event()
    call = asyncio.create_task(_ask(ways))
    await ways.until(lambda: bool(ways.asked))
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (ways.asked, ways.cancelled) == (["accurate"], ["accurate"])


async def _ask(ways: Ways) -> object:
    return await ways.stack(Tiers(*ways.routes()))(ways.request())


async def test_concurrent_callers_do_not_mix(ways: Ways) -> None:
    ways.fail["accurate"] = ServerUnavailable("no")
    ways.surety["fast"] = lambda x: x / 100
    stack = ways.stack(Tiers(*ways.routes()))
    answers = await asyncio.gather(*[stack(ways.request(n)) for n in range(50)])
    got = [round(float(answer["y"][0, 0]) * 100) for answer in answers]
    assert got == list(range(50))


async def test_what_a_cache_below_has_needs_no_waiting(ways: Ways) -> None:
    stack = ways.stack(Tiers(*ways.routes()), Cache(Memory("1MB")))
    assert stack.now(ways.request()) is None
    await stack(ways.request())
    answer = stack.now(ways.request())
    assert answer is not None
    assert (answer.trace.tiers, answer.trace.origins) == (("accurate",), ("memory",))


async def test_a_route_with_layers_of_its_own_is_waited_for(ways: Ways) -> None:
    cache = Cache(Memory("1MB"))
    tiers = Tiers(Route("accurate", model="accurate", layers=[cache]), Route("fast", model="fast"))
    stack = ways.stack(tiers)
    await stack(ways.request())
    assert stack.now(ways.request()) is None
    assert (await stack(ways.request())).trace.origins == ("memory",)
