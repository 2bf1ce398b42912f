"""Each unit has its arm, what it met and got is written down once, and no arm tells another."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from tritonkit.client import (
    Answer,
    Arm,
    AsyncClient,
    Breaker,
    Cache,
    Client,
    Coalesce,
    Control,
    Exposure,
    Hedge,
    InferRequest,
    InferResponse,
    Layer,
    Limit,
    MemorySticky,
    Outcome,
    Retry,
    Route,
    Service,
    Split,
    SqliteLog,
    Stack,
    Sticky,
    Tiers,
)
from tritonkit.client.experiments.events import wall_clock
from tritonkit.client.policy.explain import explain
from tritonkit.client.policy.policy import Policy
from tritonkit.client.readings import readings
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.errors import (
    CircuitOpen,
    ConfigError,
    InferenceFailed,
    LimitExceeded,
    PolicyError,
    ServerUnavailable,
)

FACTORS = {"old": 2.0, "new": 3.0, "m": 5.0}
USERS = [f"u{number}" for number in range(40)]


class Models(FakeTransport):
    """Three models that multiply; each of them can be made to fail, to wait, or to look around."""

    cancels = True

    def __init__(self) -> None:
        self.broken: dict[str, int] = {}
        self.before: Callable[[InferRequest], Any] | None = None
        parameters = {
            "tritonkit.batch_invariant": {"string_value": "true"},
            "tritonkit.model_digest": {"string_value": "same"},
        }
        super().__init__(
            self._answer,
            inputs={"x": (1,)},
            outputs={"y": (1,)},
            config={"parameters": parameters, "dynamic_batching": {}},
        )

    async def _answer(self, request: InferRequest) -> dict[str, Any]:
        if self.before is not None:
            await self.before(request)
        if self.broken.get(request.model, 0) > 0:
            self.broken[request.model] -= 1
            raise InferenceFailed("broken", model=request.model)
        return {"y": request.inputs["x"] * np.float32(FACTORS[request.model])}

    @property
    def asked(self) -> Counter[str]:
        return Counter(request.model for request in self.requests)


def split(**options: Any) -> Split:
    return Split("e", Arm("control", model="old"), Arm("treatment", model="new"), **options)


@pytest.fixture
def models() -> Models:
    return Models()


@pytest_asyncio.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteLog]:
    # A busy machine must not make an exposure late.
    async with SqliteLog(tmp_path / "events.db", budget="20s") as made:
        yield made


@pytest.fixture
def client(models: Models, log: SqliteLog) -> Callable[..., AsyncClient]:
    return lambda *layers: AsyncClient(models, layers, experiments=log)


async def ask(
    client: AsyncClient, user: str | None = "u1", value: float = 1.0, **options: Any
) -> InferResponse:
    tags = {} if user is None else {"user": user}
    return await client.infer("m", {"x": [[value]]}, tags=tags, **options)


async def events(log: SqliteLog, kind: type[Any]) -> list[Any]:
    await log.flush()
    return [event async for event in log.events("e") if isinstance(event, kind)]


async def test_each_unit_has_an_arm(client: Any, log: SqliteLog) -> None:
    """The trace names it; the answer is its model's; exposure and answers name both."""
    one = client(split())
    answers = {user: await ask(one, user) for user in USERS}
    arms = {user: dict(answer.trace.arms)["e"] for user, answer in answers.items()}
    assert set(arms.values()) == {"control", "treatment"}
    for user, answer in answers.items():
        assert answer["y"].item() == (2 if arms[user] == "control" else 3)
    again = [await ask(one, user) for user in USERS]
    assert [dict(answer.trace.arms)["e"] for answer in again] == list(arms.values())

    exposures, recorded = await events(log, Exposure), await events(log, Answer)
    assert {exposure.unit: exposure.arm for exposure in exposures} == arms
    assert [exposure.answer for exposure in exposures] == [
        answer.trace.answer for answer in answers.values()
    ]
    assert len(recorded) == 2 * len(USERS)
    assert len({answer.answer for answer in recorded}) == 2 * len(USERS)
    assert len({exposure.version for exposure in exposures}) == 1
    assert {(a.rows, a.error, a.cache, a.degraded) for a in recorded} == {(1, "", "model", "")}


