"""What a report says of small logs, by hand; and that the order of events is no matter."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tritonkit.client.experiments.analysis import analyse, report_of
from tritonkit.client.experiments.columns import Collector
from tritonkit.client.experiments.control import Control
from tritonkit.client.experiments.events import Answer, Event, Exposure, Outcome
from tritonkit.client.experiments.log import EventLog, Loss
from tritonkit.client.experiments.question import Metric, Question
from tritonkit.client.experiments.redis import RedisLog
from tritonkit.client.experiments.report import ArmReport, Effect, MetricValue, Report
from tritonkit.client.experiments.sqlite import SqliteLog
from tritonkit.client.statistics.rates import Trials, rate_difference, rate_evidence, rate_ratio
from tritonkit.errors import ConfigError

NOW = 1.8e9


class Story:
    """Writes events one after the other, a second apart."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._ids, self._times = count(1), count()

    @property
    def time(self) -> float:
        return NOW + next(self._times)

    def expose(self, unit: str, arm: str, *, version: str = "v1", at: float | None = None) -> None:
        self.events.append(
            Exposure(
                experiment="e",
                version=version,
                arm=arm,
                unit=unit,
                answer=f"{next(self._ids):032x}",
                at=self.time if at is None else at,
            )
        )

    def answer(self, unit: str, arm: str, *, version: str = "v1", **fields: Any) -> str:
        id = f"{next(self._ids):032x}"
        values = {"seconds": 0.1, "at": self.time, **fields}
        event = Answer(answer=id, experiment="e", version=version, arm=arm, unit=unit, **values)
        self.events.append(event)
        return id

    def outcome(self, answer: str, name: str, value: float, at: float | None = None) -> None:
        at = self.time if at is None else at
        self.events.append(Outcome(answer=answer, name=name, value=value, at=at))


def report(events: Sequence[Event], question: Question | None = None, **known: Any) -> Report:
    """Without looks, which take longer than all the rest."""
    collector = Collector()
    collector.add(events)
    return analyse("e", collector.joined(), question or Question(looks=0), **known)


def metric(arm: ArmReport, name: str) -> MetricValue:
    return next(one for one in arm.metrics if one.name == name)


def effect(found: Report, name: str) -> Effect:
    return next(one for one in found.effects if one.metric == name)


def small() -> list[Event]:
    """Four units: two answers and a conversion, one answer; three answers, none."""
    story = Story()
    story.expose("u1", "control")
    first = story.answer("u1", "control", seconds=0.1, cost=100, cache="memory")
    story.answer("u1", "control", seconds=9.0, cost=50, error="ServerUnavailable")
    story.expose("u2", "control")
    second = story.answer("u2", "control", seconds=0.3, cost=150, degraded="stale")
    story.expose("u3", "treatment")
    third = [story.answer("u3", "treatment", seconds=s, cost=30) for s in (0.2, 0.4, 0.6)]
    story.expose("u4", "treatment")
    story.outcome(first, "paid", 1.0, at=NOW + 50)
    story.outcome(first, "paid", 1.0, at=NOW + 50)
    story.outcome(first, "stars", 4.0)
    story.outcome(first, "stars", 2.0)
    story.outcome(second, "right", 0.0)
    for answer, right in zip(third, (1.0, 1.0, 0.0), strict=True):
        story.outcome(answer, "right", right)
    story.outcome(f"{10**6:032x}", "paid", 1.0)
    return story.events


@pytest.fixture(params=["sqlite", "redis"])
def make(
    request: pytest.FixtureRequest, tmp_path: Path, redis_server: Any
) -> Callable[[], EventLog]:
    if request.param == "sqlite":
        return lambda: SqliteLog(tmp_path / "e.db", budget="10s", max_age=None)
    return lambda: RedisLog(redis_server.url, budget="10s", max_age=None)


