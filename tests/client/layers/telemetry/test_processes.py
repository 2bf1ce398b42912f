"""Threads, forks, and event loops that end with work in flight."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

import numpy as np

from tritonkit.client import Cache, Client, InferRequest, Stack, Telemetry, Tokens

if TYPE_CHECKING:
    from tests.client.layers.conftest import Kit, Model

THREADS, CALLS = 8, 400


def test_threads_lose_no_call(model: Model) -> None:
    """Hits at once, from many threads, while another reads; each is counted once."""
    telemetry = Telemetry(tokens=Tokens(lambda request: 1))
    end = threading.Event()

    def read() -> int:
        requests = 0
        while not end.is_set():
            now = telemetry.snapshot().requests
            assert now >= requests
            requests = now
        return requests

    with Client(model.transport, [telemetry, Cache()]) as client:
        client.infer("m", {"x": [[1.0]]})

        def call(number: int) -> None:
            for turn in range(CALLS):
                client.infer("m", {"x": [[1.0 + (turn % 50 == 0) * number]]})

        with ThreadPoolExecutor(THREADS + 1) as pool:
            reading = pool.submit(read)
            list(pool.map(call, range(THREADS)))
            end.set()
            reading.result()
        snapshot = client.stats()
    assert snapshot.requests == 1 + THREADS * CALLS
    assert sum(rows for rows in snapshot.origins["m"].values()) == snapshot.requests
    assert snapshot.tokens == {"m": {"in": snapshot.requests, "out": 0}}
    assert snapshot.in_flight == 0


def _in_child(stack: Stack, telemetry: Telemetry, pipe: Connection) -> None:
    x = np.array([[1]], dtype=np.float32)
    answer = stack.now(InferRequest(model="m", inputs={"x": x}))
    snapshot = telemetry.snapshot()
    pipe.send((answer is not None, snapshot.requests, snapshot.in_flight))


def test_a_fork_with_locks_held(model: Model, kit: type[Kit]) -> None:
    """The child counts on from its parent's numbers, whoever held a lock; nothing waits there."""
    telemetry = Telemetry(tokens=Tokens())
    stack = Stack(model.transport, [telemetry, Cache()])
    asyncio.run(_ask(stack, kit))
    telemetry._book.begin()
    receiving, sending = multiprocessing.get_context("fork").Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(
        target=_in_child, args=(stack, telemetry, sending)
    )
    assert telemetry.tokens is not None
    with telemetry._book.lock, telemetry.tokens.lock:
        child.start()
    assert receiving.poll(10)
    assert receiving.recv() == (True, 2, 0)
    child.join(10)
    assert child.exitcode == 0
    assert telemetry.snapshot().requests == 1


async def _ask(stack: Stack, kit: type[Kit]) -> Any:
    return await kit.ask(stack, [1])


def test_a_loop_that_ends_with_calls_in_flight(model: Model, kit: type[Kit]) -> None:
    """asyncio.run cancels them: they are counted as such, and nothing is in flight."""
    telemetry = Telemetry()
    stack = Stack(model.transport, [telemetry])

    async def main() -> None:
        model.gate = asyncio.Event()
        calls = [asyncio.ensure_future(kit.ask(stack, [1])) for _ in range(5)]
        await kit.settle()
        assert telemetry.snapshot().in_flight == 5
        del calls

    asyncio.run(main())
    snapshot = telemetry.snapshot()
    assert [(each.error, each.requests) for each in snapshot.failed] == [("Cancelled", 5)]
    assert snapshot.in_flight == 0


def test_a_call_that_is_thrown_away(model: Model, kit: type[Kit]) -> None:
    """The garbage collector ends it wherever it runs: also where this thread holds the lock."""
    telemetry = Telemetry(spans=True)
    stack = Stack(model.transport, [telemetry])

    class Never:
        def __await__(self) -> Any:
            yield None

    async def never(request: InferRequest) -> Any:
        await Never()

    model.transport.handler = never
    x = np.array([[1]], dtype=np.float32)
    call: Any = stack(InferRequest(model="m", inputs={"x": x}))
    call.send(None)
    with telemetry._book.lock:
        del call
        gc.collect()
    snapshot = telemetry.snapshot()
    assert [(each.error, each.requests) for each in snapshot.failed] == [("Cancelled", 1)]
    assert snapshot.in_flight == 0