async def test_who_takes_no_part(client: Any, log: SqliteLog) -> None:
    """Gets the control arm, and leaves neither a record nor an id."""
    layer = split(share="0%")
    one = client(layer)
    for user in (None, "", "x" * 1001, "\udcff", "u1"):
        answer = await ask(one, user)
        assert answer["y"].item() == 2
        assert (answer.trace.arms, answer.trace.answer) == ((), "")
    assert layer.counts == {"untagged": 4, "outside": 1}
    assert await events(log, object) == []


async def test_what_telemetry_sees(client: Any) -> None:
    """What became of requests, and what stands in each arm, under the names of both."""
    layer = Split("e", Arm("a", layers=[Breaker()]), Arm("b", weight=0))
    one = client(layer)
    await ask(one)
    await ask(one, None)
    seen = list(readings([layer]))
    counts = {r.labels["kind"]: r.value for r in seen if r.name == "assignments"}
    assert {kind: count for kind, count in counts.items() if count} == {
        "assigned": 1,
        "untagged": 1,
    }
    assert {r.labels["arm"] for r in seen if not r.name.startswith("assignment")} == {"e:a"}


async def test_an_exposure_comes_before_the_answer(
    client: Any, models: Models, tmp_path: Path
) -> None:
    """When the model is asked, another process can read it."""
    seen = []

    async def look(request: InferRequest) -> None:
        file = sqlite3.connect(tmp_path / "events.db")
        seen.append(file.execute("SELECT count(*) FROM events WHERE once IS NOT NULL").fetchone())
        file.close()

    models.before = look
    one = client(split())
    await ask(one, "u1")
    await ask(one, "u2")
    await ask(one, "u1")
    assert seen == [(1,), (2,), (2,)]


@pytest.mark.parametrize(
    "make",
    [
        lambda: [split(), Retry(3)],
        lambda: [Retry(3), split()],
        lambda: [split(), Hedge(models=["old", "new"])],
        lambda: [split(), Cache()],
        lambda: [split(), Coalesce(apart=[])],
    ],
    ids=["retry-below", "retry-above", "hedge", "cache", "coalesce"],
)
async def test_exposed_exactly_once(
    make: Callable[[], list[Layer]], client: Any, models: Models, log: SqliteLog
) -> None:
    """Ten calls of each of three units at the same time, through two clients, with failures."""
    if any(isinstance(layer, Retry) for layer in make()):
        models.broken = {"old": 2, "new": 2}
    clients = [client(*make()), client(*make())]
    calls = [ask(clients[n % 2], f"u{n % 3}", n % 4) for n in range(30)]
    for answer in await asyncio.gather(*calls, return_exceptions=True):
        assert isinstance(answer, InferResponse | InferenceFailed)
    exposures = await events(log, Exposure)
    assert Counter(exposure.unit for exposure in exposures) == Counter(["u0", "u1", "u2"])
    arms = {exposure.unit: exposure.arm for exposure in exposures}
    recorded = await events(log, Answer)
    assert len(recorded) >= 30
    assert all(answer.arm == arms[answer.unit] for answer in recorded)


async def test_answers_tell_where_they_came_from(client: Any, log: SqliteLog) -> None:
    """The state of the cache, and what the arm could not do."""
    one = client(split(), Cache())
    await one.infer("m", {"x": [[1.0]]}, tags={"user": "u1"})
    await one.infer("m", {"x": [[1.0]]}, tags={"user": "u1"})
    await one.infer("m", {"x": [[1.0], [2.0]]}, tags={"user": "u1"})
    recorded = await events(log, Answer)
    assert [(a.cache, a.rows) for a in recorded] == [("model", 1), ("memory", 1), ("mixed", 2)]