async def test_a_small_log(make: Callable[[], EventLog]) -> None:
    """Every number by hand."""
    async with make() as log:
        await log.describe("e", "v1", {"control": 1, "treatment": 3})
        for event in small():
            if isinstance(event, Exposure):
                await log.expose(event)
            else:
                log.add([event])
        await log.flush()
        found = await report_of(log, "e", Question(looks=2))

    control, treatment = found.arms
    assert (
        control.name, control.control, control.weight, control.units, control.exposures
    ) == ("control", True, 1.0, 2, 2)  # fmt: skip
    assert (
        control.answers, control.errors, control.degraded, control.returning,
        control.answers_per_unit,
    ) == (3, 1, 1, 1, 1.5)  # fmt: skip
    assert (control.error_rate.estimate, control.degraded_rate.estimate) == (1 / 3, 1 / 3)
    assert math.isclose(control.cost, 300e-6)
    assert math.isclose(control.cost_per_answer, 100e-6)
    assert math.isclose(control.cost_per_success, 150e-6)
    assert (treatment.units, treatment.answers, treatment.answers_per_unit) == (2, 3, 1.5)
    # An error has no latency.
    assert [(one.cache, one.answers) for one in control.latencies] == [
        ("", 2),
        ("memory", 1),
        ("model", 1),
    ]
    assert treatment.latencies[0].p50.estimate == 0.4

    values = {
        (name, arm.name): (metric(arm, name).value.estimate, metric(arm, name).units)
        for arm in found.arms
        for name in ("errors", "latency", "answers", "paid", "stars", "right")
    }
    expected = {
        # u1 has an error in two answers, u2 none; u4 has no answers at all.
        ("errors", "control"): (0.25, 2),
        ("errors", "treatment"): (0.0, 1),
        ("latency", "control"): (0.2, 2),
        ("latency", "treatment"): (0.4, 1),
        ("answers", "control"): (1.5, 2),
        ("answers", "treatment"): (1.5, 2),
        # Only ones: whether the unit has any. The second of the equal ones is the first.
        ("paid", "control"): (0.5, 2),
        ("paid", "treatment"): (0.0, 2),
        # Neither 0 nor 1: the sum of each unit.
        ("stars", "control"): (3.0, 2),
        ("stars", "treatment"): (0.0, 2),
        # Labels: the mean of the units that have some.
        ("right", "control"): (0.0, 1),
        ("right", "treatment"): (2 / 3, 1),
    }
    assert expected.keys() == values.keys()
    for key, value in expected.items():
        assert value == pytest.approx(values[key]), key
    assert metric(control, "paid").kind == "rate"
    assert metric(treatment, "right").kind == "mean"
    assert metric(control, "stars").events == 2
    assert found.sample_ratio is not None
    assert not found.sample_ratio.mismatch
    assert all(one.decision == "undecided" for one in found.effects)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), pages=st.lists(st.integers(1, 9), max_size=6))
def test_order_and_pages_are_no_matter(seed: int, pages: list[int]) -> None:
    """To the last bit; nor what is there twice."""
    events = small()
    question = Question(looks=1, bins=3)
    once = report(events, question).to_json()
    mixed = [*events, *events[:5], *events[-6:]]
    random.Random(seed).shuffle(mixed)
    collector = Collector()
    begin = 0
    for size in pages:
        collector.add(mixed[begin : begin + size])
        begin += size
    collector.add(mixed[begin:])
    assert once == analyse("e", collector.joined(), question).to_json()


def test_json() -> None:
    """Read back, it says the same; anything else is refused."""
    found = report(small(), Question(metrics=(Metric(name="paid"),), looks=2), control=Control())
    again = Report.from_json(found.to_json())
    assert found.to_json() == again.to_json()
    assert found.arms[0].latencies == again.arms[0].latencies
    for text in ("{}", "[1]", "what", '{"schema": 1}', '{"schema": 99}'):
        with pytest.raises(ConfigError):
            Report.from_json(text)


def rates(control: tuple[int, int], *arms: tuple[int, int], name: str = "paid") -> list[Event]:
    """Units with one answer each, of which so many have the outcome."""
    story = Story()
    for arm, (successes, units) in zip(("control", "b", "c"), (control, *arms), strict=False):
        for number in range(units):
            story.expose(f"{arm}{number}", arm)
            answer = story.answer(f"{arm}{number}", arm)
            if number < successes:
                story.outcome(answer, name, 1.0)
    return story.events


