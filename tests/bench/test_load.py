from __future__ import annotations

import asyncio

import numpy as np
import pytest

from tritonkit.bench.load import ClosedLoop
from tritonkit.bench.target import Target
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


async def test_a_window_by_count_holds_exactly_that_many(server: EmbeddedServer) -> None:
    async with closed_loop(server.http_url, "echo", concurrency=4) as load:
        window = await load.window(None, max_requests=50)
    assert window.recorder.ended == 50
    assert window.recorder.latency().count == 50
    assert not window.interrupted
    assert window.seconds > 0
    assert 0 < window.client_cpu <= 1.1


async def test_the_server_saw_what_was_recorded(server: EmbeddedServer) -> None:
    async with await Target.connect(server.http_url, "copy") as target:
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
    (failure,) = window.recorder.failures()
    assert (failure.kind, failure.count) == ("InferenceFailed", 10)
    assert "fails on purpose" in failure.first
    assert window.recorder.latency().count == 20


async def test_a_late_answer_is_a_failure_and_the_slot_goes_on(
    server: EmbeddedServer, gate: Gate
) -> None:
    async with closed_loop(server.http_url, "held", timeout=0.05) as load:
        window = await load.window(None, max_requests=2)
    assert [(f.kind, f.count) for f in window.recorder.failures()] == [("DeadlineExceeded", 2)]


async def test_a_server_that_is_gone_is_a_failure_by_request(
    unused_tcp_port: int,
) -> None:
    async with closed_loop(f"http://127.0.0.1:{unused_tcp_port}", "echo") as load:
        window = await load.window(None, max_requests=2)
    assert [(f.kind, f.count) for f in window.recorder.failures()] == [("ServerUnavailable", 2)]


async def test_an_interrupt_ends_the_window_and_keeps_what_ended(server: EmbeddedServer) -> None:
    interrupt = asyncio.Event()
    load = closed_loop(server.http_url, "echo", concurrency=2, interrupt=interrupt)

    async def interrupt_when_one_has_ended() -> None:
        while not load.ended:
            await asyncio.sleep(0.01)
        interrupt.set()

    async with load:
        interrupting = asyncio.create_task(interrupt_when_one_has_ended())
        window = await load.window(None)
        await interrupting
    assert window.interrupted
    assert window.recorder.ended > 0


async def test_an_interrupt_does_not_wait_for_what_is_in_flight(
    server: EmbeddedServer, gate: Gate
) -> None:
    """The server answers when the test is over; without the interrupt it would never be."""
    interrupt = asyncio.Event()
    load = closed_loop(server.http_url, "held", concurrency=2, timeout=1e6, interrupt=interrupt)

    async def leave() -> None:
        async with load:
            while not gate.held.exists():
                await load.warm_up(0.01)

    leaving = asyncio.create_task(leave())
    done, _ = await asyncio.wait([leaving], timeout=1.0)
    assert not done, "what is in flight was not awaited"
    interrupt.set()
    async with asyncio.timeout(60):
        await leaving


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
