"""Points measured on a real server, in both loops, by time and by count."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from tritonkit.bench.inputs.choice import InputChoice
from tritonkit.bench.inputs.workload import Item, Workload
from tritonkit.bench.load.shape import Closed, Open
from tritonkit.bench.measurement import Measurement, Point
from tritonkit.bench.observe.observer import Observed, Observer
from tritonkit.bench.observe.served import ServedModel
from tritonkit.bench.plan import Plan
from tritonkit.bench.schedule.constant import Constant
from tritonkit.bench.schedule.poisson import Poisson
from tritonkit.bench.schedule.ramp import Ramp
from tritonkit.bench.session import NothingMeasured, Session, measure_model
from tritonkit.bench.targets.blueprint import Blueprint
from tritonkit.bench.targets.http import HttpTarget
from tritonkit.client import Tensors
from tritonkit.errors import ConfigError, ModelUnavailable
from tritonkit.server import EmbeddedServer

COUNT = Plan(duration=None, warmup=0.0, max_requests=10, timeout=30.0)
SHORT = Plan(duration=0.5, warmup=0.1, timeout=30.0)


async def measured(
    server: EmbeddedServer, model: str, points: Sequence[Point], plan: Plan = COUNT
) -> list[Measurement]:
    return await measure_model(server.http_url, model, points, plan)


async def test_each_point_is_measured_with_the_servers_account(server: EmbeddedServer) -> None:
    points = [Point(load=Closed(n), batch_size=2) for n in (1, 3)]
    measurements = await measured(server, "pipeline", points)
    assert [m.point for m in measurements] == points
    for measurement in measurements:
        assert measurement.requests == 10
        assert measurement.intended == 10
        assert measurement.service_time == measurement.latency
        assert measurement.inferences_per_second == 2 * measurement.requests_per_second
        assert measurement.server is not None
        assert [times.model for times in measurement.server] == ["pipeline", "echo", "copy"]
        assert not measurement.interrupted


async def test_an_open_loop_tells_latency_and_service_time(server: EmbeddedServer) -> None:
    """What is recorded are the arrivals of the schedule, 0.5 s of it but for what is cut off."""
    (measurement,) = await measured(server, "echo", [Point(load=Open(Constant(200)))], SHORT)
    assert measurement.warmup + measurement.seconds == pytest.approx(0.6)
    # Slices of 25 ms are cut, and each has five arrivals.
    assert measurement.intended == round(200 * measurement.seconds)
    assert (measurement.dropped, measurement.failed) == (0, 0)
    assert measurement.intended_rate == measurement.achieved_rate == pytest.approx(200)
    assert measurement.latency.mean_us >= measurement.service_time.mean_us
    assert measurement.goodput(60e6) == pytest.approx(200)
    assert measurement.goodput(0.0) == 0


async def test_a_count_of_an_open_loop_is_one_of_arrivals(server: EmbeddedServer) -> None:
    (measurement,) = await measured(server, "echo", [Point(load=Open(Poisson(500)))])
    assert (measurement.intended, measurement.requests) == (10, 10)


async def test_repeats_are_windows_of_one_measurement(server: EmbeddedServer) -> None:
    plan = Plan(duration=0.3, warmup=0.1, repeats=2)
    (measurement,) = await measured(server, "echo", [Point(load=Closed(2))], plan)
    assert measurement.repeats == 2
    assert measurement.seconds <= 0.6 + 1e-6
    assert {each.repeat for each in measurement.timeline} == {0, 1}
    # The warm-up is in the timeline, before the window.
    assert min(each.start for each in measurement.timeline) < 0
    inside = sum(each.answered for each in measurement.timeline if each.start >= 0)
    assert inside == measurement.requests
    assert "requests_per_second" in measurement.bands


async def test_several_processes_send_one_load(server: EmbeddedServer) -> None:
    plan = Plan(duration=0.5, warmup=0.2, processes=2)
    (measurement,) = await measured(server, "echo", [Point(load=Open(Constant(200)))], plan)
    # Less where the machine was so busy at first that it is cut off as a warm-up.
    assert measurement.intended == pytest.approx(200 * measurement.seconds, abs=1)
    assert measurement.usage.client_processes == 2


class Slow(Observer):
    """Sees nothing, and takes its time."""

    def __init__(self, start: float, stop: float) -> None:
        self._start = start
        self._stop = stop

    async def start(self) -> None:
        await asyncio.sleep(self._start)

    async def stop(self) -> Observed:
        await asyncio.sleep(self._stop)
        return Observed()


@pytest.mark.parametrize(("start", "stop"), [(0.6, 0.0), (0.0, 0.6)])
async def test_a_slow_observer_does_not_move_the_servers_account(
    server: EmbeddedServer, start: float, stop: float
) -> None:
    """It is of the window and 0.1 s before, not of what came while an observer was waited for."""
    blueprint = Blueprint(model="copy", url=server.http_url)
    target, served = await blueprint.open()
    workload = InputChoice().workload(served.signature)
    plan = Plan(duration=1.0, warmup=0.5)
    async with Session(
        target, workload, plan, served=served, observer=Slow(start, stop)
    ) as session:
        measurement = await session.measure(Point(load=Open(Constant(100))))
    await target.aclose()
    await served.aclose()
    assert measurement.intended == pytest.approx(100 * measurement.seconds, abs=1)
    assert measurement.server is not None
    # 110 on a quiet machine; 50 where the first reading waits 0.6 s, and 170 where the last does.
    assert 80 <= measurement.server[0].requests <= 140


async def test_wrong_answers_are_failures_of_their_own_kind(server: EmbeddedServer) -> None:
    blueprint = Blueprint(model="echo", url=server.http_url)
    target, served = await blueprint.open()

    def never(outputs: Tensors) -> str | None:
        return f"output 'y' is not that of {len(outputs)} tensors"

    inputs = InputChoice().workload(served.signature).items[0].inputs
    workload = Workload(items=[Item(inputs=inputs), Item(inputs=inputs, check=never)])
    async with Session(target, workload, COUNT, served=served) as session:
        measurement = await session.measure(Point(load=Closed(1)))
    await target.aclose()
    await served.aclose()
    assert measurement.requests + measurement.failed == 10
    (failure,) = measurement.failures
    assert (failure.kind, failure.count) == ("WrongAnswer", 5)
    assert "output 'y'" in failure.first
    assert measurement.unstable == "50.0% of the requests failed"


async def test_a_ramp_is_not_called_unstable_for_what_it_is(server: EmbeddedServer) -> None:
    plan = Plan(duration=1.0, warmup=0.0)
    load = Open(Ramp.between(50, 400, 1.0))
    (measurement,) = await measured(server, "echo", [Point(load=load)], plan)
    assert measurement.unstable is None
    assert measurement.warmup == 0


async def test_a_point_without_an_answer_is_the_last(server: EmbeddedServer) -> None:
    points = [Point(load=Closed(n)) for n in (1, 2, 3)]
    (measurement,) = await measured(server, "broken", points)
    assert (measurement.requests, measurement.failed) == (0, 10)


async def test_an_interrupt_in_the_warm_up_measures_nothing(server: EmbeddedServer) -> None:
    interrupt = asyncio.Event()
    asyncio.get_running_loop().call_later(0.3, interrupt.set)
    plan = Plan(duration=60.0, warmup=60.0)
    points = [Point(load=Closed(64))]
    found = await measure_model(server.http_url, "echo", points, plan, interrupt=interrupt)
    assert found == []


async def test_an_interrupt_keeps_the_part_of_the_window(server: EmbeddedServer) -> None:
    interrupt = asyncio.Event()
    asyncio.get_running_loop().call_later(0.6, interrupt.set)
    plan = Plan(duration=60.0, warmup=0.0, repeats=3)
    points = [Point(load=Closed(2)), Point(load=Closed(3))]
    (found,) = await measure_model(server.http_url, "echo", points, plan, interrupt=interrupt)
    assert found.interrupted
    assert found.repeats == 1
    assert 0 < found.seconds < 30
    assert found.requests > 0


async def test_nothing_to_return_is_an_error_of_its_own(server: EmbeddedServer) -> None:
    interrupt = asyncio.Event()
    interrupt.set()
    target, served = await Blueprint(model="echo", url=server.http_url).open()
    workload = InputChoice().workload(served.signature)
    async with Session(target, workload, SHORT, interrupt=interrupt) as session:
        with pytest.raises(NothingMeasured):
            await session.measure(Point(load=Closed(1)))
    await target.aclose()
    await served.aclose()


async def test_rows_that_are_not_the_batch_size_are_refused() -> None:
    """They would make rows a second a wrong figure."""
    rows = Workload(items=[Item(inputs={"x": np.zeros((2, 4), np.float32)}, rows=2)])
    target = HttpTarget("http://127.0.0.1:1", "echo")
    async with Session(target, rows, SHORT) as session:
        with pytest.raises(ConfigError, match="has 2 rows, but the point's batch size is 1"):
            await session.measure(Point(load=Closed(1)))


async def test_processes_need_a_blueprint(server: EmbeddedServer) -> None:
    target, served = await Blueprint(model="echo", url=server.http_url).open()
    workload = InputChoice().workload(served.signature)
    with pytest.raises(ConfigError, match="2 processes need a blueprint"):
        Session(target, workload, Plan(processes=2))
    await target.aclose()
    await served.aclose()


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
