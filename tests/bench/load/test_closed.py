from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
import pytest

from tritonkit.bench.load.closed import ClosedLoop, Window
from tritonkit.bench.observe.served import ServedModel
from tritonkit.bench.record.slices import SliceRecord
from tritonkit.bench.record.summary import failures_of
from tritonkit.client.types import InferRequest
from tritonkit.client.wire.address import Address
from tritonkit.client.wire.codec import encode_infer
from tritonkit.errors import ConfigError
from tritonkit.server import EmbeddedServer


def requests_to(url: str, model: str) -> list[bytes]:
    inputs = {"x": np.ones((1, 4), np.float32)}
    return [encode_infer(InferRequest(model=model, inputs=inputs), Address.parse(url))]


def closed_loop(
    url: str,
    model: str,
    *,
    concurrency: int = 1,
    timeout: float = 30.0,
    interrupt: asyncio.Event | None = None,
) -> ClosedLoop:
    return ClosedLoop(
        Address.parse(url),
        model,
        requests_to(url, model),
        concurrency=concurrency,
        timeout=timeout,
        interrupt=interrupt,
    )


def recorded(window: Window) -> SliceRecord:
    return SliceRecord.joined(record for _, record in window.recorder.slices())


async def test_a_window_by_count_holds_exactly_that_many(server: EmbeddedServer) -> None:
    async with closed_loop(server.http_url, "echo", concurrency=4) as load:
        window = await load.window(None, max_requests=50)
    assert window.recorder.ended == 50
    assert recorded(window).latency.count == 50
    assert not window.interrupted
    assert window.seconds > 0
    assert 0 < window.client_cpu <= 1.1


async def test_the_server_saw_what_was_recorded(server: EmbeddedServer) -> None:
    async with await ServedModel.connect(server.http_url, "copy") as target:
        before = await target.counters()
        async with closed_loop(server.http_url, "copy", concurrency=2) as load:
            window = await load.window(0.2)
        after = await target.counters()
    assert before is not None
    assert after is not None
    (one,), (two,) = before, after
    seen = two.stages["success"].count - one.stages["success"].count
    # What was in flight when the window ended is awaited, not recorded; and Triton
    # answers a request before it counts it.
    assert abs(seen - window.recorder.ended) <= 2


async def test_failed_requests_are_counted_and_the_run_goes_on(server: EmbeddedServer) -> None:
    async with closed_loop(server.http_url, "flaky") as load:
        window = await load.window(None, max_requests=30)
    (failure,) = failures_of(window.recorder, recorded(window))
    assert (failure.kind, failure.count) == ("InferenceFailed", 10)
    assert "fails on purpose" in failure.first
    assert recorded(window).latency.count == 20


async def test_a_late_answer_is_a_failure_and_the_slot_goes_on(
    server: EmbeddedServer, gate: Callable[[], bool]
) -> None:
    async with closed_loop(server.http_url, "held", timeout=0.05) as load:
        window = await load.window(None, max_requests=2)
    assert [(f.kind, f.count) for f in failures_of(window.recorder, recorded(window))] == [
        ("DeadlineExceeded", 2)
    ]


async def test_a_server_that_is_gone_is_a_failure_by_request(
    unused_tcp_port: int,
) -> None:
    async with closed_loop(f"http://127.0.0.1:{unused_tcp_port}", "echo") as load:
        window = await load.window(None, max_requests=2)
    assert [(f.kind, f.count) for f in failures_of(window.recorder, recorded(window))] == [
        ("NotConnected", 2)
    ]


async def test_an_interrupt_ends_the_window_and_keeps_what_ended(server: EmbeddedServer) -> None:
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
        window = await load.window(None)
    assert window.interrupted
    assert window.recorder.ended > 0


async def test_an_interrupt_does_not_wait_for_what_is_in_flight(
    server: EmbeddedServer, gate: Callable[[], bool]
) -> None:
    """The server answers when the test is over."""
    interrupt, draining = asyncio.Event(), asyncio.Event()
    load = closed_loop(server.http_url, "held", concurrency=2, timeout=1e6, interrupt=interrupt)

    async def leave() -> None:
        async with load:
            while not gate():
                await load.warm_up(0.01)
            draining.set()

    leaving = asyncio.create_task(leave())
    await draining.wait()
    assert not leaving.done()
    interrupt.set()
    await asyncio.wait_for(leaving, 60)


async def test_warm_up_is_not_recorded(server: EmbeddedServer) -> None:
    async with closed_loop(server.http_url, "echo") as load:
        while not load.ended:
            await load.warm_up(0.01)
        window = await load.window(None, max_requests=3)
    assert window.recorder.ended == 3


@pytest.mark.parametrize(("concurrency", "requests"), [(0, [b"x"]), (1, [])])
def test_a_load_without_slots_or_requests_is_refused(
    concurrency: int, requests: list[bytes]
) -> None:
    with pytest.raises(ConfigError):
        ClosedLoop(
            Address.parse("http://localhost"), "m", requests, concurrency=concurrency, timeout=1.0
        )
