"""What an experiment was told is looked up off the path, and a silent log holds nobody up."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tritonkit.client import Arm, AsyncClient, Control, Split, SqliteLog
from tritonkit.client.experiments.controls import Controls
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.errors import ServerUnavailable


class Silent:
    """Answers nothing until it is told to fail."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.asked = 0

    async def control(self, experiment: str) -> Control:
        self.asked += 1
        await self.over.wait()
        raise ServerUnavailable("silent")


async def test_a_silent_log_holds_up_once() -> None:
    """Whoever comes after the budget does not wait; the failure counts from when it was known."""
    log: Any = Silent()
    now = 1000.0
    controls = Controls(log, "e", age=10, budget=3600, clock=lambda: now)
    first = asyncio.create_task(controls.read())
    await asyncio.sleep(0)
    now += 3600
    # The same question is still open.
    assert await asyncio.wait_for(controls.read(), 20) == Control()
    log.over.set()
    await asyncio.wait_for(first, 20)
    assert controls.fresh
    assert await asyncio.wait_for(controls.read(), 20) == Control()
    assert log.asked == 1
    await controls.aclose()


async def test_a_control_that_is_not_understood(tmp_path: Path) -> None:
    """Such as that of a later release: what held before goes on to hold."""
    path = tmp_path / "events.db"
    async with SqliteLog(path, budget="20s") as log:
        await log.steer("e", Control(weights={"a": 0, "b": 1}))
        layer = Split("e", Arm("a"), Arm("b"), control_age=0)
        models = FakeTransport(
            lambda request: {"y": request.inputs["x"]}, inputs={"x": (1,)}, outputs={"y": (1,)}
        )
        client = AsyncClient(models, [layer], experiments=log)
        with closing(sqlite3.connect(path)) as file:
            for document in (None, '{"state": "frozen"}', '{"until": 3}', "no JSON"):
                if document is not None:
                    file.execute("UPDATE controls SET document = ?", (document,))
                    file.commit()
                answer = await client.infer("m", {"x": [[1.0]]}, tags={"user": "u1"})
                assert answer.trace.arms == (("e", "b"),)
        assert layer._controls is not None
        assert layer._controls.unread == 3
