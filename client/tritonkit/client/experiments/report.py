"""What an experiment has shown so far."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

from tritonkit.client.experiments.control import State
from tritonkit.client.experiments.documents import plain, typed
from tritonkit.client.experiments.question import Aggregate, Direction
from tritonkit.client.statistics.correlation import Correlation
from tritonkit.client.statistics.interval import Interval
from tritonkit.client.statistics.sample_ratio import SampleRatio
from tritonkit.errors import ConfigError

__all__ = [
    "SCHEMA",
    "ArmReport",
    "Decision",
    "Effect",
    "Latency",
    "Look",
    "MetricValue",
    "Movement",
    "Report",
    "TimeBin",
    "VersionSpan",
]

SCHEMA = 1
"""Of the JSON; another number where a field goes away or means something else."""

Decision: TypeAlias = Literal["better", "worse", "no difference", "undecided"]
"""Of an arm by one metric: "no difference" is none beyond the least effect that matters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricValue:
    """
    One metric of one arm, over its units.

    Args:
        name: Of the metric.
        kind: "rate", where every unit's value is 0 or 1, else "mean".
        aggregate: What a unit's value is.
        units: That have a value.
        events: Outcomes, or answers, of which the values are made.
        value: The mean over units, with a confidence sequence.
        deviation: Of a unit's value.
    """

    name: str
    kind: Literal["rate", "mean"]
    aggregate: Aggregate
    units: int
    events: int
    value: Interval
    deviation: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """
    How long answers took, in seconds. Answers that are errors are left out.

    Args:
        cache: Where their rows came from; empty for all answers.
        answers: So many.
        p50: With a confidence sequence, for answers that are independent of each other.
        p95: Likewise.
        p99: Likewise.
    """

    cache: str
    answers: int
    p50: Interval
    p95: Interval
    p99: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmReport:
    """
    One arm.

    Args:
        name: Of the arm.
        control: Whether the others are compared with it.
        weight: Its part of the units; None where nobody said.
        units: That are in it.
        exposures: That are recorded; fewer than units where some were lost.
        answers: That its units got, errors included.
        errors: Of these, how many are errors.
        degraded: Of these, how many are less than a full answer.
        error_rate: By answer.
        degraded_rate: By answer.
        returning: Units with more than one answer.
        answers_per_unit: On average.
        cost: All of it, in the budget's unit.
        cost_per_answer: NaN without any.
        cost_per_success: By answers that are no errors; NaN without any.
        latencies: Of all answers first, then by cache state, the most frequent first.
        metrics: By name: those of answers ("errors", "degraded", "latency", "cost",
            "answers") first, then outcomes.
    """

    name: str
    control: bool
    weight: float | None
    units: int
    exposures: int
    answers: int
    errors: int
    degraded: int
    error_rate: Interval
    degraded_rate: Interval
    returning: int
    answers_per_unit: float
    cost: float
    cost_per_answer: float
    cost_per_success: float
    latencies: tuple[Latency, ...]
    metrics: tuple[MetricValue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """
    An effect as it would have been seen at a time.

    Args:
        at: In seconds since 1970.
        units: Of both arms.
        difference: As in `Effect`.
    """

    at: float
    units: int
    difference: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """
    One arm against the control, by one metric.

    Args:
        metric: Its name.
        arm: Its name.
        kind: "rate" or "mean".
        better: Which way is.
        decides: Whether it is the metric that the experiment is decided by.
        least: The least difference that matters, in the metric's unit; 0 for any.
        difference: The arm less the control, mean per unit, with a confidence sequence.
        relative: The same as a share of the control's.
        evidence: The log e-value against "no difference", in nats.
        discovered: Whether it stands among all arms and metrics, by e-BH.
        variance_removed: By what units did before, 0 to 1; 0 without a past.
        decision: What follows.
        more: About how many more units until it is decided; 0 where it is, None where
            nobody knows.
        verdict: The same in words.
        looks: The difference over time, the last one now; of the deciding metric, or
            where none is named of each outcome.
    """

    metric: str
    arm: str
    kind: Literal["rate", "mean"]
    better: Direction
    decides: bool
    least: float
    difference: Interval
    relative: Interval
    evidence: float
    discovered: bool
    variance_removed: float
    decision: Decision
    more: int | None
    verdict: str
    looks: tuple[Look, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeBin:
    """
    What an arm did in a stretch of time.

    Args:
        arm: Its name.
        at: When it begins, in seconds since 1970.
        seconds: How long it is.
        answers: In it.
        errors: Of these.
        p50: Seconds that answers took; NaN without any.
        p95: Likewise.
        outcomes: Mean value by name, of the outcomes of these answers.
    """

    arm: str
    at: float
    seconds: float
    answers: int
    errors: int
    p50: float
    p95: float
    outcomes: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """
    How a business figure and a model's metric move together over time, which is not causal.

    Args:
        kpi: Name of the outcome.
        metric: Name of the other one.
        found: What was found, over bins of time and all arms.
        seconds: Of a bin.
    """

    kpi: str
    metric: str
    found: Correlation
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSpan:
    """
    A version of the experiment: versions are never added up.

    Args:
        version: Its name.
        first: Its first event, in seconds since 1970.
        last: Its last one.
        units: In it.
        answers: In it.
    """

    version: str
    first: float
    last: float
    units: int
    answers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """
    One version of an experiment, at one look.

    Args:
        experiment: Its name.
        version: That is reported.
        versions: All of them, the oldest first.
        state: "running", "stopped" or "promoted".
        reason: Why, where it was stopped or promoted.
        promoted: The arm that was; empty otherwise.
        at: Time of the last event, in seconds since 1970.
        alpha: Of each confidence sequence, and the false discovery rate.
        decides: The metric by which it is decided; empty where nobody said.
        arms: The control first.
        sample_ratio: Whether units came as the weights say; None where nobody said the weights.
        effects: Of each arm but the control by each metric.
        bins: Over time, by arm.
        movements: What moves together.
        warnings: What stands against believing the numbers, in words.
        verdict: Of the whole, in one line.
        bandit: Whether weights followed the outcomes: then no interval here is an
            inference, and nothing is decided.
    """

    experiment: str
    version: str
    versions: tuple[VersionSpan, ...]
    state: State
    reason: str
    promoted: str
    at: float
    alpha: float
    decides: str
    arms: tuple[ArmReport, ...]
    sample_ratio: SampleRatio | None
    effects: tuple[Effect, ...]
    bins: tuple[TimeBin, ...]
    movements: tuple[Movement, ...]
    warnings: tuple[str, ...]
    verdict: str
    bandit: bool = False

    @property
    def control(self) -> ArmReport | None:
        """The arm that the others are compared with; None of none."""
        return self.arms[0] if self.arms else None

    @property
    def units(self) -> int:
        """Of all arms."""
        return sum(arm.units for arm in self.arms)

    @property
    def answers(self) -> int:
        """Of all arms."""
        return sum(arm.answers for arm in self.arms)

    def to_json(self) -> str:
        """Everything; null for an end that is open, and for a number that is not known."""
        document = {"schema": SCHEMA, **plain(self)}
        return json.dumps(document, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """
        What `to_json` gave.

        Raises:
            ConfigError: If it is none, or of another schema.
        """
        try:
            document = json.loads(text)
            schema = document.pop("schema")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(f"that is no report of an experiment: {error!r}.") from error
        if schema != SCHEMA:
            raise ConfigError(f"a report of schema {schema!r} is not known, but {SCHEMA} is.")
        return typed(cls, document)
