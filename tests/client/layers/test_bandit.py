"""A Split whose weights follow what its arms earn, in all processes alike."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from tritonkit.client import (
    Answer,
    Arm,
    AsyncClient,
    Cache,
    Control,
    Exposure,
    InferRequest,
    InferResponse,
    MemorySticky,
    Split,
    SqliteLog,
    Thompson,
)
from tritonkit.client.commands.experiment_text import report_text
from tritonkit.client.experiments.analysis import report_of
from tritonkit.client.experiments.log import Page
from tritonkit.client.experiments.question import Metric, Question
from tritonkit.client.experiments.report import Report
from tritonkit.client.policy.explain import explain
from tritonkit.client.policy.policy import Policy
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.errors import ConfigError, ServerUnavailable

USERS = [f"u{number}" for number in range(60)]


def models() -> FakeTransport:
    async def double(request: InferRequest) -> dict[str, Any]:
        return {"y": request.inputs["x"] * np.float32(2)}

    parameters = {"tritonkit.batch_invariant": {"string_value": "true"}}
    config = {"parameters": parameters, "dynamic_batching": {}}
    return FakeTransport(double, inputs={"x": (1,)}, outputs={"y": (1,)}, config=config)


def bandit(**options: Any) -> Thompson:
    """Without a warm-up, and looking at each request."""
    return Thompson("clicks", **{"every": 0.001, "delay": 0.001, "warm_up": 0, **options})


def split(allocate: Thompson | None, **options: Any) -> Split:
    arms = Arm("a", model="m"), Arm("b", model="m", version="2")
    return Split("e", *arms, allocate=allocate, **{"control_age": 0, **options})


@pytest_asyncio.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteLog]:
    async with SqliteLog(tmp_path / "events.db", budget="20s") as made:
        yield made


async def ask(client: AsyncClient, user: str) -> InferResponse:
    return await client.infer("m", {"x": [[1.0]]}, tags={"user": user})


async def earn(client: AsyncClient, log: SqliteLog, *, good: str = "b") -> None:
    """Everybody asks, and the users of one arm click."""
    for user in USERS:
        trace = (await ask(client, user)).trace
        if dict(trace.arms)["e"] == good:
            client.record(trace.answer, "clicks", 1.0)
    await log.flush()


async def settled(layer: Split, client: AsyncClient) -> Mapping[str, float]:
    """Weights of which nearly all belong to the arm that earns."""
    while True:
        await ask(client, "u1")
        weights = layer.plan.propensities
        assert weights is not None
        if weights["b"] > 0.9:
            return weights
        await asyncio.sleep(0.001)


async def events(log: SqliteLog, kind: type[Any]) -> list[Any]:
    await log.flush()
    return [event async for event in log.events("e") if isinstance(event, kind)]


async def test_weights_follow_what_is_earned(log: SqliteLog) -> None:
    """
    Each answer carries the propensity of that moment; the version stays the same, so that
    nobody is exposed again; whoever reads the control sees that it is a bandit.
    """
    layer = split(bandit(floor="5%"))
    async with AsyncClient(models(), [layer], experiments=log) as client:
        await earn(client, log)
        weights = await settled(layer, client)
        assert sum(weights.values()) == pytest.approx(1)
        assert min(weights.values()) >= 0.05
        await earn(client, log)
        control = await log.control("e")
        assert control.reason == "bandit: Thompson sampling by clicks"
        answers, exposures = await events(log, Answer), await events(log, Exposure)
    assert answers[0].propensity == 0.5
    assert max(a.propensity for a in answers if a.arm == "b") > 0.9
    assert min(a.propensity for a in answers) >= 0.05
    assert {event.version for event in (*answers, *exposures)} == {layer.plan.version}
    assert Counter(e.unit for e in exposures) == Counter(USERS)
    assert exposures[0].propensity == 0.5
    assert layer.plan.version != split(None).plan.version


async def test_a_report_says_what_it_is(log: SqliteLog) -> None:
    """Its numbers are shown, nothing follows from them, and the sample ratio is nobody's fault."""
    layer = split(bandit())
    async with AsyncClient(models(), [layer], experiments=log) as client:
        await earn(client, log)
        await settled(layer, client)
        await earn(client, log)
        await log.flush()
    report = await report_of(log, "e", Question(metrics=(Metric(name="clicks"),)))
    assert report.bandit
    assert report.sample_ratio is None
    assert report.verdict.startswith("a bandit, which is no test: it gives a ")
    assert "a bandit's weights follow its outcomes" in report.warnings[0]
    assert {effect.decision for effect in report.effects} == {"undecided"}
    weights = (await log.control("e")).weights
    assert weights == {arm.name: arm.weight for arm in report.arms}
    assert report_text(report).count("bandit") > 2
    assert Report.from_json(report.to_json()).bandit


