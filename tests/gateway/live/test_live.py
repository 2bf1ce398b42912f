from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from time import monotonic
from typing import Any

import numpy as np
import pytest

from tritonkit.client.async_client import AsyncClient
from tritonkit.client.layers.breaker.breaker import Breaker
from tritonkit.client.layers.budget.budget import Budget
from tritonkit.client.layers.budget.limits import Quota
from tritonkit.client.layers.cache.cache import Cache
from tritonkit.client.layers.limit.limit import Limit
from tritonkit.client.layers.split.arm import Arm
from tritonkit.client.layers.split.split import Split
from tritonkit.client.layers.telemetry.telemetry import Telemetry
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.client.transports.endpoints.endpoints import Endpoints
from tritonkit.errors import ConfigError, InferenceFailed, ServerUnavailable
from tritonkit.gateway.faults.rig import Rig
from tritonkit.gateway.live.document import History, State, to_json
from tritonkit.gateway.live.history import History as HistoryFile
from tritonkit.gateway.live.live import Live, wall_clock
from tritonkit.gateway.live.sample import Sample
from tritonkit.gateway.live.settings import LiveSettings
from tritonkit.gateway.passed import Passed
from tritonkit.gateway.serving import Serving

CONFIG = {
    "parameters": {
        "tritonkit.batch_invariant": {"string_value": "true"},
        "tritonkit.model_digest": {"string_value": "one"},
    }
}


class Worker:
    """One worker's client and live page, whose seconds pass when the test says so."""

    def __init__(
        self, folder: Any, number: int = 0, workers: int = 2, passing: bool = False, **options: Any
    ) -> None:
        self.failing = False
        server = FakeTransport(self._answer, inputs={"x": (1,)}, outputs={"y": (1,)}, config=CONFIG)
        server.address = "http://user:secret@a:8000"
        split = Split(
            "int8", Arm("control", weight=1), Arm("small", weight=1, model="small"), by="user"
        )
        layers = [
            split,
            Cache(),
            Breaker(min_calls=1, window="1m"),
            Limit(),
            Budget(Quota("100 calls", window="1h"), Quota("9 calls", per="user", window="1d")),
        ]
        self.rig = Rig()
        rigged, steered = self.rig.around(Endpoints(server), layers, models=["m"])
        self.telemetry = Telemetry()
        self.client = AsyncClient(
            rigged, [self.telemetry, *steered], experiments=folder / "events.sqlite"
        )
        gateway = folder / "gateway-1"
        self.serving = Serving(
            client=self.client,
            telemetry=self.telemetry,
            worker=number,
            workers=workers,
            folder=gateway,
        )
        settings = LiveSettings(**{"history": str(folder / "history.sqlite"), **options})
        self.live = Live(self.serving, settings, rig=self.rig)
        self.live.start()
        if not passing:
            assert self.live._ticking is not None
            self.live._ticking.cancel()

    def _answer(self, request: Any) -> dict[str, Any]:
        if self.failing:
            raise InferenceFailed("it fails", model=request.model)
        return {"y": request.inputs["x"] * 2}

    async def second(self) -> State:
        """A second passes; what the page shows then."""
        await self.live._tick()
        found: State = json.loads(self.live.encoded())
        return found

    async def ask(self, value: float, user: str = "u1") -> None:
        """As the gateway does: a request, and then whoever observes is told."""
        x = np.array([[value]], dtype=np.float32)
        at, error, trace = wall_clock(), "", None
        try:
            trace = (await self.client.infer("m", {"x": x}, tags={"user": user})).trace
        except InferenceFailed:
            error = "InferenceFailed"
        origin = "model" if trace is None or not trace.origins else trace.origins[0]
        self.serving.passed(
            Passed(
                at=at,
                seconds=0.0001 if origin == "memory" else 0.004,
                route="infer",
                model="m",
                tenant="shop",
                rows=1,
                status=500 if error else 200,
                error=error,
                origins={} if trace is None else {origin: 1},
                arms=() if trace is None else trace.arms,
                attempts=0 if trace is None else trace.attempts,
                cost=5,
            )
        )

    async def aclose(self) -> None:
        await self.live.aclose()
        await self.client.aclose()


@pytest.fixture
async def worker(tmp_path) -> AsyncIterator[Callable[..., Worker]]:
    made: list[Worker] = []

    def worker(*arguments: Any, **options: Any) -> Worker:
        made.append(Worker(tmp_path, *arguments, **options))
        return made[-1]

    yield worker
    for each in made:
        await each.aclose()


