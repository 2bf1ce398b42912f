"""Routes, sequences, and what stands in for all of them."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tritonkit.client import Cache, Memory, Route, Stack
from tritonkit.client.layers.tiers.by_cost import ByCost
from tritonkit.client.layers.tiers.cascade import Cascade
from tritonkit.client.layers.tiers.constant import Constant
from tritonkit.client.layers.tiers.fallback import Fallback
from tritonkit.client.layers.tiers.fast_then_accurate import FastThenAccurate
from tritonkit.client.layers.tiers.stale import Stale
from tritonkit.client.layers.tiers.strategy import Strategy
from tritonkit.client.layers.tiers.tiers import Tiers
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.errors import (
    ConfigError,
    DeadlineExceeded,
    InvalidInput,
    NotKept,
    ServerUnavailable,
)

if TYPE_CHECKING:
    from conftest import Ways

DOWN = ServerUnavailable("down")


def test_routes_have_names_of_their_own() -> None:
    with pytest.raises(ConfigError, match="different names"):
        Tiers(Route("a"), Route("a"))
    with pytest.raises(ConfigError, match="a route at least"):
        Tiers()


@pytest.mark.parametrize(
    "strategy", [Cascade(threshold=0.5), FastThenAccurate(), ByCost(lambda request: True)]
)
def test_a_choice_needs_two_routes(strategy: Strategy) -> None:
    with pytest.raises(ConfigError, match="two routes or more"):
        Tiers(Route("a"), strategy=strategy)


def test_shows_what_it_is() -> None:
    tiers = Tiers(Route("a", model="m"), Route("b"), last=[Stale(), Constant({"y": 0})])
    assert repr(tiers) == (
        "Tiers(Route('a', model='m'), Route('b'), strategy=Fallback(), last=[Stale(), Constant(y)])"
    )


@pytest.mark.parametrize(
    "strategy",
    [
        Fallback(),
        Cascade(threshold=1.0),
        Cascade(share=1),
        FastThenAccurate(),
        ByCost(lambda request: [True, False]),
    ],
)
@pytest.mark.parametrize("parameter", ["sequence_id", "sequence_start"])
async def test_a_sequence_goes_to_the_first_route_only(
    ways: Ways, strategy: Strategy, parameter: str
) -> None:
    stack = ways.stack(Tiers(*ways.routes(), strategy=strategy, last=[Constant({"y": 0})]))
    answer = await stack(ways.request(1, 2, parameters={parameter: 7}))
    assert (answer.trace.tiers, ways.asked) == (("accurate",), ["accurate"])
    ways.fail["accurate"] = DOWN
    with pytest.raises(ServerUnavailable):
        await stack(ways.request(1, 2, parameters={parameter: 7}))
    assert ways.asked == ["accurate", "accurate"]


async def test_belongs_to_one_stack(ways: Ways, ways_of: type[Ways]) -> None:
    tiers = Tiers(*ways.routes())
    ways.stack(tiers)
    ways.stack(tiers)
    with pytest.raises(ConfigError, match="belongs to one stack"):
        ways_of().stack(tiers)


async def test_layers_of_routes_are_told_and_closed(ways: Ways) -> None:
    cache = Cache(Memory("1MB"))
    server = FakeTransport(lambda request: {"y": np.zeros((1, 2))}, inputs={}, outputs={})
    tiers = Tiers(Route("accurate", model="a", layers=[cache]), Route("own", server=server))
    stack = ways.stack(tiers)
    await stack(ways.request())
    assert (await stack(ways.request())).trace.origins == ("memory",)
    await stack.invalidate()
    assert (await stack(ways.request())).trace.origins == ("model",)
    await stack.aclose()
    assert server.closed


async def test_a_route_that_does_not_close_keeps_no_other_open(ways: Ways) -> None:
    class Stubborn(FakeTransport):
        async def aclose(self) -> None:
            raise OSError("stuck")

    def handler(request: Any) -> Any:
        return {}

    server = FakeTransport(handler, inputs={}, outputs={})
    stubborn = Stubborn(handler, inputs={}, outputs={})
    tiers = Tiers(Route("a", server=stubborn), Route("b", server=server))
    with pytest.raises(OSError, match="stuck"):
        await tiers.aclose()
    assert server.closed


# Last resorts.


def failing(ways: Ways) -> None:
    ways.fail = dict.fromkeys(ways.names, DOWN)


async def test_a_kept_answer_however_old(ways: Ways) -> None:
    """A cache below has it still, and says how old it is."""
    now = [1000.0]
    clock = lambda: now[0]  # noqa: E731
    cache = Cache(Memory("1MB", clock=clock), ttl="1s", stale="1h", clock=clock)
    ways.surety["accurate"] = lambda x: x
    stack = ways.stack(Tiers(*ways.routes(), last=[Stale()]), cache)
    await stack(ways.request(0.25))
    failing(ways)
    now[0] += 600
    # Another row is not kept; this one is, and says how old it is.
    with pytest.raises(ServerUnavailable):
        await stack(ways.request(0.5))
    answer = await stack(ways.request(0.25))
    assert (answer["y"][0, 0], answer.trace.ages) == (0.25, (600.0,))


async def test_what_only_stale_finds_says_so(ways: Ways) -> None:
    """The deadline is over before a route answers; what is in memory still comes."""
    stack = ways.stack(Tiers(*ways.routes(), last=[Stale()]), Cache(Memory("1MB")))
    await stack(ways.request(0.25))
    answer = await stack(ways.request(0.25, deadline=monotonic() - 1))
    assert answer.trace.degraded == "stale: DeadlineExceeded"
    assert (answer.trace.tiers, answer.trace.origins) == (("accurate",), ("memory",))


@pytest.mark.parametrize("route", ["accurate", "fast"])
async def test_stale_answers_of_any_route(ways: Ways, route: str) -> None:
    now = [1000.0]
    clock = lambda: now[0]  # noqa: E731
    memory = Memory("1MB", clock=clock)
    # The cache of one route: as old as an hour where all fail.
    kept = Cache(memory, ttl="1s", stale="1h", clock=clock)
    layers: dict[str, Any] = {route: {"layers": [kept]}}
    stack = ways.stack(Tiers(*ways.routes(**layers), last=[Stale(timeout="1s")]))
    if route == "fast":
        ways.fail["accurate"] = DOWN
    await stack(ways.request())
    failing(ways)
    now[0] += 600
    answer = await stack(ways.request())
    assert answer.trace.tiers == (route,)
    assert answer["y"][0, 0] == 1.0


async def test_without_a_cache_nothing_is_stale_and_nobody_is_asked(ways: Ways) -> None:
    failing(ways)
    with pytest.raises(ServerUnavailable):
        await ways.stack(Tiers(*ways.routes(), last=[Stale()]))(ways.request())
    assert ways.asked == ["accurate", "fast"]


async def test_last_resorts_come_in_their_order(ways: Ways) -> None:
    failing(ways)
    tiers = Tiers(*ways.routes(), last=[Stale(), Constant({"y": [0.5, 0.5]}), Constant({"y": 0})])
    answer = await ways.stack(tiers)(ways.request(1, 2, 3))
    assert answer["y"].tolist() == [[0.5, 0.5]] * 3
    assert answer.trace.degraded == "constant: ServerUnavailable"
    assert answer.trace.tiers == ("constant",)


async def test_a_constant_has_the_models_type_and_shape(ways: Ways) -> None:
    stack = ways.stack(Tiers(*ways.routes(), last=[Constant({"y": 0})]))
    await stack(ways.request())
    failing(ways)
    answer = await stack(ways.request(1, 2, 3))
    assert (answer["y"].dtype, answer["y"].shape) == (np.float32, (3, 2))
    assert answer.id == ""


async def test_a_constant_of_pythons_numbers_has_the_models_type(ways: Ways) -> None:
    """As inputs do, and as a policy file has them."""
    stack = ways.stack(Tiers(*ways.routes(), last=[Constant({"y": [0.5, 0.1]})]))
    await stack(ways.request())
    failing(ways)
    answer = (await stack(ways.request(1, 2)))["y"]
    assert answer.dtype == np.float32
    assert answer.tolist() == np.array([[0.5, 0.1]] * 2, np.float32).tolist()


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"y": [1, 2, 3]}, "does not fit output 'y'"),
        ({"y": np.array([0.5, 0.5])}, "must be FP32"),
        ({"y": "text"}, "does not fit output 'y'"),
        ({"z": 1}, "no value for output 'y'"),
    ],
)
async def test_a_constant_that_does_not_fit_is_told_before_it_is_needed(
    ways: Ways, outputs: dict[str, Any], message: str
) -> None:
    stack = ways.stack(Tiers(*ways.routes(), last=[Constant(outputs)]))
    for _ in range(2):
        with pytest.raises(ConfigError, match=message):
            await stack(ways.request())


async def test_a_constant_asks_again_where_the_server_did_not_tell(ways: Ways) -> None:
    """After 1, 2 and 4 answers, so that few of them wait for a server that tells nothing."""
    stack = ways.stack(Tiers(*ways.routes(), last=[Constant({"y": 0})]))
    tells: Any = ways.transport.metadata
    asked: list[str] = []

    async def metadata(model: str, *args: Any, **options: Any) -> dict[str, Any]:
        asked.append(model)
        if len(asked) < 3:
            raise DOWN
        found: dict[str, Any] = await tells(model, *args, **options)
        return found

    setattr(ways.transport, "metadata", metadata)  # noqa: B010, a server of this test alone
    for wanted in (1, 2, 2, 3, 3):
        await stack(ways.request())
        assert len(asked) == wanted
    failing(ways)
    assert (await stack(ways.request()))["y"].dtype == np.float32


async def test_a_constant_text(ways_of: type[Ways]) -> None:
    ways = ways_of(outputs={"label": [1]}, datatypes={"label": "BYTES"})
    failing(ways)
    tiers = Tiers(*ways.routes(), last=[Constant({"label": "unknown"})])
    answer = await ways.stack(tiers)(ways.request(1, 2))
    assert answer["label"].tolist() == [b"unknown", b"unknown"]


async def test_a_constant_lacks_an_output(ways: Ways) -> None:
    failing(ways)
    tiers = Tiers(*ways.routes(), last=[Constant({"z": 1})])
    with pytest.raises(ServerUnavailable):
        await ways.stack(tiers)(ways.request(outputs=("y",)))


async def test_a_constant_of_a_model_that_does_not_batch(ways_of: type[Ways]) -> None:
    ways = ways_of(max_batch_size=0, inputs={"x": [-1, 1]}, outputs={"y": [2]})
    stack = ways.stack(Tiers(*ways.routes(), last=[Constant({"y": 1})]))
    await stack(ways.request(1, 2))
    failing(ways)
    assert (await stack(ways.request(1, 2)))["y"].tolist() == [1, 1]


async def test_the_request_itself_is_wrong(ways: Ways) -> None:
    ways.fail["accurate"] = InvalidInput("wrong")
    with pytest.raises(InvalidInput):
        await ways.stack(Tiers(*ways.routes(), last=[Constant({"y": 0})]))(ways.request())


async def test_a_constant_is_no_kept_answer(ways: Ways) -> None:
    with pytest.raises(NotKept):
        await ways.stack(Tiers(*ways.routes(), last=[Constant({"y": 0})]))(
            ways.request(only_kept=True)
        )
    assert ways.asked == []


async def test_a_constant_after_the_deadline(ways: Ways) -> None:
    tiers = Tiers(*ways.routes(), last=[Stale(), Constant({"y": 0})])
    answer = await ways.stack(tiers)(ways.request(deadline=monotonic() - 1))
    assert answer.trace.degraded == "constant: DeadlineExceeded"
    assert ways.asked == []


async def test_a_degraded_answer_is_not_kept_above(ways: Ways) -> None:
    stack = Stack(
        ways.transport,
        [
            Cache(Memory("1MB")),
            Tiers(Route("own"), Route("fast", model="fast"), last=[Constant({"y": 0})]),
        ],
    )
    ways.fail["m"] = DOWN
    for _ in range(2):
        assert (await stack(ways.request())).trace.degraded.startswith("fallback: own")
    ways.fail["fast"] = DOWN
    assert (await stack(ways.request())).trace.degraded == "constant: ServerUnavailable"
    ways.fail.clear()
    assert (await stack(ways.request())).trace.degraded == ""
    assert (await stack(ways.request())).trace.origins == ("memory",)


async def test_a_hanging_cache_holds_nobody_up(ways: Ways) -> None:
    ways.gates = {name: asyncio.Event() for name in ways.names}
    timeouts: dict[str, Any] = {name: {"timeout": "5ms"} for name in ways.names}
    tiers = Tiers(*ways.routes(**timeouts), last=[Stale(timeout="5ms")])
    with pytest.raises(DeadlineExceeded):
        await ways.stack(tiers, Cache(Memory("1MB")))(ways.request())