PROCESS = """
import asyncio, json, sys
sys.path.insert(0, {here!r})
from test_bandit import *

async def main():
    layer = split(bandit())
    async with SqliteLog({path!r}, budget="20s") as log:
        async with AsyncClient(models(), [layer], experiments=log) as client:
            await earn(client, log)
            await settled(layer, client)
        # Nobody allocates from now on.
        while not await log.lease("bandit:e", "nobody", 3600):
            await asyncio.sleep(0.001)
        layer = split(bandit())
        async with AsyncClient(models(), [layer], experiments=log) as client:
            arms = [dict((await ask(client, user)).trace.arms)["e"] for user in USERS]
        print(json.dumps([arms, layer.plan.propensities, layer.plan.version]))

asyncio.run(main())
"""


async def test_processes_agree(log: SqliteLog, tmp_path: Path) -> None:
    """Another process has learned; this one follows its weights, to the last user."""
    here = os.fspath(Path(__file__).parent)
    code = PROCESS.format(here=here, path=os.fspath(tmp_path / "events.db"))
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code], check=True, stdout=subprocess.PIPE
    )
    layer = split(bandit())
    async with AsyncClient(models(), [layer], experiments=log) as client:
        arms = [dict((await ask(client, user)).trace.arms)["e"] for user in USERS]
        assert [arms, layer.plan.propensities, layer.plan.version] == json.loads(done.stdout)
    assert arms.count("b") > 45


async def test_one_process_at_a_time(log: SqliteLog) -> None:
    """Whoever has no lease neither reads nor writes; later it goes on by itself."""
    assert await log.lease("bandit:e", "another", 60)
    layer = split(bandit())
    async with AsyncClient(models(), [layer], experiments=log) as client:
        await earn(client, log)
        assert (await log.control("e")).weights is None
        assert await log.lease("bandit:e", "another", 0.001)
        await settled(layer, client)


async def test_a_log_that_is_away(tmp_path: Path) -> None:
    """Requests are answered by the last weights; when it is back, they follow again."""

    class Away(SqliteLog):
        away = False

        async def lease(self, name: str, owner: str, seconds: float) -> bool:
            if self.away:
                raise ServerUnavailable("away")
            return await super().lease(name, owner, seconds)

    layer = split(bandit())
    async with (
        Away(tmp_path / "events.db", budget="20s") as log,
        AsyncClient(models(), [layer], experiments=log) as client,
    ):
        log.away = True
        await earn(client, log)
        assert layer.allocations["unread"] > 1
        assert layer.plan.propensities == {"a": 0.5, "b": 0.5}
        log.away = False
        await settled(layer, client)