def test_a_rate_is_compared_exactly() -> None:
    """The effect is that of the statistics; it stands, and its interval is without 0."""
    events = rates((30, 200), (90, 200))
    found = report(events, Question(metrics=(Metric(name="paid"),), looks=4))
    one = effect(found, "paid")
    arms = Trials(90, 200), Trials(30, 200)
    assert rate_difference(*arms) == one.difference
    assert rate_ratio(*arms) == one.relative
    assert rate_evidence(*arms) == one.evidence
    assert (one.decision, one.discovered, one.decides, one.more) == ("better", True, True, 0)
    assert one.verdict.startswith("better: +30 points (+")
    assert f"b by paid: {one.verdict}" == found.verdict
    assert len(one.looks) == 4
    assert one.difference == one.looks[-1].difference
    assert [look.units for look in one.looks] == sorted(look.units for look in one.looks)


@pytest.mark.parametrize(
    ("better", "least", "arms", "decision"),
    [
        ("lower", 0.0, ((30, 200), (90, 200)), "worse"),
        ("higher", 0.0, ((90, 200), (30, 200)), "worse"),
        ("higher", 0.0, ((50, 200), (54, 200)), "undecided"),
        # The interval is about 9 points to each side.
        ("higher", 0.12, ((500, 1000), (500, 1000)), "no difference"),
    ],
)
def test_decisions(better: Any, least: float, arms: Any, decision: str) -> None:
    asked = Metric(name="paid", better=better, least=least)
    found = report(rates(*arms), Question(metrics=(asked,), looks=0))
    one = effect(found, "paid")
    assert decision == one.decision
    if decision == "undecided":
        assert one.more is not None
        # With so many units more, of the same kind, it would be decided; a tenth fewer, not.
        for share, decided in ((1.0, True), (0.9, False)):
            factor = (400 + share * one.more) / 400
            grown = Trials(54 * factor, 200 * factor), Trials(50 * factor, 200 * factor)
            assert decided == (rate_evidence(*grown) >= math.log(1 / 0.05))


def test_many_arms_and_metrics_are_corrected() -> None:
    """What stands among the two of a deciding metric does not among two arms by six metrics."""
    events = rates((20, 200), (54, 200), (20, 200))
    alone = rate_evidence(Trials(54, 200), Trials(20, 200))
    assert math.log(2 / 0.05) < alone < math.log(12 / 0.05)
    one = effect(report(events), "paid")
    assert (alone, False, "undecided") == (one.evidence, one.discovered, one.decision)
    one = effect(report(events, Question(metrics=(Metric(name="paid"),), looks=0)), "paid")
    assert (alone, True, "better") == (one.evidence, one.discovered, one.decision)


def past(arm_before: Callable[[int], str], effect_of: float) -> list[Event]:
    """600 units that like this more or less, met twice; the second arm adds to what they do."""
    story, generator = Story(), np.random.default_rng(5)
    liking = generator.normal(10, 3, 600)
    for version, arm_of in (("v1", arm_before), ("v2", lambda n: ("control", "b")[n % 2])):
        for number in range(600):
            unit, arm = f"u{number:03}", arm_of(number)
            story.expose(unit, arm, version=version)
            answer = story.answer(unit, arm, version=version)
            value = liking[number] + generator.normal() + effect_of * (arm == "b")
            story.outcome(answer, "spent", value)
    return story.events


def test_the_past_takes_noise_away() -> None:
    """Who spent much before does so again: nine tenths of the variance are known."""
    found = report(past(lambda n: "control", 1.0))
    one = effect(found, "spent")
    assert found.version == "v2"
    # By construction 9 / 10 of the variance, squared for the past has its own noise: 0.81.
    assert 0.75 < one.variance_removed < 0.86
    assert one.difference.low < 1 < one.difference.high
    assert one.difference.width < 1.2
    assert [span.version for span in found.versions] == ["v1", "v2"]
    assert "1 other version of the experiment is not in these numbers" in found.warnings


