"""How much harm an arm may do, and whether it does more."""

from __future__ import annotations

import math
from dataclasses import dataclass
from math import log

from tritonkit.client.experiments.effects import Pair, figure
from tritonkit.client.experiments.events import is_text
from tritonkit.client.experiments.question import BUILT_IN, Aggregate, Direction
from tritonkit.client.statistics.interval import check_alpha
from tritonkit.client.statistics.moments import Moments
from tritonkit.errors import ConfigError

__all__ = ["Guard", "Harm", "described", "harms"]

TUNED_FOR = 1_000
"""Units at which a guard sees best: harm is to be found early."""


@dataclass(frozen=True, slots=True)
class Guard:
    """
    A metric that no arm may harm.

    Args:
        metric: errors, degraded (shares of a unit's answers), latency (mean seconds), cost
            (of an answer, on average), answers (of a unit), or the name of an outcome.
        harm: How much worse than the control an arm may be, mean over units, in the metric's
            unit: 0.01 of errors is a point. 0 for not at all.
        relative: Whether *harm* is a share of the control's instead.
        better: Which way is; by default lower for errors, degraded, latency and
            cost, higher for all others.
        aggregate: Of a unit's outcomes: their mean, their sum, or "any" for whether one is
            not 0. The mean by default, which is what a label or a rating asks for.
        alpha: The chance that arms which do no more harm are ever stopped, all arms
            together. 0.01: a false stop ends an experiment. Exact where units' values are
            0 or 1, else asymptotic, and then silent before 100 units an arm.

    Raises:
        ConfigError: If an argument is wrong.
    """

    metric: str
    harm: float = 0.0
    relative: bool = False
    better: Direction | None = None
    aggregate: Aggregate | None = None
    alpha: float = 0.01

    def __post_init__(self) -> None:
        if not is_text(self.metric):
            raise ConfigError(f"metric must be the name of one, but got {self.metric!r}.")
        if isinstance(self.harm, bool) or not (math.isfinite(self.harm) and self.harm >= 0):
            raise ConfigError(f"harm must be finite and not negative, but got {self.harm!r}.")
        if self.better not in (None, "higher", "lower"):
            raise ConfigError(f"better must be higher or lower, but got {self.better!r}.")
        if self.aggregate not in (None, "any", "mean", "sum"):
            raise ConfigError(f"aggregate must be any, mean or sum, but got {self.aggregate!r}.")
        if self.aggregate and self.metric in BUILT_IN:
            raise ConfigError(f"aggregate is for outcomes, and {self.metric!r} is none.")
        check_alpha(self.alpha)

    @property
    def direction(self) -> Direction:
        """Which way is better, in the end."""
        return self.better or BUILT_IN.get(self.metric, "higher")

    @property
    def of_unit(self) -> Aggregate:
        """What is made of a unit's values."""
        return self.aggregate or ("sum" if self.metric == "answers" else "mean")


@dataclass(frozen=True, slots=True)
class Harm:
    """
    What a guard has found.

    Args:
        guard: That found it.
        arm: That does it.
        units: Of this arm and the control, until then.
        reason: In words.
    """

    guard: Guard
    arm: str
    units: int
    reason: str


def harms(guard: Guard, treatment: Moments, control: Moments, *, rate: bool, arms: int = 1) -> bool:
    """
    Whether an arm surely does more harm than is tolerated; as often as one likes.

    Assumes that units are independent. Let an arm do no more harm than that: the chance
    that this is ever true is the guard's alpha / arms at most.

    Args:
        guard: What is tolerated.
        treatment: Moments over the arm's units.
        control: Over those of the control.
        rate: Whether every unit's value is 0 or 1.
        arms: That are compared with the control.

    Source: the e-values of `rate_evidence` and `difference_evidence`. They are two-sided, so one
    that stands on the harmful side is worth twice as much as it says; that is not used.
    """
    worse = 1.0 if guard.direction == "lower" else -1.0
    tolerated = worse * guard.harm
    if guard.relative:
        factor = max(0.0, 1 + tolerated)
        control = Moments(control.n, control.mean * factor, control.m2 * factor**2)
        tolerated, rate = 0.0, False
    if worse * (treatment.mean - control.mean - tolerated) <= 0:
        return False
    if rate and abs(tolerated) >= 1:
        return False
    pair = Pair(treatment, control, rate, guard.alpha / arms, TUNED_FOR)
    return pair.evidence(tolerated) >= log(arms / guard.alpha)


def described(guard: Guard, arm: str, treatment: Moments, control: Moments, *, rate: bool) -> Harm:
    """The harm in words."""
    tolerated = (
        f"{guard.harm:.3g} times the control's" if guard.relative else figure(guard.harm, rate=rate)
    )
    values = [f"{moments.mean:.4g} over {moments.n} units" for moments in (treatment, control)]
    reason = (
        f"{arm} harms {guard.metric}: {values[0]}, the control {values[1]}; "
        f"{tolerated} is tolerated"
    )
    return Harm(guard, arm, treatment.n + control.n, reason)
