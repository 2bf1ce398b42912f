from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tritonkit.bench import session
from tritonkit.bench.commands.progress import Progress
from tritonkit.bench.inputs.generate import RequestInputs
from tritonkit.bench.load.shape import Closed
from tritonkit.bench.measurement import Measurement, Point
from tritonkit.bench.observe.served import ServedModel
from tritonkit.bench.session import Plan, measure, render
from tritonkit.errors import ConfigError, ModelUnavailable
from tritonkit.server import EmbeddedServer

PLAN = Plan(duration=None, warmup=0.0, max_requests=10, timeout=30.0)


async def measured(
    server: EmbeddedServer,
    model: str,
    points: Sequence[Point],
    plan: Plan = PLAN,
    interrupt: asyncio.Event | None = None,
) -> list[Measurement]:
    async with await ServedModel.connect(server.http_url, model) as target:
        requests = render(
            target,
            RequestInputs(target.signature),
            distinct=plan.distinct,
            batch_size=points[0].batch_size,
        )
        return [
            measurement
            async for measurement in measure(
                target,
                requests,
                points,
                plan,
                progress=Progress(io.StringIO()),
                interrupt=interrupt or asyncio.Event(),
            )
        ]


async def test_each_point_is_measured_with_the_servers_account(server: EmbeddedServer) -> None:
    points = [Point(load=Closed(n), batch_size=2) for n in (1, 3)]
    measurements = await measured(server, "pipeline", points)
    assert [m.point for m in measurements] == points
    for measurement in measurements:
        assert measurement.requests == 10
        assert measurement.inferences_per_second == 2 * measurement.requests_per_second
        assert measurement.server is not None
        assert [times.model for times in measurement.server] == ["pipeline", "echo", "copy"]


async def test_a_point_without_an_answer_is_the_last(server: EmbeddedServer) -> None:
    points = [Point(load=Closed(n)) for n in (1, 2, 3)]
    (measurement,) = await measured(server, "broken", points)
    assert (measurement.requests, measurement.failed) == (0, 10)


async def test_an_interrupt_in_the_warm_up_measures_nothing(server: EmbeddedServer) -> None:
    interrupt = asyncio.Event()
    asyncio.get_running_loop().call_later(0.1, interrupt.set)
    plan = Plan(duration=60.0, warmup=60.0)
    assert await measured(server, "echo", [Point(load=Closed(64))], plan, interrupt) == []


async def test_requests_made_in_advance_are_bounded_in_memory(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with await ServedModel.connect(server.http_url, "echo") as target:
        inputs = RequestInputs(target.signature)
        one = len(render(target, inputs, distinct=1, batch_size=8)[0])
        monkeypatch.setattr(session, "MAX_BYTES", 3 * one)
        assert len(render(target, inputs, distinct=64, batch_size=8)) == 3
        monkeypatch.setattr(session, "MAX_BYTES", 1)
        assert len(render(target, inputs, distinct=64, batch_size=8)) == 1


async def test_a_target_knows_its_server_and_configurations(server: EmbeddedServer) -> None:
    async with await ServedModel.connect(server.http_url, "pipeline", "1") as target:
        assert target.server.startswith("triton 2.")
        assert target.signature.max_batch_size == 8
        digests = target.config_digests
    assert list(digests) == ["pipeline", "echo", "copy"]
    assert len(set(digests.values())) == 3


async def test_an_unknown_model_is_refused(server: EmbeddedServer) -> None:
    with pytest.raises(ModelUnavailable, match="missing"):
        await ServedModel.connect(server.http_url, "missing")


async def test_a_url_of_no_protocol_is_refused() -> None:
    with pytest.raises(ConfigError, match="must start with http://, https://, grpc://"):
        await ServedModel.connect("ftp://localhost:8001", "m")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"duration": None}, "a duration or a number"),
        ({"duration": 0.0}, "duration"),
        ({"timeout": 0.0}, "timeout"),
        ({"timeout": 1e6}, "timeout"),
        ({"percentiles": (0.0,)}, "percentile"),
        ({"percentiles": (np.inf,)}, "percentile"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Plan(**fields)
