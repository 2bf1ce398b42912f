"""A bandit's arithmetic: how likely each arm is the best, and what share it gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tritonkit.client.statistics.moments import Moments
from tritonkit.errors import ConfigError

__all__ = [
    "Allocation",
    "BetaPosterior",
    "NormalPosterior",
    "Posterior",
    "allocate",
    "best_shares",
    "inverse_propensity",
    "observed_pulls",
]

DRAWS = 20_000
"""Of each posterior: a share of 5 % is then known to 0.15 points."""


@dataclass(frozen=True, slots=True)
class BetaPosterior:
    """
    What is believed of a rate, beginning with the uniform distribution.

    Args:
        successes: Rewards that came.
        failures: Pulls known to bring none; `observed_pulls` says how many of those
            that are still waiting count so.
    """

    successes: float = 0.0
    failures: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.successes < np.inf and 0 <= self.failures < np.inf):
            raise ConfigError(f"counts must not be negative, but got {self}.")

    def draw(self, generator: np.random.Generator, count: int) -> NDArray[np.float64]:
        """So many rates that it may be."""
        return generator.beta(1 + self.successes, 1 + self.failures, count)


@dataclass(frozen=True, slots=True)
class NormalPosterior:
    """
    What is believed of a mean, by the central limit theorem, without a prior.

    Args:
        mean: In the unit of the reward.
        variance: Of the mean, not of the values; inf where nothing is known.
    """

    mean: float = 0.0
    variance: float = float("inf")

    @classmethod
    def of(cls, moments: Moments) -> NormalPosterior:
        """Of fewer than two rewards, or of equal ones, nothing is known."""
        if moments.n < 2 or moments.m2 <= 0:
            return cls()
        return cls(moments.mean, moments.variance / moments.n)

    def draw(self, generator: np.random.Generator, count: int) -> NDArray[np.float64]:
        """So many means that it may be."""
        return self.mean + sqrt(self.variance) * generator.standard_normal(count)


Posterior = BetaPosterior | NormalPosterior
"""What is believed of an arm's reward."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """
    What the arms get until it is computed anew.

    Args:
        best: How likely each arm is the best one, by what is believed; sums to 1.
        propensities: The probability with which a unit comes to each arm; sums to 1.
            Record it with every exposure: without it the means of a bandit's arms are
            biased, and with it `inverse_propensity` is not.
    """

    best: tuple[float, ...]
    propensities: tuple[float, ...]


def allocate(
    posteriors: Sequence[Posterior],
    generator: np.random.Generator,
    *,
    floor: float = 0.05,
    draws: int = DRAWS,
) -> Allocation:
    """
    Give each arm a floor, and of the rest a share as large as it is likely the best.

    A bandit earns more while it learns, and tells less: its arms' plain means are biased,
    and nothing here is an interval.

    Args:
        posteriors: Of one kind; more is better.
        generator: Seeded by the caller, so that a run can be repeated.
        floor: What no arm falls below. 0.05 keeps every arm's propensity away from 0, so
            that what it would earn stays known. Zero is allowed.
        draws: Of each posterior. Two normal ones need none.

    Raises:
        ConfigError: If there is no arm, or the floors exceed the whole.

    Source: Thompson, On the likelihood that one unknown probability exceeds another
    (1933); Chapelle and Li, An empirical evaluation of Thompson sampling (2011).
    """
    count = len(posteriors)
    if not count:
        raise ConfigError("a bandit needs at least one arm.")
    if not 0 <= floor * count <= 1:
        raise ConfigError(f"floor must be 0 to 1 / {count} for {count} arms, but got {floor=}.")
    best = best_shares(posteriors, generator, draws=draws)
    rest = 1 - floor * count
    return Allocation(tuple(best), tuple(floor + rest * share for share in best))


def best_shares(
    posteriors: Sequence[Posterior], generator: np.random.Generator, *, draws: int = DRAWS
) -> list[float]:
    """
    How likely each arm is the best one.

    In closed form for two normal posteriors, else by simulation. While nothing is
    known of a normal arm, all arms are as likely.
    """
    normal = [posterior for posterior in posteriors if isinstance(posterior, NormalPosterior)]
    if normal and len(normal) < len(posteriors):
        raise ConfigError("the posteriors of a bandit must be of one kind.")
    if not all(isfinite(posterior.variance) for posterior in normal):
        return [1 / len(posteriors)] * len(posteriors)
    if len(normal) == 2:
        first, second = normal
        spread = sqrt(first.variance + second.variance)
        share = NormalDist().cdf((first.mean - second.mean) / spread) if spread else 0.5
        return [share, 1 - share]
    drawn = np.stack([posterior.draw(generator, draws) for posterior in posteriors])
    wins = np.bincount(drawn.argmax(axis=0), minlength=len(posteriors))
    return [float(win) / draws for win in wins]


def observed_pulls(ages: ArrayLike, mean_delay: float) -> float:
    """
    As how many failures pulls count whose reward has not come yet.

    A pull of an age counts by the probability that its reward would have come by now, if
    it had one. Assumes delays that are exponential with a mean that is known; a
    pull counted 1 at once would make every arm look bad that was used lately.

    Args:
        ages: Seconds since each pull without a reward, shape (pulls,).
        mean_delay: Seconds from a pull to its reward, on average; 0 for at once.

    Source: Chapelle, Modeling delayed feedback in display advertising (2014), whose
    weights these are where rewards are rare.
    """
    if mean_delay < 0:
        raise ConfigError(f"mean_delay must not be negative, but got {mean_delay=}.")
    array = np.asarray(ages, np.float64)
    if mean_delay == 0:
        return float(array.size)
    return float(-np.expm1(-np.maximum(array, 0) / mean_delay).sum())


def inverse_propensity(rewards: ArrayLike, chosen: ArrayLike, propensities: ArrayLike) -> Moments:
    """
    Moments whose mean is what an arm earns, from a bandit's log.

    Args:
        rewards: Of all pulls, whatever arm they went to, shape (pulls,).
        chosen: Whether each went to this arm.
        propensities: With which probability it was to go there, recorded at the time; above 0.

    Returns:
        Of reward / propensity where it was chosen, and 0 elsewhere; unbiased,
        for `mean_sequence`. The lower the propensity, the greater the variance: the
        floor bounds it.

    Source: Horvitz and Thompson (1952).
    """
    reward, took, share = (
        np.asarray(rewards, np.float64),
        np.asarray(chosen, np.bool_),
        np.asarray(propensities, np.float64),
    )
    if not ((share > 0) & (share <= 1)).all():
        raise ConfigError("propensities must be above 0 and at most 1.")
    return Moments.of(np.where(took, reward / share, 0.0))