async def test_a_fallback_is_the_outcome_of_its_arm(
    client: Any, models: Models, log: SqliteLog
) -> None:
    """Whatever answered: the treatment's users, when it fails, stay the treatment's."""
    models.broken = {"new": 10**6}
    inside = Tiers(Route("new", model="new"), Route("old", model="old"))
    one = client(Split("e", Arm("control", model="old"), Arm("treatment", layers=[inside])))
    for user in USERS:
        await ask(one, user)
    treated = [answer for answer in await events(log, Answer) if answer.arm == "treatment"]
    assert len(treated) > 5
    assert {answer.degraded for answer in treated} == {"fallback: new: InferenceFailed"}


async def test_errors_are_recorded(client: Any, models: Models, log: SqliteLog) -> None:
    """The name of the error; what the caller gave up is told from what failed."""
    one = client(split())
    models.broken = {"old": 1, "new": 1}
    with pytest.raises(InferenceFailed):
        await ask(one)
    begun = asyncio.Event()

    async def hang(request: InferRequest) -> None:
        begun.set()
        await asyncio.Event().wait()

    models.before = hang
    call = asyncio.ensure_future(ask(one))
    await begun.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert [a.error for a in await events(log, Answer)] == ["InferenceFailed", "Cancelled"]
    assert len(await events(log, Exposure)) == 1


async def test_no_arm_gets_anothers_cache(client: Any, models: Models) -> None:
    """Shared below them or of their own, even where both ask the same model."""
    one = client(split(), Cache())
    for user in USERS:
        answer = await ask(one, user)
        assert answer["y"].item() == (2 if dict(answer.trace.arms)["e"] == "control" else 3)
    assert models.asked == {"old": 1, "new": 1}
    twins = Split(
        "e", Arm("a", model="old", layers=[Cache()]), Arm("b", model="old", layers=[Cache()])
    )
    other = client(twins)
    for user in USERS:
        await ask(other, user)
    assert models.asked["old"] == 3


GUARDS: dict[str, Callable[[], Layer]] = {
    "breaker": lambda: Breaker(0.5, min_calls=2, window="60s", open_for="30s"),
    "hedge": lambda: Hedge(50, budget="100%", min_samples=2, models=["m"]),
    "limit": lambda: Limit(fixed=1, queue=0),
}


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("guard", GUARDS)
async def test_no_arm_decides_for_another(models: Models, guard: str, own: bool) -> None:
    """
    What a breaker, a hedge or a limit learns of one arm says nothing of the other.

    Whether the arms are two versions over one layer, or one version in layers of their own.
    """
    make = GUARDS[guard]
    options = [{"layers": [make()]} if own else {"version": str(n)} for n in (1, 2)]
    layer = Split(
        "e",
        *(Arm(name, **each) for name, each in zip("ab", options, strict=True)),
        overrides={"ua": "a", "ub": "b"},
    )
    one = AsyncClient(models, [layer] if own else [layer, make()])
    slow, sent, second = "", Counter[str](), asyncio.Event()

    async def before(request: InferRequest) -> None:
        user = request.tags["user"]
        sent[user] += 1
        if slow == "fails" and user == "ua":
            raise ServerUnavailable("down", model="m")
        if slow == user:
            if sent[user] > 1:
                second.set()
            elif user == "ua":
                await second.wait()
            else:
                # Fifty times what the other arm takes, and what is late at all.
                await asyncio.sleep(0.05)

    models.before = before
    if guard == "breaker":
        slow = "fails"
        for error in (ServerUnavailable, ServerUnavailable, CircuitOpen):
            with pytest.raises(error):
                await ask(one, "ua")
        assert (await ask(one, "ub"))["y"].item() == 5.0
    elif guard == "limit":
        slow = "ua"
        held = asyncio.create_task(ask(one, "ua"))
        while not sent:  # noqa: ASYNC110, nothing tells
            await asyncio.sleep(0)
        with pytest.raises(LimitExceeded):
            await ask(one, "ua")
        assert (await ask(one, "ub"))["y"].item() == 5.0
        second.set()
        await held
    else:
        for _ in range(2):
            await ask(one, "ua")
        for slow, count in (("ua", 2), ("ub", 1)):
            sent.clear()
            await ask(one, slow)
            assert sent == {slow: count}
    await one.aclose()


