from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from time import monotonic
from typing import Any

import numpy as np
import pytest

from tritonkit.client.async_client import AsyncClient
from tritonkit.client.layers.cache.cache import Cache
from tritonkit.client.stack import Transport
from tritonkit.client.stores.redis.outage import outage
from tritonkit.client.stores.redis.redis import Redis
from tritonkit.client.testing.redis_server import RedisServer
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.client.transports.endpoints.endpoints import Endpoints
from tritonkit.client.types import InferRequest
from tritonkit.client.wire.passage import Passage
from tritonkit.errors import ConfigError, DeadlineExceeded, InferenceFailed, NotConnected
from tritonkit.gateway.faults.fault import Fault
from tritonkit.gateway.faults.faults import Faults
from tritonkit.gateway.faults.rig import Rig
from tritonkit.gateway.faults.transport import FaultyTransport
from tritonkit.gateway.live.setting import Setting

WALL = 1_770_000_000.0
CONFIG = {
    "parameters": {
        "tritonkit.batch_invariant": {"string_value": "true"},
        "tritonkit.model_digest": {"string_value": "one"},
    }
}


class Server(FakeTransport):
    """Answers x with 2 x, under an address."""

    def __init__(self, address: str = "http://user:secret@a:8000") -> None:
        super().__init__(
            lambda request: {"y": request.inputs["x"] * 2},
            inputs={"x": (1,)},
            outputs={"y": (1,)},
            config=CONFIG,
        )
        self.address = address


def request(model: str = "m", **fields: Any) -> InferRequest:
    return InferRequest(model=model, inputs={"x": np.ones((1, 1), np.float32)}, **fields)


@pytest.fixture(autouse=True)
def no_outage() -> Iterator[None]:
    yield
    outage.on = False


def test_everything_that_a_transport_has_is_handed_on():
    """A method that Transport gets one day, and that is forgotten here, fails this test."""
    names = [name for name in vars(Transport) if not name.startswith("_") or name == "__call__"]

    missing = [name for name in names if name not in vars(FaultyTransport)]

    # Attributes, which are copied.
    assert set(missing) <= {"cancels", "several", "forwards"}
    faulty = FaultyTransport(Server(), "a", Faults())
    assert isinstance(faulty, Server)
    assert faulty.address == "http://user:secret@a:8000"


async def test_faults_of_models_and_servers():
    """Each by its name; without one everything is as it was."""
    rig = Rig()
    server = Server()
    faulty, _ = rig.around(server, [], models=["m"])
    assert rig.faults.names == [
        "slow:m", "fail:m", "slow:http://a:8000", "down:http://a:8000", "slow", "fail", "redis",
    ]  # fmt: skip

    assert (await faulty(request()))["y"].tolist() == [[2.0]]
    rig.apply([rig.broken("fail:m", True, 1, WALL)], WALL)
    with pytest.raises(InferenceFailed, match="'m' fails on purpose"):
        await faulty(request())
    await faulty(request("other"))
    rig.apply([rig.broken("down:http://a:8000", True, None, WALL)], WALL)
    for asked in (faulty(request()), faulty.metadata("m"), faulty.config("m"), faulty.ready(),
                  faulty.statistics(), faulty.about()):  # fmt: skip
        with pytest.raises(NotConnected, match="http://a:8000 takes no connections, on purpose"):
            await asked
    rig.apply([Setting(name="down:http://a:8000", on=False)], WALL)
    assert await faulty.ready()
    await faulty.aclose()
    assert server.closed


