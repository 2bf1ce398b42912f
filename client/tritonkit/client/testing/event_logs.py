"""The tests that every log of experiments must pass, ours or a third party's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tritonkit.client.experiments.control import Control
from tritonkit.client.experiments.events import (
    Answer,
    Event,
    Exposure,
    Outcome,
    new_answer_id,
    wall_clock,
)
from tritonkit.client.experiments.log import EventLog
from tritonkit.errors import ConfigError

Make = Callable[[], EventLog]

__all__ = ["EventLogTests", "sample_answer", "sample_exposure", "sample_outcome"]

_NOW = wall_clock()


def sample_exposure(unit: str = "u1", **fields: Any) -> Exposure:
    """One of the experiment "e"."""
    named: dict[str, Any] = {"experiment": "e", "version": "v1", "arm": "a", **fields}
    return Exposure(unit=unit, answer=new_answer_id(), at=_NOW, **named)


def sample_answer(unit: str = "u1", **fields: Any) -> Answer:
    """Likewise."""
    named: dict[str, Any] = {
        "experiment": "e",
        "version": "v1",
        "arm": "a",
        "answer": new_answer_id(),
        **fields,
    }
    return Answer(unit=unit, seconds=0.25, cost=1500, cache="redis", rows=3, at=_NOW, **named)


def sample_outcome(answer: str = "", value: float = 1.0, *, name: str = "clicks") -> Outcome:
    """Of an answer that nobody knows by default."""
    return Outcome(answer=answer or new_answer_id(), name=name, value=value, at=_NOW)


@pytest.mark.asyncio
class EventLogTests:
    """
    Holds a log to the contract of `EventLog`. Needs pytest and pytest-asyncio.

    Derive a class whose name begins with Test, and give it a fixture `make` that is a
    function: it makes another log over the same, at first empty, events:

        class TestFile(EventLogTests):
            @pytest.fixture
            def make(self, tmp_path):
                return lambda: FileLog(tmp_path / "events")
    """

    async def test_what_was_given_is_read(self, make: Make) -> None:
        """Every field, by another log, in the order in which it was given."""
        exposure = replace(sample_exposure("Zoë 雪"), propensity=0.3)
        answer = replace(
            sample_answer("Zoë 雪"), degraded="stale", error="InferenceFailed", propensity=0.7
        )
        outcome = sample_outcome(answer.answer, -0.1)
        async with make() as log, make() as other:
            assert await log.expose(exposure)
            log.add([answer, outcome])
            await log.flush()
            assert [exposure, answer, outcome] == await _all(other)

    async def test_an_exposure_is_there_when_it_is_acknowledged(self, make: Make) -> None:
        """Without waiting for anything else, and once for whoever says it again."""
        first = sample_exposure()
        async with make() as log, make() as other:
            assert await log.expose(first)
            assert [first] == await _all(other)
            again = replace(first, answer=new_answer_id(), arm="b", at=_NOW + 1)
            assert not await log.expose(again)
            assert not await other.expose(again)
            assert [first] == await _all(log)

    async def test_another_version_is_another_exposure(self, make: Make) -> None:
        """And so is another experiment, and another unit."""
        async with make() as log:
            for fields in ({}, {"version": "v2"}, {"experiment": "f"}):
                assert await log.expose(sample_exposure(**fields))
            assert await log.expose(sample_exposure("u2"))
            assert len(await _all(log)) == 3

    async def test_the_same_at_once(self, make: Make) -> None:
        """Of twenty exposures of one unit, through two logs, one is the first."""
        async with make() as log, make() as other:
            said = [(log, other)[n % 2].expose(sample_exposure()) for n in range(20)]
            assert sum(await asyncio.gather(*said)) == 1
            assert len(await _all(log)) == 1

    async def test_pages(self, make: Make) -> None:
        """They go on where the last one ended; what comes later is in a later one."""
        answers = [sample_answer(f"u{number}") for number in range(25)]
        outcomes = [sample_outcome(answer.answer) for answer in answers]
        async with make() as log:
            log.add([*answers, *outcomes])
            await log.flush()
            read: list[Event] = []
            cursor = ""
            while (page := await log.read("e", after=cursor, limit=7)).events:
                assert len(page.events) <= 7
                read += page.events
                cursor = page.cursor
            assert answers == [event for event in read if isinstance(event, Answer)]
            assert outcomes == [event for event in read if isinstance(event, Outcome)]
            assert page.cursor == cursor
            late = sample_answer("late")
            log.add([late])
            await log.flush()
            assert [late] == (await log.read("e", after=cursor)).events

    async def test_experiments_are_apart(self, make: Make) -> None:
        """One does not read the other's; outcomes are read with each."""
        mine, other, outcome = sample_answer(), sample_answer(experiment="f"), sample_outcome()
        async with make() as log:
            log.add([mine, other, outcome])
            await log.flush()
            assert [mine, outcome] == await _all(log)
            assert [other, outcome] == [event async for event in log.events("f")]
            assert await log.experiments() == ["e", "f"]

    async def test_a_cursor_of_something_else(self, make: Make) -> None:
        """It is refused."""
        async with make() as log:
            with pytest.raises(ConfigError, match="'what'"):
                await log.read("e", after="what")

    async def test_control(self, make: Make) -> None:
        """What one says, all read; an experiment that was told something has a name."""
        said = Control(
            state="promoted", arm="b", reason="faster", share=0.5, weights={"a": 0, "b": 2}, at=_NOW
        )
        async with make() as log, make() as other:
            assert Control() == await other.control("e")
            await log.steer("e", said)
            assert said == await other.control("e")
            assert Control() == await other.control("f")
            assert await other.experiments() == ["e"]

    async def test_weights(self, make: Make) -> None:
        """What was said of a version first stays, in order; they are no events."""
        async with make() as log, make() as other:
            await log.describe("e", "v1", {"z": 1, "a": 2.5})
            await log.describe("e", "v1", {"a": 1, "z": 1})
            await log.describe("e", "v2", {"a": 0.5})
            await log.describe("e", "v0", {})
            told = await other.weights("e")
            assert told == {"v1": {"z": 1, "a": 2.5}, "v2": {"a": 0.5}, "v0": {}}
            assert list(told["v1"]) == ["z", "a"]
            assert list(told) == ["v1", "v2", "v0"]
            assert await other.weights("f") == {}
            assert await _all(log) == []

    async def test_lease(self, make: Make) -> None:
        """One has it at a time, until it is over; the same one may have it again."""
        async with make() as log, make() as other:
            assert await log.lease("guard", "me", 60)
            assert not await other.lease("guard", "you", 60)
            assert await other.lease("another", "you", 60)
            assert await log.lease("guard", "me", 0.01)
            await asyncio.sleep(0.05)
            assert await other.lease("guard", "you", 60)
            assert not await log.lease("guard", "me", 60)

    async def test_a_control_in_place_of_another(self, make: Make) -> None:
        """It is refused where another one was said meanwhile; of several at once one is first."""
        stop = Control(state="stopped", at=_NOW)
        async with make() as log, make() as other:
            assert await log.steer("e", Control(share=0.5), replacing=Control())
            assert not await other.steer("e", Control(share=0.9), replacing=Control())
            assert await other.steer("e", stop)
            assert not await log.steer("e", Control(share=0.9), replacing=Control(share=0.5))
            assert stop == await log.control("e")
            both = [
                (log, other)[n % 2].steer("e", Control(share=n / 10), replacing=stop)
                for n in range(10)
            ]
            assert sum(await asyncio.gather(*both)) == 1

    async def test_many(self, make: Make) -> None:
        """More than a batch; counted."""
        answers = [sample_answer(f"u{number}") for number in range(2500)]
        async with make() as log:
            log.add(answers)
            await log.flush()
            assert answers == await _all(log)
            counters = log.counters
            assert (counters["written"], counters["lost"], counters["late"]) == (2500, 0, 0)
            assert await log.losses() == {}

    async def test_closing_writes_what_waits(self, make: Make) -> None:
        """A closed log may be used again."""
        answer, another = sample_answer(), sample_answer()
        log = make()
        log.add([answer])
        await log.aclose()
        await log.aclose()
        async with make() as other:
            assert [answer] == await _all(other)
            log.add([another])
            await log.aclose()
            assert [answer, another] == await _all(other)

    async def test_two_event_loops(self, make: Make) -> None:
        """One after the other, and both at once."""
        async with make() as log:

            def expose(unit: str) -> bool:
                return asyncio.run(log.expose(sample_exposure(unit)))

            said = await asyncio.gather(*(asyncio.to_thread(expose, f"u{n % 3}") for n in range(9)))
            assert sum(said) == 3
            assert len(await _all(log)) == 3


async def _all(log: EventLog) -> list[Event]:
    return [event async for event in log.events("e")]