async def test_no_arm_opens_anothers_breaker(client: Any, models: Models) -> None:
    """Of two arms with the same model, and a breaker each, one keeps failing."""

    class Fails(Layer):
        async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
            raise ServerUnavailable("down", model=request.model)

    def guard() -> Breaker:
        return Breaker(0.5, min_calls=2, window="60s", open_for="30s")

    bad = Arm("bad", model="old", layers=[guard(), Fails()])
    one = client(Split("e", Arm("good", model="old", layers=[guard()]), bad))
    got = [
        dict(answer.trace.arms)["e"] if isinstance(answer, InferResponse) else type(answer).__name__
        for answer in [
            await asyncio.gather(ask(one, user), return_exceptions=True) for user in USERS
        ]
        for answer in answer
    ]
    counts = Counter(got)
    assert set(counts) == {"good", "ServerUnavailable", "CircuitOpen"}
    assert counts["ServerUnavailable"] == 2


class Keeper(Layer):
    """A cache of somebody else."""

    shares_answers = True

    async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
        return await inner(request)


@pytest.mark.parametrize(
    "make",
    [
        lambda models: Stack(models, [Cache(), split()]),
        lambda models: Stack(models, [Coalesce(), Retry(), split()]),
        lambda models: Stack(models, [Keeper(), split()]),
        lambda models: Stack(Stack(models, [split()]), [Cache()]),
        lambda models: Stack(models, [Cache(), Tiers(Route("a", layers=[split()]))]),
        lambda models: Stack(models, [Tiers(Route("a", layers=[Cache(), split()]))]),
        lambda models: Stack(models, [Split("f", Arm("a", layers=[Cache(), split()]), Arm("b"))]),
        lambda models: AsyncClient(models, [Cache(), split()]),
    ],
)
async def test_what_shares_answers_may_not_stand_above(make: Any, models: Models) -> None:
    """One arm's answers would be given to the other's users."""
    with pytest.raises(ConfigError, match="Split must stand above"):
        make(models)


async def test_experiments_that_do_not_go_together(models: Models) -> None:
    """One of them twice, or two that want the same units of a group."""

    def grouped(name: str, start: float, end: float) -> Split:
        return Split(name, Arm("a"), Arm("b"), group="g", range=(start, end))

    Stack(models, [grouped("one", 0, 0.5), grouped("two", 0.5, 1)])
    with pytest.raises(ConfigError, match="ranges that do not overlap"):
        Stack(models, [grouped("one", 0, 0.6), grouped("two", 0.5, 1)])
    with pytest.raises(ConfigError, match="'e' stands in the stack twice"):
        Stack(models, [split(), split()])


async def test_experiments_above_each_other_share_an_answer(client: Any, log: SqliteLog) -> None:
    """One id for all of them; the outermost is named first."""
    one = client(Split("outer", Arm("a"), Arm("b")), split())
    answer = await ask(one)
    assert [experiment for experiment, _ in answer.trace.arms] == ["outer", "e"]
    await log.flush()
    ids = {event.answer for experiment in ("outer", "e") async for event in log.events(experiment)}
    assert ids == {answer.trace.answer}


async def test_at_once(client: Any, models: Models, log: SqliteLog) -> None:
    """What is in memory needs no event loop, once the unit was exposed; it is recorded as well."""
    one = client(split(), Cache())
    first = await ask(one)
    assert one.infer_now("m", {"x": [[1.0]]}, tags={"user": "u2"}) is None
    at_once = await asyncio.to_thread(one.infer_now, "m", {"x": [[1.0]]}, tags={"user": "u1"})
    assert at_once is not None
    assert at_once["y"].item() == first["y"].item()
    assert at_once.trace.arms == first.trace.arms
    recorded = await events(log, Answer)
    assert [a.answer for a in recorded] == [first.trace.answer, at_once.trace.answer]
    assert recorded[1].cache == "memory"


