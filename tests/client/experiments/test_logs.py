"""Both logs keep the contract."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tritonkit.client.experiments.log import EventLog
from tritonkit.client.experiments.redis import RedisLog
from tritonkit.client.experiments.sqlite import SqliteLog
from tritonkit.client.testing.event_logs import EventLogTests

# A busy machine must not make an exposure late.
BUDGET = "10s"


class TestSqliteLog(EventLogTests):
    @pytest.fixture
    def make(self, tmp_path: Path) -> Callable[[], EventLog]:
        return lambda: SqliteLog(tmp_path / "deep" / "events.db", budget=BUDGET)


class TestRedisLog(EventLogTests):
    @pytest.fixture
    def make(self, redis_server: Any) -> Callable[[], EventLog]:
        return lambda: RedisLog(redis_server.url, budget=BUDGET)
