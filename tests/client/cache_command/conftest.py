"""A real Redis, and the command run as a user runs it, but in this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tritonkit.cli import main
from tritonkit.client.testing.redis_server import RedisServer

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


@pytest.fixture
def redis_cluster(tmp_path: Path) -> Iterator[str]:
    """The URL of a cluster of one node, which has every slot."""
    server = RedisServer(tmp_path, "--cluster-enabled", "yes")
    server.start()
    with server.client() as client:
        client.execute_command("CLUSTER ADDSLOTS", *range(16384))
        for _ in range(200):
            if b"cluster_state:ok" in client.execute_command("CLUSTER INFO", NEVER_DECODE=True):
                break
            time.sleep(0.02)
    yield server.url
    server.stop()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> Iterator[str]:
    """A Redis that is empty, and may be set otherwise."""
    yield f"{redis_server.url}/0"
    with redis_server.client() as client:
        client.config_set("maxmemory", 0)
        client.config_set("maxmemory-policy", "noeviction")