async def test_at_once_from_an_arm_of_its_own(client: Any) -> None:
    """A cache among the layers of an arm answers at once as well."""
    one = client(
        Split("e", Arm("a", model="old", layers=[Cache()]), Arm("b", model="new", layers=[Cache()]))
    )
    first = await ask(one)
    at_once = one.infer_now("m", {"x": [[1.0]]}, tags={"user": "u1"})
    assert at_once["y"].item() == first["y"].item()


async def test_another_process_steers(client: Any, log: SqliteLog, tmp_path: Path) -> None:
    """Stop, promote, ramp and weights are followed within the age that was allowed."""
    one = client(split(control_age=0))
    arms = {user: dict((await ask(one, user)).trace.arms).get("e") for user in USERS}
    async with SqliteLog(tmp_path / "events.db") as other:

        async def steered(control: Control) -> dict[str, InferResponse]:
            await other.steer("e", control)
            return {user: await ask(one, user) for user in USERS}

        ramp = await steered(Control(share=0.5))
        assert 0 < sum(bool(answer.trace.arms) for answer in ramp.values()) < len(USERS)
        moved = await steered(Control(weights={"control": 0, "treatment": 1}))
        assert {dict(answer.trace.arms)["e"] for answer in moved.values()} == {"treatment"}
        promoted = await steered(Control(state="promoted", arm="treatment"))
        assert {answer["y"].item() for answer in promoted.values()} == {3.0}
        count = len(await events(log, object))
        stopped = await steered(Control(state="stopped", reason="harm"))
        assert {answer["y"].item() for answer in stopped.values()} == {2.0}
        # Nobody is exposed or recorded any more.
        assert len(await events(log, object)) == count
        running = await steered(Control())
        assert {user: dict(a.trace.arms)["e"] for user, a in running.items()} == arms
        # Each unit once for each version; a ramp is none of its own.
        exposed = Counter((e.unit, e.version) for e in await events(log, Exposure))
        assert set(exposed.values()) == {1}
        assert len(exposed) == 2 * len(USERS)


async def test_a_control_that_does_not_fit(client: Any, log: SqliteLog) -> None:
    """What held before goes on to hold, and it is counted once."""
    layer = split(control_age=0)
    one = client(layer)
    await log.steer("e", Control(weights={"control": 1, "other": 1}))
    for _ in range(2):
        assert (await ask(one)).trace.arms
    assert layer.counts["unfit"] == 1


async def test_in_steady_traffic_no_request_waits_for_the_control(
    client: Any, log: SqliteLog
) -> None:
    """It is asked for in the background while it is still young enough."""
    layer = split(control_age="1h")
    one = client(layer)
    await ask(one)
    controls: Any = layer._controls
    asked = controls._asked
    # Half of the age later.
    controls._asked -= 1900
    assert not controls.fresh
    assert one.infer_now("m", {"x": [[1.0]]}, tags={"user": "u1"}) is None
    await ask(one)
    while controls._asked < asked:  # noqa: ASYNC110, nothing tells
        await asyncio.sleep(0.001)
    assert controls.fresh


async def test_a_unit_sticks(client: Any, log: SqliteLog) -> None:
    """With a sticky store no unit moves when weights change; without its answer most do not."""
    sticky = MemorySticky()
    one = client(split(sticky=sticky, control_age=0))
    arms = {user: (await ask(one, user)).trace.arms for user in USERS}
    await log.steer("e", Control(weights={"control": 0, "treatment": 1}))
    assert {user: (await ask(one, user)).trace.arms for user in USERS} == arms
    # Another process, with the same memory.
    other = client(split(sticky=sticky, control_age=0))
    assert {user: (await ask(other, user)).trace.arms for user in USERS} == arms
    new = await ask(other, "somebody new")
    assert dict(new.trace.arms) == {"e": "treatment"}


