"""An experiment on a real Triton, from threads that share a client."""

from __future__ import annotations

import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tritonkit.client import Answer, Arm, Cache, Client, Exposure, Outcome, Retry, Split, SqliteLog


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_an_experiment(triton: Any, tmp_path: Path, protocol: str) -> None:
    """Each user has one model, one exposure and all of his answers; outcomes find their arms."""
    layers = [
        Split("e", Arm("control", model="same"), Arm("treatment", model="shifty")),
        Cache(rows=["same", "shifty"], identities={"same": "1", "shifty": "1"}),
        Retry(),
    ]
    log = SqliteLog(tmp_path / "events.db", budget="20s")
    with Client(getattr(triton, protocol), layers, experiments=log) as client:

        def ask(number: int) -> tuple[str, str, str]:
            user = f"u{number % 20}"
            x = np.full((1, 16), number % 3, np.float32)
            answer = client.infer("same", x, tags={"user": user})
            np.testing.assert_array_equal(answer["y"], x)
            ((_, arm),) = answer.trace.arms
            assert answer.model == ("same" if arm == "control" else "shifty")
            client.record(answer.trace.answer, "clicks", number % 2)
            return user, arm, answer.trace.answer

        with ThreadPoolExecutor(8) as threads:
            told = list(threads.map(ask, range(200)))

    async def read() -> list[Any]:
        async with SqliteLog(tmp_path / "events.db") as reader:
            return [event async for event in reader.events("e")]

    events = asyncio.run(read())
    exposures = [event for event in events if isinstance(event, Exposure)]
    answers = {event.answer: event for event in events if isinstance(event, Answer)}
    outcomes = [event for event in events if isinstance(event, Outcome)]
    arms = {user: arm for user, arm, _ in told}
    assert set(arms.values()) == {"control", "treatment"}
    assert Counter((e.unit, e.arm) for e in exposures) == Counter(arms.items())
    assert {(a.unit, a.arm, a.answer) for a in answers.values()} == set(told)
    assert Counter(answers[o.answer].arm for o in outcomes) == Counter(arm for _, arm, _ in told)
    # Three rows for each model, computed once for each: the rest came from memory, or with others.
    assert sum(answer.cache == "model" for answer in answers.values()) == 6