def lately(state: State) -> int:
    """Requests of the window."""
    return round(state["requests"]["per_second"] * state["seconds"])


async def test_any_worker_shows_all_of_them(worker, fits):
    """Requests, latencies, layers, quotas, servers, arms and the last requests, added up."""
    first, second = worker(0), worker(1)
    for value in (1.0, 1.0, 2.0):
        await first.ask(value)
    await second.ask(3.0, "u2")
    await first.second()
    await second.second()

    state = await first.second()
    other = await second.second()

    assert fits(state, State)
    assert state["workers"] == 2
    assert state["requests"]["total"] == other["requests"]["total"] == 4
    # It began just now.
    assert state["seconds"] < 60
    assert state["requests"]["per_second"] == pytest.approx(4 / state["seconds"])
    assert state["rows"]["by_origin"] == {"memory": 1, "model": 3}
    assert state["rows"]["hit_share"] == 0.25
    assert [(tier["tier"], tier["requests"]) for tier in state["latency"]] == [
        ("memory", 1), ("model", 3)
    ]  # fmt: skip
    assert (state["cost"]["total"], state["cost"]["per_success"]) == (20, 5.0)
    assert state["cost"]["per_second"] == pytest.approx(20 / state["seconds"])
    assert [each["worker"] for each in state["recent"]] == [1, 0, 0, 0]
    assert {breaker["state"] for breaker in state["breakers"]} == {"closed"}
    assert {limit["model"] for limit in state["limits"]} <= {"m", "small"}
    (endpoint,) = state["endpoints"]
    assert endpoint["endpoint"] == "http://a:8000"
    assert endpoint["requests"] == 3
    # Each worker has a ledger of its own, so both may spend as much.
    assert state["budgets"][0] == {
        "quota": "100 calls in 1h", "unit": "calls", "limit": 200, "spent": 3, "left": 197,
        "window": 3600.0, "denied": 0, "apart": False,
    }  # fmt: skip
    apart = state["budgets"][1]
    assert (apart["spent"], apart["left"], apart["apart"]) == (None, None, True)
    (experiment,) = state["experiments"]
    assert [arm["arm"] for arm in experiment["arms"]] == ["control", "small"]
    assert sum(arm["requests"] for arm in experiment["arms"]) == 4
    assert sum(arm["share"] for arm in experiment["arms"]) == pytest.approx(1.0)
    assert state["history"] == {"kept": True, "why": ""}
    assert {alert["text"] for alert in state["alerts"]} == {"worker 0 began", "worker 1 began"}


async def test_a_worker_that_begins_again_counts_nothing_twice(worker, tmp_path, monkeypatch):
    """It learns of the minute before, which is past as any other minute's."""
    now = wall_clock()
    before = HistoryFile(
        tmp_path / "history.sqlite", gateway="gateway-1", worker=1, wall=lambda: now
    )
    second = Sample()
    second.count(Passed(at=now, seconds=0.01, route="infer", rows=1))
    before.exchange([(int(now) - age, second) for age in range(1, 60)])
    before.close()
    first = worker(0)

    state = await first.second()

    assert 50 < state["seconds"] <= 60
    assert 20 < lately(state) < 60
    # Most of it is more than a minute ago by now.
    monkeypatch.setattr(first.live, "_clock", lambda: monotonic() + 50)
    assert lately(first.live.state()) < 20


async def test_nothing_that_was_asked_is_shown(worker):
    """Neither inputs, tags nor what is in the URL of a server."""
    first = worker(0)
    await first.ask(1234567.0, "somebody")
    await first.second()

    shown = first.live.encoded().decode()

    for secret in ("1234567", "somebody", "user:secret", "secret"):
        assert secret not in shown


async def test_changes_come_to_all_workers(worker):
    """Here at once, at the others with their next second; the page tells of them."""
    first, second = worker(0), worker(1)
    await first.ask(1.0)
    await second.ask(1.0)

    controls = await first.live.change(first.rig.switched("cache", False), "cache is switched off")
    state = await second.second()

    assert {layer["name"]: layer["on"] for layer in controls["layers"]}["cache"] is False
    assert state["controls"]["layers"] == controls["layers"]
    await first.second()
    told = (await second.second())["alerts"][0]
    assert (told["kind"], told["text"]) == ("fault", "cache is switched off")
    setting = second.rig.broken("fail", True, 1, wall_clock())
    await second.live.change(setting, "all fails")
    await first.second()
    await first.ask(9.0)
    assert (await first.second())["requests"]["errors"] == 1


