"""Layers in front of a real tritonserver, measured as their users get them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from multiprocessing.reduction import ForkingPickler
from time import monotonic
from typing import Any

import numpy as np
import pytest

from tritonkit.bench.inputs.workload import Item
from tritonkit.bench.targets.blueprint import Blueprint, PolicyText
from tritonkit.bench.targets.stack import StackTarget, way_of
from tritonkit.bench.targets.target import Taken
from tritonkit.client import Arm, AsyncClient, Cache, Memory, Retry, Split
from tritonkit.client.layers.telemetry.telemetry import Telemetry
from tritonkit.errors import DeadlineExceeded, InferenceFailed, PolicyError, RequestError
from tritonkit.server import EmbeddedServer

POLICY = """
server = "{url}"

[[layers]]
type = "telemetry"

[[layers]]
type = "cache"
rows = ["echo"]
stores = [{{ type = "memory", size = "4MB" }}]

[[layers]]
type = "tiers"
routes = [
    {{ name = "accurate", model = "{first}" }},
    {{ name = "fast", model = "copy" }},
]

[[layers]]
type = "budget"
quotas = [{{ limit = "1000000", window = "1d" }}]
costs = {{ type = "costs", prices = {{}}, default = {{ row = 0.5 }} }}
"""


def rows(*values: float) -> Item:
    x = np.repeat(np.array(values, np.float32)[:, None], 4, axis=1)
    return Item(inputs={"x": x}, rows=len(values))


def policy(server: EmbeddedServer, first: str = "echo", **options: Any) -> Blueprint:
    text = POLICY.format(url=server.http_url, first=first)
    return Blueprint(model="echo", policy=PolicyText("serving.toml", text), **options)


async def send(target: StackTarget, items: Sequence[Item], at_once: int = 8) -> list[Any]:
    """All of them, from a few callers that take turns: an answer or an error each."""
    payloads = [target.prepare(item) for item in items]
    outcomes: list[Any] = [None] * len(items)

    async def caller(first: int) -> None:
        channel = await target.channel()
        for number in range(first, len(items), at_once):
            try:
                outcomes[number] = await channel.send(payloads[number], monotonic() + 10)
            except RequestError as error:
                outcomes[number] = error
        channel.close()

    await asyncio.gather(*map(caller, range(at_once)))
    return outcomes


def snapshot(target: StackTarget) -> Any:
    [telemetry] = [part for part in target.client.stack.parts if isinstance(part, Telemetry)]
    return telemetry.snapshot()


async def test_ways_agree_with_what_the_layers_counted(server: EmbeddedServer) -> None:
    """
    Each row has one origin and each computed one a route, so the ways' rows, hits and cost
    add up to what Telemetry and Budget counted by themselves, exactly.
    """
    rng = np.random.default_rng(7)
    items = [rows(*rng.integers(0, 60, rng.integers(1, 6))) for _ in range(300)]
    target, served = await policy(server).open()
    assert isinstance(target, StackTarget)
    outcomes = await send(target, items)
    ways = [target.way(outcome) for outcome in outcomes]
    for item, outcome in zip(items, outcomes, strict=True):
        np.testing.assert_array_equal(target.outputs(outcome)["y"], item.inputs["x"])

    told = snapshot(target)
    origins = told.origins["echo"]
    sent = sum(item.rows for item in items)
    assert sum(way.rows for way in ways) == sum(origins.values()) == sent
    assert sum(way.hits for way in ways) == sent - origins["model"]
    assert sum(way.rows for way in ways if way.name == "memory") <= origins["memory"]
    # Half a unit for each row that a model computed, and no other.
    assert sum(way.cost for way in ways) == pytest.approx(origins["model"] / 2)
    charged = target.counters()['cost{purse="live"}']
    assert charged == pytest.approx(sum(way.cost for way in ways) * 1e6)
    names = Counter(way.name for way in ways)
    assert {"memory", "accurate", "memory+accurate"} <= set(names)
    assert "fast" not in names
    # The server counted the same rows, of the models that the policy names.
    assert list(served.configs) == ["echo", "copy"]
    counters = await served.counters()
    assert counters is not None
    await target.aclose()
    await served.aclose()


async def test_where_a_tier_fails_the_next_one_is_the_way(server: EmbeddedServer) -> None:
    """`flaky` fails every third of its executions; each failure is an answer by "fast"."""
    target, served = await policy(server, first="flaky").open()
    assert isinstance(target, StackTarget)
    outcomes = await send(target, [rows(number) for number in range(90)])
    ways = [target.way(outcome) for outcome in outcomes]
    names = Counter(way.name for way in ways)
    tiers = snapshot(target).tiers["echo"]

    assert set(names) == {"accurate", "fast"}
    assert dict(names) == tiers
    assert sum(way.hits for way in ways) == 0
    await target.aclose()
    await served.aclose()


async def test_requests_are_conserved_where_some_fail(server: EmbeddedServer) -> None:
    client = [Telemetry(), Cache(Memory("1MB"))]
    target = StackTarget(lambda: AsyncClient(server.http_url, client), "flaky", keep=True)
    outcomes = await send(target, [rows(number) for number in range(60)])
    failed = [outcome for outcome in outcomes if isinstance(outcome, InferenceFailed)]
    answered = [outcome for outcome in outcomes if not isinstance(outcome, Exception)]
    told = snapshot(target)

    assert len(failed) + len(answered) == 60
    assert failed
    assert {target.way(one) for one in answered} == {Taken("model", 0, 1)}
    assert sum(sum(each.values()) for each in told.origins.values()) == len(answered)
    await target.aclose()


async def test_arms_and_tags(server: EmbeddedServer) -> None:
    """Each distinct request is a user of its own; the arm is the one that Split says."""

    def make() -> AsyncClient:
        layer = Split("ranking", Arm("old"), Arm("new", model="copy"))
        return AsyncClient(server.http_url, [layer])

    target = StackTarget(make, "echo", tags={"user": "u{n}"})
    outcomes = await send(target, [rows(1.0) for _ in range(40)])
    arms = Counter(target.way(outcome).arms for outcome in outcomes)
    by_model = Counter(outcome.response.model for outcome in outcomes)

    assert set(arms) == {("ranking:old",), ("ranking:new",)}
    assert arms[("ranking:new",)] == by_model["copy"]
    await target.aclose()


async def test_each_point_starts_with_nothing_kept(server: EmbeddedServer) -> None:
    for keep, expected in ((False, "accurate"), (True, "memory")):
        target, served = await policy(server, keep_cache=keep).open()
        assert isinstance(target, StackTarget)
        [first] = await send(target, [rows(1.0)], 1)
        [again] = await send(target, [rows(1.0)], 1)
        await target.renew()
        [renewed] = await send(target, [rows(1.0)], 1)

        assert target.way(first).name == "accurate"
        assert target.way(again).name == "memory"
        assert target.way(renewed).name == expected
        assert target.describe()["kept_between_points"] is keep
        await target.aclose()
        await served.aclose()


async def test_a_deadline(server: EmbeddedServer) -> None:
    target = StackTarget(lambda: AsyncClient(server.http_url, [Retry(3)]), "echo")
    channel = await target.channel()
    with pytest.raises(DeadlineExceeded):
        await channel.send(target.prepare(rows(1.0)), monotonic() - 1)
    await target.aclose()


async def test_a_blueprint_travels_to_another_process(server: EmbeddedServer) -> None:
    blueprint = ForkingPickler.loads(ForkingPickler.dumps(policy(server)))
    target = blueprint.target()
    [outcome] = await send(target, [rows(1.0)], 1)
    assert target.way(outcome) == Taken("accurate", 0, 1, 0.5)
    await target.aclose()


@pytest.mark.parametrize(
    ("origins", "tiers", "rows", "way"),
    [
        ((), (), 3, ("model", 0)),
        (("memory",), (), 3, ("memory", 3)),
        (("memory", "model"), ("", "fast"), 2, ("memory+fast", 1)),
        (("stale", "redis", "model"), ("a", "a", "b"), 3, ("redis+stale+b", 2)),
        (("coalesced", "model"), ("a",), 2, ("coalesced+a", 1)),
        ((), ("constant",), 4, ("constant", 4)),
        ((), ("b", "a"), 2, ("a+b", 0)),
    ],
)
def test_names(
    origins: tuple[str, ...], tiers: tuple[str, ...], rows: int, way: tuple[str, int]
) -> None:
    assert way_of(origins, tiers, rows) == way


def test_a_policy_that_is_wrong() -> None:
    text = 'server = "http://localhost:8000"\n\n[[layers]]\ntype = "cash"\n'
    with pytest.raises(PolicyError, match=r"serving\.toml is wrong:\n  line 4: "):
        Blueprint(model="m", policy=PolicyText("serving.toml", text))