async def test_who_sticks_follows_no_weights(client: Any, log: SqliteLog) -> None:
    """So no sample ratio is expected of a version with changed weights, and none is missed."""
    layer = split(sticky=MemorySticky(), control_age=0)
    one = client(layer)
    first = layer.plan.version
    for weights in (None, {"control": 9, "treatment": 1}):
        await log.steer("e", Control(weights=weights))
        for user in USERS:
            await ask(one, user)
    await one.aclose()
    assert len({e.version for e in await events(log, Exposure)}) == 2
    assert await log.weights("e") == {first: {"control": 1.0, "treatment": 1.0}}


async def test_another_salt_moves_who_sticks(client: Any) -> None:
    """Everybody is assigned anew, and sticks to that."""
    sticky = MemorySticky()
    arms = {}
    for salt in ("", "2", "2"):
        one = client(split(sticky=sticky, salt=salt))
        arms[salt] = {user: dict((await ask(one, user)).trace.arms)["e"] for user in USERS}
        fresh = split(salt=salt).plan.assignment
        assert arms[salt] == {user: fresh.arm(user) for user in USERS}
    assert arms[""] != arms["2"]


@pytest.mark.parametrize(
    "other",
    [
        lambda: Arm("b", layers=[Retry()]),
        lambda: Arm("b", layers=[Cache(), Retry()]),
        lambda: Arm("b", layers=[Retry(), Tiers(Route("r"), Route("s"))]),
        lambda: Arm("b", layers=[Retry(), Tiers(Route("r"), Route("s", model="small"))]),
        lambda: Arm("b", layers=[Retry(), Tiers(Route("r"), Route("s", layers=[Retry()]))]),
        lambda: Arm("b", server="http://localhost:8000"),
        lambda: Arm("b", revision="2"),
        lambda: Arm("b", model="2"),
        lambda: Arm("b", version="2"),
    ],
)
def test_another_arm_is_another_version(other: Callable[[], Arm]) -> None:
    """Whatever an arm is made of; the same arms of another process are the same version."""
    versions = [
        Split("e", Arm("a"), arm()).plan.version for arm in (other, other, lambda: Arm("b"))
    ]
    assert versions[0] == versions[1] != versions[2]


def test_no_two_of_them_are_one_version() -> None:
    """A field is not taken for another, nor the address of a server for anything."""
    arms = [
        Arm("b", layers=[Retry(), Tiers(Route("r"), Route("s"))]),
        Arm("b", layers=[Tiers(Route("r"), Route("s")), Retry()]),
        Arm("b", layers=[Tiers(Route("r", layers=[Retry()]), Route("s"))]),
        Arm("b", layers=[Tiers(Route("r"), Route("s", layers=[Retry()]))]),
        Arm("b", layers=[Tiers(Route("r"), Route("s", model="s"))]),
        Arm("b", layers=[Tiers(Route("r"), Route("s", version="s"))]),
    ]
    assert len({Split("e", Arm("a"), arm).plan.version for arm in arms}) == len(arms)
    places = [Arm("b", server=f"http://localhost:800{number}") for number in range(2)]
    assert len({Split("e", Arm("a"), arm).plan.version for arm in places}) == 1


async def test_a_sticky_store_that_fails(client: Any) -> None:
    """The arm is that of every process without one, and it is counted."""

    class Lost(Sticky):
        async def first(self, experiment: str, unit: str, arm: str) -> str | None:
            return None

    layer = split(sticky=Lost())
    with_it, without = client(layer), client(split())
    for user in USERS[:5]:
        assert (await ask(with_it, user)).trace.arms == (await ask(without, user)).trace.arms
    assert layer.counts["unstuck"] == 5


async def test_overrides(client: Any, log: SqliteLog) -> None:
    """By unit before by tag; named in the trace, and not recorded."""
    one = client(
        split(
            overrides={"anna": "treatment"},
            overrides_by={"team": {"qa": "control"}, "lab": {"x": "treatment"}},
        )
    )
    for tags, factor in (
        ({"user": "anna", "team": "qa"}, 3),
        ({"user": "ben", "team": "qa", "lab": "x"}, 2),
        ({"lab": "x"}, 3),
    ):
        answer = await one.infer("m", {"x": [[1.0]]}, tags=tags)
        assert answer["y"].item() == factor
        assert dict(answer.trace.arms) == {"e": "control" if factor == 2 else "treatment"}
        assert answer.trace.answer == ""
    assert await events(log, object) == []


