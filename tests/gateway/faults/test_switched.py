from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tritonkit.client.async_client import AsyncClient
from tritonkit.client.layers.breaker.breaker import Breaker
from tritonkit.client.layers.budget.budget import Budget
from tritonkit.client.layers.budget.limits import Quota
from tritonkit.client.layers.cache.cache import Cache
from tritonkit.client.layers.coalesce.coalesce import Coalesce
from tritonkit.client.layers.deadline.deadline import Deadline
from tritonkit.client.layers.telemetry.telemetry import Telemetry
from tritonkit.client.layers.tiers.tiers import Tiers
from tritonkit.client.policy.policy import load_policy
from tritonkit.client.readings import readings
from tritonkit.client.route import Route
from tritonkit.client.stack import Layer
from tritonkit.client.testing.layers import LayerTests
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.errors import ConfigError
from tritonkit.gateway.faults.rig import Rig
from tritonkit.gateway.faults.switched import Switched
from tritonkit.gateway.faults.switches import Switches
from tritonkit.gateway.live.setting import Setting

EXAMPLES = Path(__file__).parents[3] / "examples"
WALL = 1_770_000_000.0
CONFIG = {
    "parameters": {
        "tritonkit.batch_invariant": {"string_value": "true"},
        "tritonkit.model_digest": {"string_value": "one"},
    }
}


def switched(layer: Layer) -> Switched:
    switch = Switches().add("layer", "", shares=layer.shares_answers, above=())
    return Switched(layer, switch)


class TestSwitchedCache(LayerTests):
    def make(self) -> Layer:
        return switched(Cache())


class TestSwitchedCoalesce(LayerTests):
    def make(self) -> Layer:
        return switched(Coalesce())


class TestSwitchedOff(LayerTests):
    def make(self) -> Layer:
        layer = switched(Cache())
        layer._switched_by.on = False
        return layer


def test_everything_that_a_layer_has_is_handed_on():
    """A method that Layer gets one day, and that is forgotten here, fails this test."""
    names = [name for name in vars(Layer) if not name.startswith("_") or name == "__call__"]

    missing = [name for name in names if name not in vars(Switched)]

    # An attribute, which is copied.
    assert missing == ["shares_answers"]
    assert switched(Cache()).shares_answers is True
    assert inspect.iscoroutinefunction(Switched.aclose)


def test_it_is_what_it_stands_for():
    """Layers look for each other by their class, and at each other's attributes."""
    layer = switched(Budget(Quota("5 calls", window="1h")))

    assert isinstance(layer, Budget)
    assert isinstance(layer, Layer)
    assert not isinstance(layer, Cache)
    assert [quota.amount for quota in layer.quotas] == [5]
    assert repr(layer) == repr(Budget(Quota("5 calls", window="1h")))


def client(*layers: Layer, models: tuple[str, ...] = ()) -> tuple[AsyncClient, Rig, FakeTransport]:
    def answer(request: Any) -> dict[str, Any]:
        return {"y": request.inputs["x"] * (10 if request.model == "big" else 2)}

    transport = FakeTransport(answer, inputs={"x": (1,)}, outputs={"y": (1,)}, config=CONFIG)
    rig = Rig()
    server, rigged = rig.around(transport, layers, models=models)
    return AsyncClient(server, rigged), rig, transport


def say(rig: Rig, *settings: Setting) -> None:
    rig.apply(settings, WALL)


async def ask(asked: AsyncClient, value: float = 1.0) -> Any:
    return await asked.infer("m", {"x": np.array([[value]], dtype=np.float32)})


async def test_a_layer_is_switched_off_and_on_for_everybody():
    """What it kept is there again when it is on again."""
    asked, rig, transport = client(Telemetry(), Deadline("1s"), Cache(), Breaker())
    await ask(asked)
    assert (await ask(asked)).trace.origins == ("memory",)

    say(rig, Setting(name="cache", on=False))
    assert (await ask(asked)).trace.origins == ()
    assert len(transport.requests) == 2
    say(rig)
    assert (await ask(asked)).trace.origins == ("memory",)
    await asked.aclose()