async def test_an_outage_is_told_once(worker):
    """A circuit that opens and closes again is two alerts."""
    first = worker(0)
    first.failing = True
    await first.ask(1.0)
    await first.second()
    state = await first.second()

    assert state["breakers"][0]["state"] == "open"
    model = state["breakers"][0]["model"]
    texts = [alert["text"] for alert in state["alerts"]]
    assert texts == [f"{model}: the circuit opened", "worker 0 began"]


async def test_the_past_of_all_workers(worker, fits):
    """In steps, across a restart of the gateway."""
    first, second = worker(0), worker(1)
    await first.ask(1.0)
    await second.ask(2.0)
    for each in (first, second):
        await each.second()
        await each.live.aclose()

    third = worker(0)
    found = await third.live.history(60, 240)

    assert fits(found, History)
    assert to_json(found)
    assert found["step"] == 15.0
    assert sum(point["requests_per_second"] * 15 for point in found["points"]) == 2
    assert sum(point["by_origin"]["model"] for point in found["points"] if point["by_origin"]) == 2
    # The minute before goes on.
    assert lately(await third.second()) == 2


async def test_what_cannot_be_kept_is_said(worker, tmp_path, caplog):
    """Requests go on, and what was counted meanwhile is written later."""
    first = worker(0)
    await first.second()
    blocker = sqlite3.connect(tmp_path / "history.sqlite", isolation_level=None)
    await first.live._keeper._run(lambda history: history._file.execute("PRAGMA busy_timeout = 1"))
    blocker.execute("BEGIN IMMEDIATE")
    await first.ask(1.0)

    state = await first.second()

    assert state["history"]["kept"] is False
    assert "database is locked" in state["history"]["why"]
    assert state["requests"]["total"] == 1
    assert lately(state) == 1
    assert caplog.text.count("the history is not kept") == 1
    with pytest.raises(ServerUnavailable, match="database is locked"):
        await first.live.change(first.rig.switched("cache", False), "off")
    with pytest.raises(ServerUnavailable, match="not kept"):
        await first.live.history(60, 240)
    blocker.execute("ROLLBACK")
    blocker.close()
    first.live._keeper._again = 0.0
    state = await first.second()
    assert state["history"] == {"kept": True, "why": ""}
    assert state["requests"]["total"] == 1


async def test_a_full_disk_is_said(worker):
    """Nothing is lost once there is room again."""
    first = worker(0)
    await first.second()

    def fill(history: Any) -> None:
        (pages,) = history._file.execute("PRAGMA page_count").fetchone()
        history._file.execute(f"PRAGMA max_page_count = {pages}")

    await first.live._keeper._run(fill)
    for number in range(40):
        await first.ask(float(number), f"u{number}")
        state = await first.second()
        if not state["history"]["kept"]:
            break

    assert state["history"]["why"].endswith("database or disk is full")
    assert state["requests"]["total"] == number + 1
    # Tried again with another connection, which knows no bound.
    first.live._keeper._again = 0.0
    state = await first.second()
    assert state["history"] == {"kept": True, "why": ""}
    assert state["requests"]["total"] == number + 1


async def test_a_file_that_is_damaged_while_it_is_used(worker, tmp_path):
    """Whoever notices sets it aside; both go on with another one, and count nobody twice."""
    first, second = worker(0), worker(1)
    path = tmp_path / "history.sqlite"
    for each in (first, second):
        await each.ask(1.0)
        await each.second()
    await first.second()
    for suffix in ("", "-wal"):
        damaged = path.with_name(f"{path.name}{suffix}")
        damaged.write_bytes(b"\xff" * damaged.stat().st_size)

    for _ in range(2):
        for each in (first, second):
            each.live._keeper._again = 0.0
            await each.second()
    for each in (first, second):
        state = await each.second()
        assert state["history"] == {"kept": True, "why": ""}
        assert state["workers"] == 2
        assert lately(state) == 2
        assert [a["kind"] for a in state["alerts"]].count("history") == 1
    assert (tmp_path / "history.sqlite.broken").exists()


