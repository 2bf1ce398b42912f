"""What is asked of an experiment's events."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tritonkit.client.experiments.events import is_text
from tritonkit.client.statistics.interval import check_alpha
from tritonkit.client.statistics.means import TUNED_FOR
from tritonkit.errors import ConfigError

__all__ = ["BUILT_IN", "Aggregate", "Direction", "Metric", "Question"]

Direction: TypeAlias = Literal["higher", "lower"]
"""Which way of a metric is better."""

Aggregate: TypeAlias = Literal["any", "mean", "sum"]
"""
What is made of a unit's outcomes: whether one of them is not 0, their mean, or their sum.

A unit without outcomes counts 0 for "any" and "sum", and is left out for "mean".
"""

BUILT_IN: Mapping[str, Direction] = {
    "errors": "lower",
    "degraded": "lower",
    "latency": "lower",
    "cost": "lower",
    "answers": "higher",
}
"""Metrics made of answers, and which way is better. Outcomes of these names are not shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """
    A metric, and what it is for.

    Args:
        name: Of the outcome; or errors, degraded (shares of a unit's answers), latency (mean
            seconds of a unit's answers that are no errors), cost (of an answer, on average)
            or answers (of a unit).
        better: Which way is; by default lower for errors, degraded, latency and cost,
            higher for all others.
        least: The least difference that matters, in the metric's unit; 0 for any.
        aggregate: Of a unit's outcomes. By default their mean where all are 0 or 1 and some
            are 0, as labels are; "any" where all are 1, as conversions are; else their sum.

    Raises:
        ConfigError: If an argument is wrong.
    """

    name: str
    better: Direction | None = None
    least: float = 0.0
    aggregate: Aggregate | None = None

    def __post_init__(self) -> None:
        if not is_text(self.name):
            raise ConfigError(f"name must be that of a metric, but got {self.name!r}.")
        if self.better not in (None, "higher", "lower"):
            raise ConfigError(f"better must be higher or lower, but got {self.better!r}.")
        if not (math.isfinite(self.least) and self.least >= 0):
            raise ConfigError(f"least must be finite and not negative, but got {self.least!r}.")
        if self.aggregate not in (None, "any", "mean", "sum"):
            raise ConfigError(f"aggregate must be any, mean or sum, but got {self.aggregate!r}.")
        if self.aggregate and self.name in BUILT_IN:
            raise ConfigError(f"{self.name!r} is no outcome, so it has no aggregate.")

    @property
    def direction(self) -> Direction:
        """Which way is better, in the end."""
        return self.better or BUILT_IN.get(self.name, "higher")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """
    How to look at the events.

    Args:
        metrics: What is known of some; the first one decides.
        version: Of the experiment; by default the one that began last.
        control: The arm that the others are compared with; by default the first of the
            weights, else the one called "control", else the first by name.
        weights: Of the arms, for the sample ratio, the control first; None where nobody knows.
        alpha: Of each interval, and the false discovery rate.
        window: Seconds after its exposure in which what a unit does counts; units that
            were exposed later than that before the last event wait. Then no unit's
            value changes any more once it counts, as the intervals assume. None
            counts all until now, which is sooner, and nearly as good where outcomes are quick.
        kpis: Outcomes to correlate with the model's metrics; the deciding one by default.
        looks: At how many times to show the effects by the deciding metric, or where none
            is named by each outcome; 0 for none.
        bins: Of time.
        tuned_for: Units at which intervals of means are narrowest; fixed in advance.

    Raises:
        ConfigError: If an argument is wrong.
    """

    metrics: tuple[Metric, ...] = ()
    version: str = ""
    control: str = ""
    weights: Mapping[str, float] | None = None
    alpha: float = 0.05
    window: float | None = None
    kpis: tuple[str, ...] = ()
    looks: int = 20
    bins: int = 48
    tuned_for: float = TUNED_FOR

    def __post_init__(self) -> None:
        check_alpha(self.alpha)
        names = [metric.name for metric in self.metrics]
        if len(set(names)) < len(names):
            raise ConfigError(f"metrics must have different names, but got {names}.")
        if self.window is not None and not self.window >= 0:
            raise ConfigError(f"window must not be negative, but got {self.window!r}.")
        if self.looks < 0 or self.bins < 1:
            raise ConfigError(f"looks and bins must be counts: {self.looks}, {self.bins}.")

    def metric(self, name: str) -> Metric:
        """What is known of a metric."""
        return next((metric for metric in self.metrics if metric.name == name), Metric(name=name))
