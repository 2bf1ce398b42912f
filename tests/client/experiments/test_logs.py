"""Both logs keep the contract."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tritonkit.client.experiments.log import EventLog
from tritonkit.client.experiments.redis import RedisLog
from tritonkit.client.experiments.rows import decode, encode
from tritonkit.client.experiments.sqlite import SqliteLog
from tritonkit.client.testing.event_logs import EventLogTests, sample_answer
from tritonkit.errors import ConfigError

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


async def test_a_file_from_before_propensities(tmp_path: Path) -> None:
    """It gets the column; what it has is read, and what comes is kept."""
    path = tmp_path / "events.db"
    before, after = sample_answer(), replace(sample_answer(), propensity=0.25)
    async with SqliteLog(path, budget=BUDGET) as log:
        log.add([before])
    with closing(sqlite3.connect(path)) as file:
        file.execute("ALTER TABLE events DROP COLUMN propensity")
        file.execute("PRAGMA user_version = 1")
    async with SqliteLog(path, budget=BUDGET) as log, SqliteLog(path, budget=BUDGET) as other:
        other.add([after])
        await other.flush()
        assert [before, after] == (await log.read("e")).events


def test_a_row_from_before_propensities() -> None:
    answer = sample_answer()
    row = json.loads(encode(answer))
    assert answer == decode(json.dumps(row[:-1]))
    with pytest.raises(ConfigError, match="propensity must be above 0"):
        replace(answer, propensity=0.0)


async def test_what_another_program_puts_into_a_stream(redis_server: Any) -> None:
    """It is passed over, wherever a page ends."""
    answers = [sample_answer(f"u{number}") for number in range(3)]
    async with RedisLog(redis_server.url, budget=BUDGET) as log:
        for answer in answers:
            log.add([answer])
            await log.flush()
            with redis_server.client() as client:
                client.xadd("{tritonkit}:experiments:events:e", {"what": "ever"})
        assert answers == (await log.read("e")).events
        page = await log.read("e", limit=3)
        assert answers[:2] == page.events
        assert answers[2:] == (await log.read("e", after=page.cursor)).events