async def test_what_came_while_nothing_was_kept_is_counted_once(worker):
    """Also where the file was opened anew."""
    first, second = worker(0), worker(1)
    for each in (first, second):
        await each.ask(1.0)
        await each.second()
    await first.second()

    first.live._keeper._failed(sqlite3.OperationalError("disk I/O error"))
    first.live._keeper._again = 0.0
    state = await first.second()

    assert lately(state) == 2
    assert state["requests"]["total"] == 2


async def test_a_folder_that_cannot_be_written(worker, tmp_path):
    """The gateway serves, and the page says why there is no history."""
    (tmp_path / "file").write_text("")
    first = worker(0, history=str(tmp_path / "file" / "history.sqlite"))
    await first.ask(1.0)

    state = await first.second()

    assert state["history"]["kept"] is False
    assert "Not a directory" in state["history"]["why"] or "exists" in state["history"]["why"]
    assert state["requests"]["total"] == 1


async def test_experiments_are_looked_at(worker):
    """By a thread, while somebody watches; the page has the verdict with the next second."""
    first = worker(0)
    for number in range(8):
        await first.ask(float(number), f"u{number}")
    await first.client.experiments.flush()
    first.live.encoded()
    await first.second()
    await first.live._verdicts.aclose()

    (experiment,) = (await first.second())["experiments"]

    assert experiment["verdict"] == "undecided by any metric (none was named to decide)"


async def test_a_ledger_that_does_not_answer_holds_nothing_up(worker, monkeypatch):
    """As Redis' when it hangs: the page goes on with what was read last."""
    first = worker(0)
    await first.ask(1.0)
    assert (await first.second())["budgets"][0]["spent"] == 1
    asked, answer = asyncio.Event(), asyncio.Event()

    async def hangs(*_: Any) -> Any:
        asked.set()
        await answer.wait()
        raise ServerUnavailable("the ledger cannot be reached")

    (budget,) = {id(layer): layer for layer in first.live._budgets._layers}.values()
    monkeypatch.setattr(budget.ledger, "usage", hangs)
    first.live._budgets._next = 0.0

    async with asyncio.timeout(20):
        state = await first.second()
        assert asked.is_set()
        assert state["budgets"][0]["spent"] == 1
        answer.set()
        await asyncio.wait({first.live._budgets._reading})
        state = await first.second()

    assert (state["budgets"][0]["spent"], state["budgets"][0]["apart"]) == (None, False)


async def test_seconds_pass_by_themselves(worker):
    """A listener hears of each; the streams end with the drain."""
    first = worker(0, passing=True)
    stream = first.live.broadcast.listen(first.live.encoded())
    heard = [await anext(stream), await asyncio.wait_for(anext(stream), 10)]

    assert heard[0].startswith(b"retry: 2000\n\nevent: state\ndata: {")
    assert heard[1].startswith(b"event: state\ndata: {")
    assert json.loads(heard[1].split(b"data: ")[1])["workers"] == 1
    first.live.drain()
    rest = [each async for each in stream]
    assert len(rest) <= 1


async def test_memory_is_for_one_worker(worker):
    """Several would each show themselves alone."""
    with pytest.raises(ConfigError, match="in the memory of one worker, and there are 2"):
        worker(0, workers=2, history="none")
    alone = worker(0, workers=1, history="none")
    await alone.ask(1.0)
    state = await alone.second()
    assert state["history"] == {"kept": False, "why": ""}
    assert state["requests"]["total"] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seconds": "8d"}, "minutes must be kept as long as seconds at least"),
        ({"size": "1kB"}, "size must be at least 1MB"),
        ({"listeners": -1}, "listeners must not be negative"),
    ],
)
def test_settings_are_checked(options, message):
    """With the value in the message."""
    with pytest.raises(ConfigError, match=message):
        LiveSettings(**options)


def test_the_file_is_the_users(monkeypatch):
    """In the state folder, one for each port."""
    monkeypatch.setenv("XDG_STATE_HOME", "/var/state")
    assert str(LiveSettings().path(80)) == "/var/state/tritonkit/gateway-80.sqlite"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/u")
    assert str(LiveSettings().path(80)) == "/home/u/.local/state/tritonkit/gateway-80.sqlite"
    assert str(LiveSettings(history="~/h.sqlite").path(80)) == "/home/u/h.sqlite"