async def test_what_is_not_a_users_request(client: Any, log: SqliteLog) -> None:
    """A shadow or a refresh goes where its unit does; a model that is not named passes."""
    layer = split(models=["m"])
    one = client(layer)
    expected = (await ask(one)).trace.arms
    before = await events(log, object)
    for priority in ("shadow", "refresh"):
        assert (await ask(one, priority=priority)).trace.arms == expected
    other = await one.infer("old", {"x": [[1.0]]}, tags={"user": "u1"})
    assert (other["y"].item(), other.trace.arms) == (2.0, ())
    assert await events(log, object) == before


async def test_without_a_log(models: Models) -> None:
    """Arms are assigned and named all the same; an outcome has nowhere to go."""
    async with AsyncClient(models, [split()]) as one:
        answer = await ask(one)
        assert answer.trace.arms
        with pytest.raises(ConfigError, match="experiments="):
            one.record(answer.trace.answer, "clicks", 1.0)


async def test_outcomes(client: Any, log: SqliteLog, tmp_path: Path) -> None:
    """From this client, from another process, of an answer that nobody knows."""
    one = client(split())
    answer = (await ask(one)).trace.answer
    one.record(answer, "clicks", 1)
    code = f"""
from tritonkit.client import Outcomes
with Outcomes({os.fspath(tmp_path / "events.db")!r}) as outcomes:
    outcomes.record({answer!r}, "paid", 12.5, at={wall_clock() - 3600})
    outcomes.record("{"0" * 32}", "paid", 1)
"""
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code], check=True)
    recorded = await events(log, Outcome)
    assert {(o.answer, o.name, o.value) for o in recorded} == {
        (answer, "clicks", 1),
        (answer, "paid", 12.5),
        ("0" * 32, "paid", 1),
    }
    one.record("", "clicks", 1)
    assert len(await events(log, Outcome)) == 3
    for wrong in ("x", answer.upper() + "0", 7):
        with pytest.raises(ConfigError, match="32 hexadecimal digits"):
            one.record(wrong, "clicks", 1)
    for value in (float("nan"), float("inf"), True, "1"):
        with pytest.raises(ConfigError, match="value must be a finite number"):
            one.record(answer, "clicks", value)


