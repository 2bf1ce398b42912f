"""What harms is stopped, soon; what does not is not, but as often as alpha says."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tritonkit.client import Arm, AsyncClient, Guard, Harm, InferRequest, Split, SqliteLog
from tritonkit.client.experiments.control import Control
from tritonkit.client.experiments.events import Answer, Event, Outcome, new_answer_id
from tritonkit.client.experiments.guard import harms
from tritonkit.client.experiments.guarded import Guarded
from tritonkit.client.layers.split.guarding import Guarding
from tritonkit.client.policy.policy import Policy
from tritonkit.client.statistics.moments import Moments
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.errors import ConfigError, InferenceFailed

LOOKS = np.unique(np.geomspace(20, 4000, 14).astype(int))
"""Units of each arm when the guard looks; in between it would not see much else."""


def stopped_at(guard: Guard, treatment: Any, control: Any, *, rate: bool) -> int | None:
    """Units of each arm at which an experiment is stopped, for values in their order."""
    for n in LOOKS:
        arms = [Moments.of(values[:n]) for values in (treatment, control)]
        if harms(guard, *arms, rate=rate):
            return int(n)
    return None


@pytest.mark.parametrize("rate", [True, False])
def test_arms_that_are_equal_are_seldom_stopped(rate: bool) -> None:
    """In 200 experiments at alpha 0.1, at every look together."""
    generator = np.random.default_rng(3)
    guard = Guard("errors" if rate else "latency", alpha=0.1)
    stops = 0
    for _ in range(200):
        shape = (2, int(LOOKS[-1]))
        if rate:
            values = (generator.random(shape) < 0.05).astype(float)
        else:
            values = generator.exponential(0.02, shape)
        stops += stopped_at(guard, *values, rate=rate) is not None
    # 20 are expected at most; a binomial of 200 and 0.1 exceeds 34 in one case of 1,000.
    assert stops <= 34


def test_a_unit_that_goes_on_and_on() -> None:
    """200 units an arm that all began before the first look, each with ever more answers."""
    generator = np.random.default_rng(4)
    guard = Guard("latency", alpha=0.1)
    units, looks, runs = 200, 40, 200
    # Units differ for good, so what they do is not independent from look to look.
    base = generator.exponential(0.02, (runs, 2, units))
    means = np.zeros((runs, 2, units))
    stopped = np.zeros(runs, np.bool_)
    for look in range(1, looks + 1):
        means += (base * generator.exponential(1, base.shape) - means) / look
        for run in np.flatnonzero(~stopped):
            arms = [Moments.of(means[run, arm]) for arm in (0, 1)]
            stopped[run] = harms(guard, *arms, rate=False)
    # As above.
    assert stopped.sum() <= 34


@pytest.mark.parametrize(
    ("guard", "arms", "within"),
    [
        (Guard("errors", 0.01), (0.5, 0.01), 70),
        (Guard("errors", 0.01), (0.15, 0.05), 1200),
        # Mean seconds, of which a tenth more is tolerated.
        (Guard("latency", 0.1, relative=True), (0.03, 0.02), 1000),
    ],
)
def test_harm_is_found_in_time(guard: Guard, arms: tuple[float, float], within: int) -> None:
    """In each of 50 experiments within so many units of each arm."""
    generator = np.random.default_rng(5)
    rate = guard.metric == "errors"
    size = int(LOOKS[-1])
    for _ in range(50):
        values = [
            (generator.random(size) < arm).astype(float)
            if rate
            else generator.exponential(arm, size)
            for arm in arms
        ]
        at = stopped_at(guard, *values, rate=rate)
        assert at is not None
        assert at <= within


def test_what_is_tolerated() -> None:
    """Twice as many errors are no harm where that is allowed, either way; less is never harm."""
    treatment, control = Moments.of_counts(400, 4000), Moments.of_counts(200, 4000)
    assert harms(Guard("errors"), treatment, control, rate=True)
    assert harms(Guard("errors", 0.01), treatment, control, rate=True)
    assert not harms(Guard("errors", 0.05), treatment, control, rate=True)
    assert not harms(Guard("errors", 1.5), treatment, control, rate=True)
    assert harms(Guard("errors", 0.2, relative=True), treatment, control, rate=True)
    assert not harms(Guard("errors", 1.0, relative=True), treatment, control, rate=True)
    assert not harms(Guard("errors"), control, treatment, rate=True)
    assert not harms(Guard("paid"), treatment, control, rate=True)
    assert harms(Guard("paid"), control, treatment, rate=True)
    assert not harms(Guard("errors"), Moments(), control, rate=True)


def answers(arm: str, count: int, *, version: str = "v", **fields: Any) -> list[Answer]:
    return [
        Answer(
            answer=new_answer_id(),
            experiment="e",
            version=version,
            arm=arm,
            unit=f"{arm}{number}",
            at=1e9,
            **{"seconds": 0.1, **fields},
        )
        for number in range(count)
    ]


def paid(of: Sequence[Answer], value: float) -> list[Event]:
    return [Outcome(answer=each.answer, name="paid", value=value, at=1e9) for each in of]


def test_each_metric() -> None:
    """Of what it is made; another version does not count."""
    good, bad = answers("control", 300), answers("b", 300, error="X")
    guards: dict[str, tuple[list[Any], list[Any]]] = {
        "errors": (good, bad),
        "degraded": (good, answers("b", 300, degraded="stale")),
        "cost": (answers("control", 300, cost=100), [*answers("b", 299, cost=200), *bad[:1]]),
        "answers": ([*good, *good, *good[:9]], bad),
        "latency": ([*good, *answers("control", 1, seconds=0.2)], answers("b", 300, seconds=0.3)),
        "paid": ([*good, *paid(good, 1.0)], [*bad, *paid(bad, 0.0)]),
    }
    for name, (first, second) in guards.items():
        guarded = Guarded((Guard(name),), "v", ("control", "b"))
        guarded.add([*first, *second])
        harm = guarded.harm()
        assert harm is not None, name
        assert (harm.arm, harm.guard.metric) == ("b", name)
        assert harm.units in (599, 600)
        other = Guarded((Guard(name),), "w", ("control", "b"))
        other.add([*first, *second])
        assert other.harm() is None
    assert Guarded((Guard("paid"),), "v", ("control", "b")).harm() is None


async def test_one_process_looks_and_stops(tmp_path: Path) -> None:
    """The other waits for it to end; an experiment that does not run is left as it is."""
    async with SqliteLog(tmp_path / "e.db", max_age=None) as log:
        first, second = (
            Guarding(
                log,
                "e",
                (Guard("errors", 0.01),),
                owner=owner,
                interval=60,
                plan=lambda: ("v", ("control", "b")),
                on_harm=None,
            )
            for owner in ("first", "second")
        )
        log.add([*answers("control", 100), *answers("b", 20)])
        await log.flush()
        assert await first.look() is None
        log.add(answers("b", 100, error="X"))
        await log.flush()
        assert await second.look() is None
        assert (await log.control("e")).state == "running"
        # The first one ends.
        await log.lease("guard:e", "first", 0.001)
        await asyncio.sleep(0.05)
        harm = await second.look()
        assert harm is not None
        assert await first.look() is None
        control = await log.control("e")
        assert (control.state, control.reason) == ("stopped", harm.reason)
        # Of the first 20 units of b the answers with errors are the second ones.
        assert harm.reason == (
            "b harms errors: 0.9 over 100 units, the control 0 over 100 units; 0.01 is tolerated"
        )
        await log.steer("e", Control(state="promoted", arm="b"))
        assert await second.look() is None
        assert (await log.control("e")).state == "promoted"


class Models(FakeTransport):
    """One that answers, one that fails every other time."""

    cancels = True

    def __init__(self) -> None:
        self.asked = 0
        super().__init__(self._answer, inputs={"x": (1,)}, outputs={"y": (1,)})

    async def _answer(self, request: InferRequest) -> dict[str, Any]:
        self.asked += request.model == "bad"
        if request.model == "bad" and self.asked % 2:
            raise InferenceFailed("broken", model=request.model)
        return {"y": request.inputs["x"]}


async def test_a_split_stops_what_harms(tmp_path: Path) -> None:
    """Within 300 users, one answer each; then the control answers all of them."""
    found: list[Harm] = []
    split = Split(
        "e",
        Arm("control", model="good"),
        Arm("b", model="bad"),
        control_age="20ms",
        guards=[Guard("errors", 0.02)],
        guard_interval="20ms",
        on_harm=found.append,
    )
    path = tmp_path / "e.db"
    x = np.ones((1, 1), np.float32)
    async with AsyncClient(Models(), [split], experiments=str(path)) as client:
        # An arm of 150 users of which half get errors is far beyond: e-values of some e+30.
        users = 0
        while not found and users < 300:
            answer = client.infer("good", {"x": x}, tags={"user": f"u{users}"})
            await asyncio.gather(answer, return_exceptions=True)
            users += 1
            await asyncio.sleep(0.002)
        for _ in range(200):
            if found:
                break
            await asyncio.sleep(0.05)
        assert found
        assert found[0].units <= 300
        for _ in range(200):
            response = await client.infer("good", {"x": x}, tags={"user": "u1"})
            if not response.trace.arms:
                break
            await asyncio.sleep(0.02)
        responses = [
            await client.infer("good", {"x": x}, tags={"user": f"u{n}"}) for n in range(50)
        ]
        assert all(response.trace.arms == () for response in responses)
        log = SqliteLog(path)
        assert (await log.control("e")).reason == found[0].reason
        weights = await log.weights("e")
        assert list(weights.values()) == [{"control": 1, "b": 1}]
        await log.aclose()


def test_in_a_policy() -> None:
    """As a table, and told by explain."""
    policy = Policy(
        'server = "http://localhost:1"\nexperiments = { type = "sqlite", path = "e.db" }\n'
        '[[layers]]\ntype = "split"\nexperiment = "e"\narms = [{ name = "a" }, { name = "b" }]\n'
        'guards = [{ metric = "errors", harm = 0.01, alpha = 0.001 }]\nguard_interval = "10s"\n'
    )
    (split,) = policy.build()[1]
    assert isinstance(split, Split)
    assert (Guard("errors", 0.01, alpha=0.001),) == split.guards


@pytest.mark.parametrize(
    "wrong",
    [
        {"metric": ""},
        {"metric": "x", "harm": -1},
        {"metric": "x", "harm": math.inf},
        {"metric": "x", "better": "up"},
        {"metric": "x", "aggregate": "max"},
        {"metric": "errors", "aggregate": "sum"},
        {"metric": "x", "alpha": 0},
    ],
)
def test_wrong_arguments(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Guard(**wrong)


def test_a_wrong_interval() -> None:
    with pytest.raises(ConfigError, match="guard_interval"):
        Split("e", Arm("a"), Arm("b"), guard_interval=0)
