"""A real Redis, six of them as a cluster, and every way in which they fail."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tritonkit.client.stores.store import Entry
from tritonkit.client.testing.redis_server import RedisServer, redis_executable


class RedisCluster:
    """Three primaries, each with a replica."""

    def __init__(self, folder: Path) -> None:
        self.servers = []
        for number in range(6):
            (folder / str(number)).mkdir()
            self.servers.append(
                RedisServer(
                    folder / str(number),
                    *("--cluster-enabled", "yes", "--cluster-node-timeout", "1000"),
                    *("--cluster-replica-validity-factor", "0", "--repl-diskless-sync", "yes"),
                    *("--repl-diskless-sync-delay", "0"),
                )
            )

    @property
    def url(self) -> str:
        return self.servers[0].url

    def start(self) -> None:
        for server in self.servers:
            server.start()
        addresses = [f"127.0.0.1:{server.port}" for server in self.servers]
        command = [redis_executable("redis-cli"), "--cluster", "create", *addresses]
        command += ["--cluster-replicas", "1", "--cluster-yes"]
        subprocess.run(command, check=True, timeout=60, stdout=subprocess.DEVNULL)
        self.settle()

    def settle(self) -> None:
        """Wait until every node that lives sees all slots served and every replica in step."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if all(map(self._settled, self.alive())):
                return
            time.sleep(0.05)
        raise TimeoutError("the cluster did not settle")

    def alive(self) -> list[RedisServer]:
        return [s for s in self.servers if s.process is not None and s.process.poll() is None]

    def primary_of(self, name: bytes) -> RedisServer:
        with self.servers[0].client() as client:
            slot = client.execute_command("CLUSTER KEYSLOT", name)
            for first, last, primary, *_ in client.execute_command("CLUSTER SLOTS"):
                if first <= slot <= last:
                    return next(s for s in self.servers if s.port == primary[1])
        raise AssertionError(f"no node has slot {slot}")

    def _settled(self, server: RedisServer) -> bool:
        with server.client() as client:
            state = client.execute_command("CLUSTER INFO")
            link = client.info("replication")
            return (state.get("cluster_state") == "ok") and (
                link["role"] == "master" or link["master_link_status"] == "up"
            )

    def stop(self) -> None:
        for server in self.servers:
            server.stop()


@pytest.fixture(scope="module")
def redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    cluster = RedisCluster(tmp_path_factory.mktemp("cluster"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Listen:
    """Starts TCP servers with a handler of the test, at a port or any; gives the port."""

    def __init__(self) -> None:
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, handler: Handler, port: int = 0, **options: Any) -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await handler(reader, writer)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", port, **options)
        self._servers.append(server)
        number: int = server.sockets[0].getsockname()[1]
        return number

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest.fixture
async def listen() -> AsyncIterator[Listen]:
    listen = Listen()
    yield listen
    await listen.close()


Proxy = Callable[..., Awaitable[int]]


@pytest.fixture
def proxy(listen: Listen) -> Proxy:
    """Starts a proxy to a port; each connection stands still at first for some seconds."""

    async def start(port: int, delay: float = 0.0, **options: Any) -> int:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(delay)
            behind, before = await asyncio.open_connection("127.0.0.1", port)
            try:
                await asyncio.gather(_pump(reader, before), _pump(behind, writer))
            finally:
                before.close()

        return await listen(handle, **options)

    return start


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


class Rows:
    """Entries that can be told from each other: number n is an array of n."""

    model = "echo"

    def key(self, number: int) -> bytes:
        return number.to_bytes(4, "big") * 4

    def keys(self, count: int) -> list[bytes]:
        return [self.key(number) for number in range(count)]

    def entry(self, number: int, created: float | None = None) -> Entry:
        array = np.full((1, 64), number, np.float32)
        array.flags.writeable = False
        return Entry({"y": array}, time.monotonic() if created is None else created)

    def entries(self, count: int) -> dict[bytes, Entry]:
        return {self.key(number): self.entry(number) for number in range(count)}

    def right(self, number: int, found: Entry | None) -> bool:
        return (
            found is not None
            and list(found.outputs) == ["y"]
            and found.outputs["y"].dtype == np.float32
            and np.array_equal(found.outputs["y"], np.full((1, 64), number))
        )

    def hits(self, found: list[Entry | None]) -> int:
        """How many were found; fails where one is wrong."""
        for number, item in enumerate(found):
            assert item is None or self.right(number, item)
        return sum(item is not None for item in found)


@pytest.fixture(scope="session")
def rows() -> Rows:
    return Rows()