@pytest.mark.parametrize("path", ["/v2/models/m/infer", "/v2/models/m/generate?x=1"])
async def test_what_goes_on_as_it_came_fails_too(path):
    """An inference that no layer could read is one; what asks about a model is none."""

    class Forwards(Server):
        async def forward(self, passage: Passage, *, deadline: float | None = None) -> str:
            return passage.path

    faults = Faults([Fault(name="fail", label="", kind="fail", model="m")])
    faulty = FaultyTransport(Forwards(), "a", faults)
    faults.apply([Setting(name="fail", on=True, value=1.0)], WALL)

    with pytest.raises(InferenceFailed, match="'m' fails on purpose"):
        await faulty.forward(Passage("POST", path, model="m"))
    other = path.replace("/m/", "/other/")
    assert await faulty.forward(Passage("POST", other, model="other")) == other
    about = Passage("GET", "/v2/models/m/stats", model="m")
    assert await faulty.forward(about) == about.path


async def test_a_slow_server_keeps_to_deadlines():
    """Who has one is told when it is over, and nothing is sent any more."""
    server = Server()
    faults = Faults([Fault(name="slow", label="", kind="slow")])
    faulty = FaultyTransport(server, "a", faults)
    faults.apply([Setting(name="slow", on=True, value=60.0)], WALL)

    with pytest.raises(DeadlineExceeded, match="slow on purpose"):
        await faulty(request(deadline=monotonic() + 0.01))
    with pytest.raises(DeadlineExceeded):
        await faulty(request(deadline=monotonic() - 1))
    assert server.requests == []

    faults.apply([Setting(name="slow", on=True, value=0.02, until=1.0 + WALL)], WALL)
    began = monotonic()
    await faulty(request())
    assert monotonic() - began >= 0.02


async def test_a_share_fails_by_chance():
    """As many as the share says, within five deviations."""
    faults = Faults([Fault(name="fail", label="", kind="fail")])
    faulty = FaultyTransport(Server(), "a", faults, rng=random.Random(7))
    faults.apply([Setting(name="fail", on=True, value=0.3)], WALL)

    found = await asyncio.gather(*(faulty(request()) for _ in range(400)), return_exceptions=True)

    failed = sum(isinstance(each, InferenceFailed) for each in found)
    assert abs(failed - 120) < 5 * (400 * 0.3 * 0.7) ** 0.5


async def test_one_of_several_servers_is_down():
    """The others answer, and it is left out until it is back."""
    servers = [Server("http://a:8000"), Server("http://b:8000")]
    rig = Rig()
    endpoints, _ = rig.around(Endpoints(*servers, failures=1, ejection="10ms"), [])
    assert isinstance(endpoints, Endpoints)
    assert [name for name in rig.faults.names if name.startswith("down")] == [
        "down:http://a:8000",
        "down:http://b:8000",
    ]

    rig.apply([rig.broken("down:http://a:8000", True, None, WALL)], WALL)
    for _ in range(20):
        await endpoints(request())
    assert len(servers[0].requests) == 0
    assert endpoints.states[0].out
    await endpoints.aclose()


def test_what_is_not_there_is_refused():
    """With what there is."""
    rig = Rig()
    rig.around(Server(), [])

    with pytest.raises(ConfigError, match=r"name must be one of \['slow:http://a:8000'"):
        rig.broken("slow:none", True, None, WALL)
    with pytest.raises(ConfigError, match="on must be true or false, but got 'yes'"):
        rig.broken("redis", "yes", None, WALL)


async def test_redis_cannot_be_reached(redis_server: RedisServer):
    """The store goes around it, and uses it again when the fault is over."""
    cache = Cache(Redis(redis_server.url, budget="1s"))
    rig = Rig()
    server = Server()
    asked = AsyncClient(*rig.around(server, [cache]))

    async def origin() -> tuple[str, ...]:
        answer = await asked.infer("m", {"x": np.ones((1, 1), np.float32)})
        return answer.trace.origins

    async def until_kept() -> bool:
        for _ in range(400):
            if await origin() == ("redis",):
                return True
            await asyncio.sleep(0.05)
        return False

    assert await origin() == ("model",)
    assert await until_kept()
    rig.apply([rig.broken("redis", True, None, WALL)], WALL)
    assert await origin() == ("model",)
    rig.apply([], WALL)
    # Its breaker probes it after a while.
    assert await until_kept()
    await asked.aclose()
