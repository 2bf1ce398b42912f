from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
import pytest

from tritonkit.bench.inputs.workload import Item, Workload
from tritonkit.bench.load.closed import ClosedLoop
from tritonkit.bench.load.requests import Requests
from tritonkit.bench.observe.served import ServedModel
from tritonkit.bench.record.recorder import Recorder
from tritonkit.bench.record.slices import SliceRecord
from tritonkit.bench.record.summary import failures_of
from tritonkit.bench.targets.grpc import GrpcTarget
from tritonkit.bench.targets.http import HttpTarget
from tritonkit.errors import ConfigError
from tritonkit.server import EmbeddedServer

ONES = Workload(items=[Item(inputs={"x": np.ones((1, 4), np.float32)})])


def closed_loop(
    url: str,
    model: str,
    *,
    concurrency: int = 1,
    timeout: float = 30.0,
    interrupt: asyncio.Event | None = None,
) -> ClosedLoop:
    return ClosedLoop(
        Requests.prepare(HttpTarget(url, model), ONES),
        concurrency=concurrency,
        timeout=timeout,
        interrupt=interrupt,
    )


def recorded(recorder: Recorder) -> SliceRecord:
    return SliceRecord.joined(record for _, record in recorder.slices())


async def test_a_load_by_count_records_exactly_that_many(server: EmbeddedServer) -> None:
    async with closed_loop(server.http_url, "echo", concurrency=4) as load:
        at_ns = await load.until(None, requests=50)
    assert load.ended == 50
    assert recorded(load.recorder).latency.count == 50
    assert 0 < at_ns < load.now_ns


async def test_the_server_saw_what_was_recorded(server: EmbeddedServer) -> None:
    async with await ServedModel.connect(server.http_url, "copy") as target:
        before = await target.counters()
        async with closed_loop(server.http_url, "copy", concurrency=2) as load:
            await load.until(0.2)
        after = await target.counters()
    assert before is not None
    assert after is not None
    (one,), (two,) = before, after
    seen = two.stages["success"].count - one.stages["success"].count
    # Triton answers a request before it counts it, and each slot has one.
    assert abs(seen - load.ended) <= 2


async def test_failed_requests_are_counted_and_the_run_goes_on(server: EmbeddedServer) -> None:
    async with closed_loop(server.http_url, "flaky") as load:
        await load.until(None, requests=30)
    record = recorded(load.recorder)
    (failure,) = failures_of(load.recorder, record)
    assert (failure.kind, failure.count) == ("InferenceFailed", 10)
    assert "fails on purpose" in failure.first
    assert record.latency.count == 20


async def test_a_late_answer_is_a_failure_and_the_slot_goes_on(
    server: EmbeddedServer, gate: Callable[[], bool]
) -> None:
    async with closed_loop(server.http_url, "held", timeout=0.05) as load:
        await load.until(None, requests=2)
    assert recorded(load.recorder).failures == {"DeadlineExceeded": 2}


async def test_a_server_that_is_gone_is_a_failure_by_request_and_is_not_hammered(
    unused_tcp_port: int,
) -> None:
    async with closed_loop(f"http://127.0.0.1:{unused_tcp_port}", "echo") as load:
        await load.until(0.25)
    # At once, and after each pause of 0.1 s; a slow machine makes fewer.
    assert list(recorded(load.recorder).failures) == ["NotConnected"]
    assert load.ended <= 3


async def test_more_connections_than_the_system_allows_are_refused(few_files: int) -> None:
    allowed = few_files - 64
    closed_loop("http://127.0.0.1:1", "echo", concurrency=allowed)
    with pytest.raises(ConfigError, match=rf"concurrency {allowed + 1} .*ulimit -n"):
        closed_loop("http://127.0.0.1:1", "echo", concurrency=allowed + 1)
    grpc = Requests.prepare(GrpcTarget("grpc://127.0.0.1:1", "echo"), ONES)
    ClosedLoop(grpc, concurrency=6 * allowed, timeout=1.0)


async def test_an_interrupt_ends_the_load_and_keeps_what_ended(server: EmbeddedServer) -> None:
    interrupt = asyncio.Event()
    load = closed_loop(server.http_url, "echo", concurrency=2, interrupt=interrupt)
    loop = asyncio.get_running_loop()

    def interrupt_when_one_has_ended() -> None:
        if load.ended:
            interrupt.set()
        else:
            loop.call_later(0.01, interrupt_when_one_has_ended)

    async with load:
        loop.call_soon(interrupt_when_one_has_ended)
        end_ns = await load.until(None)
        # While whoever measures looks at the server, it goes on, and nothing of it counts.
        await asyncio.sleep(0.05)
    assert load.ended > 0
    assert load.recorder.end_ns == end_ns


async def test_an_interrupt_does_not_wait_for_what_is_in_flight(
    server: EmbeddedServer, gate: Callable[[], bool]
) -> None:
    """The server answers when the test is over."""
    interrupt, draining = asyncio.Event(), asyncio.Event()
    load = closed_loop(server.http_url, "held", concurrency=2, timeout=1e6, interrupt=interrupt)

    async def leave() -> None:
        async with load:
            while not gate():
                await load.until(load.now_ns / 1e9 + 0.01)
            draining.set()

    leaving = asyncio.create_task(leave())
    await draining.wait()
    assert not leaving.done()
    interrupt.set()
    await asyncio.wait_for(leaving, 60)


@pytest.mark.parametrize(("concurrency", "items"), [(0, ONES.items), (1, [])])
def test_a_load_without_slots_or_requests_is_refused(concurrency: int, items: list[Item]) -> None:
    with pytest.raises(ConfigError):
        ClosedLoop(
            Requests.prepare(HttpTarget("http://localhost", "m"), Workload(items=items)),
            concurrency=concurrency,
            timeout=1.0,
        )