async def test_what_the_client_looks_for_has_no_switch():
    """Telemetry measures for the page, and the client itself keeps the deadline."""
    telemetry = Telemetry()
    asked, rig, _ = client(telemetry, Deadline("1s"), Cache())

    assert rig.switches.names == ["cache"]
    assert asked.stack.layers[0] is telemetry
    assert asked._longest == 1.0
    assert type(asked.stack.layers[2]) is Switched
    await asked.aclose()


async def test_one_request_goes_without_a_layer():
    """And no other: not one that comes meanwhile, not the next."""
    asked, rig, transport = client(Cache(), Breaker())
    await ask(asked)

    with rig.switches.without(["cache"]):
        alone = await ask(asked)
    after = await ask(asked)

    assert alone.trace.origins == ()
    assert after.trace.origins == ("memory",)
    assert len(transport.requests) == 2
    await asked.aclose()


async def test_an_answer_that_came_about_otherwise_is_not_kept():
    """Whoever goes without the tiers goes without the cache above them, too."""
    tiers = Tiers(Route("accurate", model="big"))
    asked, rig, transport = client(Cache(), tiers)
    with rig.switches.without(["tiers"]):
        alone = await ask(asked)
    others = await ask(asked)

    assert alone["y"].tolist() == [[2.0]]
    assert others["y"].tolist() == [[10.0]]
    assert [request.model for request in transport.requests] == ["m", "big"]
    await asked.aclose()


async def test_layers_of_routes_have_switches_of_their_own():
    """Named by their way; a layer that stands on two ways has one."""
    shared = Breaker()
    tiers = Tiers(
        Route("accurate", model="big", layers=[Cache(), shared]),
        Route("fast", layers=[Cache(), shared]),
    )
    telemetry = Telemetry()
    asked, rig, _ = client(telemetry, Cache(), Cache(), tiers)

    assert rig.switches.controls() == [
        {"name": "cache", "label": "cache", "on": True},
        {"name": "cache-2", "label": "cache 2", "on": True},
        {"name": "tiers", "label": "tiers", "on": True},
        {"name": "accurate.cache", "label": "cache of accurate", "on": True},
        {"name": "accurate.breaker", "label": "breaker of accurate", "on": True},
        {"name": "fast.cache", "label": "cache of fast", "on": True},
    ]
    await ask(asked)
    circuits = [r.value for r in telemetry.snapshot().readings if r.name == "breaker_circuits"]
    assert sum(circuits) == 1
    say(rig, *(Setting(name=name, on=False) for name in ("cache", "cache-2", "accurate.cache")))
    assert (await ask(asked)).trace.origins == ()
    await asked.aclose()


def test_what_is_not_there_is_refused():
    """With what there is."""
    _, rig, _ = client(Cache())

    with pytest.raises(ConfigError, match=r"layer must be one of \['cache'\], but got 'tiers'"):
        rig.switched("tiers", True)
    with pytest.raises(ConfigError, match="on must be true or false, but got 1"):
        rig.switched("cache", 1)
    assert rig.switched("cache", False) == Setting(name="cache", on=False)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.name)
async def test_stacks_of_the_examples_stand_as_they_did(path):
    """Layers find each other behind their switches: no stack is refused, and all is read."""
    environment = dict.fromkeys(("CACHE_URL", "REDIS_URL"), "redis://localhost:1/0")
    policy = load_policy(path, environment=environment)
    telemetry = Telemetry("gateway")
    server, layers = policy.build()
    layers = layers if isinstance(layers[0], Telemetry) else [telemetry, *layers]
    rig = Rig()

    asked = AsyncClient(*rig.around(server, layers))

    plain = AsyncClient(*policy.build())
    assert len(asked.stack.parts) - len(plain.stack.parts) in (0, 1)
    assert asked.stack.stands_in == plain.stack.stands_in
    names = [reading.name for reading in readings(asked.stack.parts)]
    assert sorted(names) == sorted(reading.name for reading in readings(plain.stack.parts))
    await asked.aclose()
    await plain.aclose()
