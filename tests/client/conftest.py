"""A real tritonserver, a real Redis, and a server of ours that misbehaves on demand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import uvloop

from tritonkit.client.testing.redis_server import RedisServer
from tritonkit.client.wire.address import Address

if TYPE_CHECKING:
    from conftest import ServeModels, Triton

KEPT = """
parameters { key: "tritonkit.model_digest" value { string_value: "0123" } }
parameters { key: "tritonkit.batch_invariant" value { string_value: "true" } }
"""


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Sockets are tested on both event loops, what stands on them on one."""
    loops = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    if item.path.name not in ("test_connection.py", "test_pool.py", "test_tls.py"):
        del loops["asyncio"]
    return loops


@pytest.fixture(scope="session")
def triton(serve_models: ServeModels) -> Triton:
    """
    Models: echo (any type, shape [-1, -1]), same (x to y, cached by the server),
    shifty (x to y, for tests that reload it), moody (sleeps, fails, has a queue of 2),
    gated (waits until the file "gate" is there; writes its name with .begun before).
    """
    models = {name: name for name in ("echo", "same", "moody", "gated")} | {"shifty": "same"}
    return serve_models(
        models,
        {"same": "response_cache { enable: true }"},
        model_control_mode="explicit",
        load_models=tuple(models),
        cache_size=64 * 2**20,
    )


@pytest.fixture(scope="session")
def mixers(serve_models: ServeModels) -> Triton:
    """
    Models of x to y, 4 values a row: doubles (each row by itself), normalises (over
    the batch), counts (adds a row's place), rolls (adds random numbers), keeps
    (doubles, states that it may be kept by row, fails at 100). And lengths, of
    text, which states nothing.
    """
    names = ("doubles", "normalises", "counts", "rolls", "keeps")
    return serve_models(dict.fromkeys(names, "mixer") | {"lengths": "lengths"}, {"keeps": KEPT})


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
FaultServer = Callable[[Handler], Awaitable[Address]]


@pytest.fixture
async def fault_server() -> AsyncIterator[FaultServer]:
    """Starts a server that treats each connection with a handler of the test."""
    servers: list[asyncio.Server] = []
    writers: set[asyncio.StreamWriter] = set()
    tasks: set[asyncio.Task[None]] = set()

    async def start(handler: Handler) -> Address:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            writers.add(writer)
            try:
                await handler(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        servers.append(server)
        return Address("http", *server.sockets[0].getsockname())

    yield start
    for server in servers:
        server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for writer in writers:
        writer.transport.abort()
    for server in servers:
        await server.wait_closed()


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_server(shared_redis: RedisServer) -> RedisServer:
    """Running and empty; for tests that leave it running, and as it was set."""
    with shared_redis.client() as client:
        client.flushall()
    return shared_redis


@pytest.fixture
def mortal_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """One for this test alone, to be ill-treated."""
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.stop()