def test_a_past_with_two_arms_is_no_past() -> None:
    """What a unit did then is an effect of its arm, which it mostly keeps."""
    one = effect(report(past(lambda n: ("control", "b")[n % 2], 1.0)), "spent")
    assert one.variance_removed == 0
    one = effect(report(past(lambda n: "b", 1.0)), "spent")
    assert one.variance_removed == 0


def test_window() -> None:
    """What comes later does not count, and who was exposed lately waits."""
    story = Story()
    for unit, start in (("u1", 0), ("u2", 60)):
        story.expose(unit, "control", at=NOW + start)
        answer = story.answer(unit, "control", at=NOW + start + 1)
        story.outcome(answer, "stars", 5.0, at=NOW + start + 5)
        story.outcome(answer, "stars", 3.0, at=NOW + start + 30)
    found = report(story.events, Question(window=20, looks=0))
    stars = metric(found.arms[0], "stars")
    assert (stars.units, stars.value.estimate) == (2, 5.0)
    found = report(story.events, Question(window=40, looks=0))
    stars = metric(found.arms[0], "stars")
    assert (stars.units, stars.value.estimate) == (1, 8.0)


def test_warnings() -> None:
    """Each of what stands against the numbers is said."""
    story = Story()
    for number in range(900):
        arm = "control" if number % 3 else "b"
        unit = f"u{number}"
        if number:
            story.expose(unit, arm)
        cache = "model" if arm == "b" or number % 2 else "memory"
        story.answer(unit, arm, cache=cache)
    story.answer("u1", "b")
    story.outcome(f"{10**6:032x}", "paid", 1.0)
    losses = {Loss("e", "v1", "b", "exposure"): 7, Loss("f", "v1", "b", "exposure"): 9}
    weights = {"v1": {"control": 1, "b": 1}}
    found = report(story.events, losses=losses, weights=weights)
    assert found.verdict.startswith("do not compare")
    told = "\n".join(found.warnings)
    for text in (
        "sample-ratio mismatch (p ",
        "7 exposures of arm b were lost for want of room",
        "1 units have answers and no recorded exposure",
        "1 units have answers of another arm",
        "1 outcomes are recorded, and none of them",
        "caches are not equally warm (the model computed: control 50%, b 100%)",
    ):
        assert text in told
    assert " 9 " not in told
    assert "was not checked" in "\n".join(report(story.events).warnings)


def test_a_figure_and_a_metric_move_together() -> None:
    """Where errors come, payments stop; it is said not to be causal."""
    story = Story()
    for number in range(2400):
        bad = (number // 50) % 5 == 0
        answer = story.answer(
            f"u{number}", "control", error="X" if bad and number % 2 else "", at=NOW + number
        )
        paid = float(number % (10 if bad else 3) == 0)
        story.outcome(answer, "paid", paid, at=NOW + number)
    found = report(story.events, Question(kpis=("paid",), looks=0))
    one = next(one for one in found.movements if one.metric == "errors")
    assert one.found.causal is False
    assert one.found.interval.high < 0


def test_nothing_yet() -> None:
    """An experiment without events has a report as well."""
    found = report([])
    assert (found.arms, found.effects, found.version) == ((), (), "")
    assert found.verdict == "nothing to compare: fewer than two arms have units"


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({"version": "v9"}, "version must be one of"),
        ({"control": "what"}, "control must be one of"),
        ({"metrics": (Metric(name="what"),)}, "metric must be one of"),
        ({"weights": {"control": 1}}, "weights must name every arm"),
    ],
)
def test_wrong_questions(question: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        report(small(), Question(**question))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Metric(name=""),
        lambda: Metric(name="x", least=-1),
        lambda: Metric(name="x", better="up"),  # type: ignore[arg-type]
        lambda: Metric(name="x", aggregate="max"),  # type: ignore[arg-type]
        lambda: Metric(name="errors", aggregate="sum"),
        lambda: Question(alpha=0),
        lambda: Question(window=-1),
        lambda: Question(looks=-1),
        lambda: Question(metrics=(Metric(name="x"), Metric(name="x"))),
    ],
)
def test_wrong_arguments(wrong: Callable[[], object]) -> None:
    with pytest.raises(ConfigError):
        wrong()
