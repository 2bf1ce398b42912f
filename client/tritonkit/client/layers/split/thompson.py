"""A bandit: weights that follow what the arms earn."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, TypeAlias, get_args

import numpy as np

from tritonkit.client.experiments.events import is_text
from tritonkit.client.experiments.question import Aggregate, Direction
from tritonkit.client.layers.split.pulls import Pulls
from tritonkit.client.statistics.thompson import allocate
from tritonkit.errors import ConfigError
from tritonkit.units import format_duration, parse_duration, parse_share

__all__ = ["Draw", "Thompson"]

Draw: TypeAlias = Literal["unit", "request"]
"""What comes to an arm together: all requests of a unit, or each request by itself."""

_CHOICES = {"aggregate": get_args(Aggregate), "better": get_args(Direction), "draw": get_args(Draw)}


class Thompson:
    """
    Makes a Split a bandit: each arm gets the share with which it is likely the best one.

    A bandit is no test: it earns more while it learns, and tells less. The plain
    means of its arms are biased, and no interval of a report holds for them. Every answer
    carries its propensity, by which `inverse_propensity` estimates without bias what an arm
    would have earned.

    One process at a time reads the outcomes from the log of the experiments, beside the
    path of requests, and writes the weights into the experiment's control, which all
    processes follow. Where the log is away, or that process ends, the last weights hold;
    another process goes on after three times *every*. The one that takes over reads the log
    from its beginning.

    An answer earns nothing until *delay* has passed, and then what was recorded by then;
    what comes later is left out. An answer that is an error counts against its arm, except
    where the outcome is a mean, or a sum of which less is better. Arms with weight 0
    take no part.

    Whether a user sees one arm or several is *draw*, and the `sticky` of the Split:

    - "unit": a unit has one place, and moves only where weights grow beyond it; with
      `sticky` it stays in its first arm for good, and its exposure has the propensity.
    - "request": each request is drawn by itself. Only then is every answer independent of those
      before, given its propensity, as its use asks for. What is in memory is then not
      answered at once.

    Args:
        outcome: Name of the outcome that is earned: `client.record(answer, outcome, 1.0)`.
        floor: The least share of each arm. 5 %: what an arm would earn stays known, and an
            arm that becomes better later is found.
        every: How often weights are computed. 30 s: a hundredth of the time in which
            most traffic changes.
        delay: How long an outcome may take. 10 minutes: most clicks come within; say a
            day for what is bought. The weights follow so much later.
        aggregate: Of the outcomes of an answer: "any", whether there is one other than
            0, for rates (a Beta posterior); "sum", 0 without any, such as revenue; or
            "mean", of those that have one, such as ratings (normal posteriors).
        better: "lower" for what is bad, such as complaints.
        draw: What comes to an arm together.
        warm_up: Answers of each arm that must count before weights change. 100: the first
            few rewards are chance.

    Raises:
        ConfigError: If an argument is wrong.

    Source: Thompson (1933); Chapelle and Li, An empirical evaluation of Thompson
    sampling (2011).
    """

    def __init__(
        self,
        outcome: str,
        *,
        floor: str | float = "5%",
        every: str | float | timedelta = "30s",
        delay: str | float | timedelta = "10m",
        aggregate: Aggregate = "any",
        better: Direction = "higher",
        draw: Draw = "unit",
        warm_up: int = 100,
    ) -> None:
        if not is_text(outcome):
            raise ConfigError(f"outcome must be text of 1 to 1000 characters, but got {outcome!r}.")
        for name, value in (("aggregate", aggregate), ("better", better), ("draw", draw)):
            if value not in _CHOICES[name]:
                raise ConfigError(
                    f"{name} must be one of {', '.join(_CHOICES[name])}, but got {value!r}."
                )
        if isinstance(warm_up, bool) or not isinstance(warm_up, int) or warm_up < 0:
            raise ConfigError(f"warm_up must be 0 or more, but got {warm_up=}.")
        self.outcome = outcome
        self.floor = parse_share(floor, name="floor")
        self.every = parse_duration(every, name="every")
        self.delay = parse_duration(delay, name="delay")
        for name, seconds in (("every", self.every), ("delay", self.delay)):
            # An outcome always comes later than its answer.
            if not seconds:
                raise ConfigError(f"{name} must be more than 0, but got {seconds}.")
        self.aggregate: Aggregate = aggregate
        self.better: Direction = better
        self.draw: Draw = draw
        self.warm_up = warm_up

    def __repr__(self) -> str:
        return (
            f"Thompson({self.outcome!r}, floor={self.floor:g}, "
            f"every={format_duration(self.every)!r}, delay={format_duration(self.delay)!r}, "
            f"aggregate={self.aggregate!r}, better={self.better!r}, draw={self.draw!r}, "
            f"warm_up={self.warm_up})"
        )

    def check(self, weights: Mapping[str, float]) -> None:
        """
        Look whether it can begin with these weights.

        Raises:
            ConfigError: If an arm begins below the floor.
        """
        for arm, share in shares(weights).items():
            # Nothing but rounding is below it.
            if 0 < share < self.floor - 1e-9:
                raise ConfigError(
                    f"arm {arm!r} must begin with the floor's share of {self.floor:g} at least, "
                    f"but got {share:g}."
                )

    def pulls(self, experiment: str, version: str, weights: Mapping[str, float]) -> Pulls:
        """What the arms earn, as these options count it."""
        return Pulls(
            experiment,
            version,
            [arm for arm, weight in weights.items() if weight],
            self.outcome,
            delay=self.delay,
            aggregate=self.aggregate,
            better=self.better,
        )

    def weights(self, pulls: Pulls, first: Mapping[str, float], seed: int) -> dict[str, float]:
        """
        The share of each arm; they sum to 1.

        Args:
            pulls: That are known.
            first: Weights to begin with; they hold until *warm_up* is over.
            seed: Of the draws.
        """
        found = shares(first)
        if min(pulls.counted.values()) < self.warm_up:
            return found
        drawn = allocate(pulls.posteriors(), np.random.default_rng(seed), floor=self.floor)
        return {**found, **dict(zip(pulls.arms, drawn.propensities, strict=True))}


def shares(weights: Mapping[str, float]) -> dict[str, float]:
    """Weights as parts of 1."""
    total = sum(weights.values())
    return {arm: weight / total for arm, weight in weights.items()}
