"""A Redis of these tests' own whose scripts read a clock that a test turns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tritonkit.client.ledgers.redis import RedisLedger
from tritonkit.client.ledgers.scripts import Scripts
from tritonkit.client.testing.redis_server import RedisServer


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class TestLedger(RedisLedger):
    """By a clock that is a key of Redis: `turn` sets it."""

    __test__ = False
    scripts = Scripts("redis.call('LRANGE', 'clock', 0, 1)")


@pytest.fixture(scope="session")
def redis_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("ledger"), tcp=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[RedisServer]:
    """For this test alone; keeps every command that it has answered."""
    server = RedisServer(tmp_path, "--appendonly", "yes", "--appendfsync", "always", tcp=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def forgetful(tmp_path: Path) -> Iterator[RedisServer]:
    """For this test alone; keeps nothing when it ends."""
    server = RedisServer(tmp_path, tcp=False)
    server.start()
    yield server
    server.stop()


class Kit:
    """The names of this file, for test modules, which cannot import it."""

    Clock, TestLedger = Clock, TestLedger

    @staticmethod
    def turn(client: Any, microseconds: int) -> None:
        with client.pipeline() as pipeline:
            pipeline.delete("clock")
            pipeline.rpush("clock", *divmod(microseconds, 10**6))
            pipeline.execute()


@pytest.fixture(scope="session")
def kit() -> type[Kit]:
    return Kit