@pytest.mark.parametrize("said", [Control(state="stopped"), Control(share=0.5)])
async def test_what_is_said_meanwhile_stays(tmp_path: Path, said: Control) -> None:
    """A stop that comes while the log is read is not undone; a share goes on with new weights."""

    class Slow(SqliteLog):
        async def read(self, experiment: str, *, after: str = "", limit: int = 0) -> Page:
            await self.steer("e", said)
            return await super().read(experiment, after=after, limit=limit)

    layer = split(bandit())
    async with (
        Slow(tmp_path / "events.db", budget="20s") as log,
        AsyncClient(models(), [layer], experiments=log) as client,
    ):
        while layer.plan.control != said:
            await ask(client, "u1")
        for _ in range(20):
            await ask(client, "u1")
        control = await log.control("e")
        assert (control.state, control.share) == (said.state, said.share)


async def test_each_request_by_itself(log: SqliteLog) -> None:
    """
    One user gets both arms, as often as their weights say; nothing is answered at once, for
    then the arm whose answer is in memory would get more than its share. 300 draws: four errors
    are 0.1.
    """
    layer = split(bandit(draw="request", every="1h", floor="10%"), control_age="1h")
    async with AsyncClient(models(), [layer, Cache()], experiments=log) as client:
        for _ in range(300):
            assert client.infer_now("m", {"x": [[1.0]]}, tags={"user": "u1"}) is None
            await ask(client, "u1")
        answers = await events(log, Answer)
    arms = Counter(answer.arm for answer in answers)
    assert arms["a"] / 300 == pytest.approx(0.5, abs=0.12)
    assert len({answer.cache for answer in answers}) == 2
    assert {answer.propensity for answer in answers} == {0.5}
    assert len({answer.answer for answer in answers}) == 300


async def test_a_unit_that_stays(log: SqliteLog) -> None:
    """Its exposure has the propensity with which it was drawn; its answers have none."""
    layer = split(bandit(), sticky=MemorySticky())
    async with AsyncClient(models(), [layer, Cache()], experiments=log) as client:
        before = {user: (await ask(client, user)).trace.arms for user in USERS}
        await earn(client, log)
        await settled(layer, client)
        assert {user: (await ask(client, user)).trace.arms for user in USERS} == before
        while (await log.control("e")).weights != layer.plan.propensities:
            await ask(client, "u1")
        at_once = await asyncio.to_thread(
            client.infer_now, "m", {"x": [[1.0]]}, tags={"user": "u2"}
        )
        assert at_once is None or at_once.trace.arms == before["u2"]
    exposures = await events(log, Exposure)
    assert {exposure.propensity for exposure in exposures} >= {0.5}
    assert None not in {exposure.propensity for exposure in exposures}
    assert {answer.propensity for answer in await events(log, Answer)} == {None}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: split(bandit(floor="60%")), "0.6 at least, but got 0.5"),
        (
            lambda: Split("e", Arm("a", weight=99), Arm("b"), allocate=bandit()),
            "arm 'b' must begin with the floor's share of 0.05 at least, but got 0.01",
        ),
        (lambda: split(bandit(draw="request"), sticky=MemorySticky()), "draw must be 'unit'"),
    ],
)
def test_what_is_wrong_is_said(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


POLICY = """
server = "http://localhost:8000"
experiments = { type = "sqlite", path = "events.db" }

[[layers]]
type = "split"
experiment = "ranker"
allocate = { outcome = "clicks", delay = "1h" }
arms = [{ name = "a" }, { name = "b", model = "other" }, { name = "c", weight = 0 }]
"""


def test_a_policy() -> None:
    """It builds what Python builds, and says what a bandit is not."""
    policy = Policy(POLICY, environment={})
    _, (built,) = policy.build()
    arms = Arm("a"), Arm("b", model="other"), Arm("c", weight=0)
    assert repr(built) == repr(Split("ranker", *arms, allocate=Thompson("clicks", delay="1h")))
    assert "allocate=Thompson('clicks', floor=0.05, every='30s', delay='1h'" in repr(built)
    told = explain(policy)
    assert "1. split: each user gets an arm of the bandit ranker" in told
    assert "always gets the same arm" not in told
    assert "No interval of a report holds for it" in told