def test_the_sync_client(models: Models, tmp_path: Path) -> None:
    """The same from threads, and closing it writes what waits."""
    path = tmp_path / "events.db"
    with Client(models, [split(), Cache()], experiments=path) as one:
        for _ in range(3):
            answer = one.infer("m", {"x": [[1.0]]}, tags={"user": "u1"})
        one.record(answer.trace.answer, "clicks", 1)
        log = one.experiments
    assert log is not None
    assert log.counters["written"] == 5
    file = sqlite3.connect(path)
    kinds = [kind for (kind,) in file.execute("SELECT kind FROM events ORDER BY id")]
    file.close()
    assert kinds == ["exposure", "answer", "answer", "answer", "outcome"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Split("e", Arm("a")), "needs two arms at least, but got 1"),
        (lambda: Split("e", Arm("a"), Arm("a")), "different names"),
        (lambda: Split("", Arm("a"), Arm("b")), "experiment must be text"),
        (lambda: Split("e", Arm("a"), Arm("b"), by=""), "by must be the name of a tag"),
        (lambda: split(share=1.2), "share must be 0 to 1"),
        (lambda: split(models="m"), "models must be a list"),
        (lambda: split(overrides={"u": "x"}), "overrides must name one of .*, not 'x'"),
        (lambda: split(overrides_by={"t": {"v": "x"}}), "overrides must name one of"),
        (lambda: split(range=(0.0, 0.5)), "but got group=''"),
        (lambda: Arm("a", weight=-1), "weight must be finite and not negative, but got weight=-1"),
        (lambda: Arm("a", weight=float("nan")), "weight must be finite"),
        (lambda: Arm("a", weight="90"), "weight must be finite and not negative"),  # type: ignore
        (lambda: Split("e", Arm("a"), Arm("b", weight=1e301)), "0, or 1e-300 to 1e.290"),
        (lambda: Split("e", Arm("a"), Arm("b", weight=1e-301)), "0, or 1e-300 to 1e.290"),
        (lambda: Arm("a", revision="x" * 1001), "revision must be text"),
        (lambda: Split("e", Arm("a", weight=0), Arm("b", weight=0)), "one weight must be more"),
    ],
)
def test_what_is_wrong_is_said(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_a_layer_belongs_to_one_arm() -> None:
    """Its breaker would tell one arm of the other."""
    shared = Breaker()
    with pytest.raises(ConfigError, match="a layer belongs to one arm"):
        Split("e", Arm("a", layers=[shared]), Arm("b", layers=[shared]))


POLICY = """
server = "http://localhost:8000"
experiments = { type = "sqlite", path = "events.db" }

[[layers]]
type = "split"
experiment = "ranker"
share = "10%"
group = "search"
range = [0.0, 0.5]
overrides_by = { team = { qa = "int8" } }
sticky = { type = "redis", ttl = "30d" }
[[layers.arms]]
name = "fp32"
weight = 90
model = "embed"
[[layers.arms]]
name = "int8"
weight = 10
model = "embed_int8"
layers = [{ type = "breaker" }]

[[layers]]
type = "cache"
"""


def test_a_policy() -> None:
    """It builds what Python builds, and tells what becomes of a request."""
    policy = Policy(POLICY, environment={})
    _, (built, _) = policy.build()
    arms = (
        Arm("fp32", weight=90, model="embed"),
        Arm("int8", weight=10, model="embed_int8", layers=[Breaker()]),
    )
    assert repr(built) == repr(Split("ranker", *arms))
    assert repr(policy.experiments()) == "SqliteLog('events.db', max_age='90d')"
    told = explain(policy)
    assert "arm 'int8'" in told
    assert "1. split: each user always gets the same arm of experiment ranker" in told
    assert "1. split: a unit stays in its arm for 30d" in told


def test_a_policy_with_a_cache_above() -> None:
    """The finding names the layer that stands wrong."""
    text = POLICY.replace("[[layers]]", '[[layers]]\ntype = "cache"\n[[layers]]', 1)
    with pytest.raises(PolicyError, match=r"layers\[1\].*Split must stand above Cache"):
        Policy(text, environment={})


def test_the_guide(tmp_path: Path) -> None:
    """Its examples run as they stand, but for where server and log are."""
    guide = Path(__file__).parents[3] / "docs" / "guides" / "experiments-assignment.md"
    code, stop = (
        part.partition("```")[0]
        for part in guide.read_text(encoding="utf-8").split("```python\n")[1:3]
    )
    transport = FakeTransport(
        lambda request: {"embedding": np.zeros((1, 4), np.float32)},
        inputs={"text": (1,)},
        outputs={"embedding": (4,)},
        datatypes={"text": "BYTES"},
    )
    for place, here in (
        ('"http://localhost:8000"', "transport"),
        ('"redis://localhost:6379"', repr(os.fspath(tmp_path / "events.db"))),
    ):
        assert place in code
        code = code.replace(place, here)
    names: dict[str, Any] = {"transport": transport}
    exec(code, names)
    names["client"].close()
    arms = names["answer"].trace.arms
    # As its comment says of this user.
    assert repr(arms).replace("'", '"') in code
    place = 'RedisLog("redis://localhost:6379")'
    assert place in stop
    log = names["opened"] = SqliteLog(tmp_path / "events.db")
    exec(stop.replace(place, "opened"), names)
    asyncio.run(names["stop"]())
    assert asyncio.run(log.control("int8")).state == "stopped"
    asyncio.run(log.aclose())
