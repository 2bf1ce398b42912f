"""A bandit's arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import beta, norm

from tritonkit.client.statistics.moments import Moments
from tritonkit.client.statistics.thompson import (
    BetaPosterior,
    NormalPosterior,
    allocate,
    best_shares,
    inverse_propensity,
    observed_pulls,
)
from tritonkit.errors import ConfigError


def test_shares_of_rates_are_those_of_the_integral(chance: np.random.Generator) -> None:
    """Of 20,000 draws a share is known to 0.0035 at most; four of those bound it."""
    counts = [(10, 90), (15, 85), (2, 10)]
    laws = [beta(1 + s, 1 + f) for s, f in counts]
    found = best_shares([BetaPosterior(*one) for one in counts], chance)
    for arm, law in enumerate(laws):
        others = [other for other in laws if other is not law]
        expected, _ = quad(
            lambda p, law=law, o=others: law.pdf(p) * np.prod([x.cdf(p) for x in o]), 0, 1
        )
        assert found[arm] == pytest.approx(expected, abs=4 * 0.0035)
    assert sum(found) == pytest.approx(1.0)


def test_two_normal_arms_need_no_draws(chance: np.random.Generator) -> None:
    arms = [NormalPosterior(1.0, 0.04), NormalPosterior(1.3, 0.05)]
    found = best_shares(arms, chance)
    assert found[0] == pytest.approx(norm.cdf(-0.3 / 0.3))
    third = best_shares([*arms, NormalPosterior(-10.0, 0.01)], chance)
    assert third[0] == pytest.approx(found[0], abs=4 * 0.0035)
    assert best_shares([NormalPosterior(0.0, 0.0)] * 2, chance) == [0.5, 0.5]


@given(
    counts=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=5),
    part=st.floats(0, 1),
)
@settings(max_examples=40, deadline=None)
def test_every_arm_has_its_floor(counts: list[tuple[int, int]], part: float) -> None:
    floor = part / len(counts)
    found = allocate(
        [BetaPosterior(*one) for one in counts],
        np.random.default_rng(0),
        floor=floor,
        draws=500,
    )
    assert min(found.propensities) >= floor
    assert sum(found.propensities) == pytest.approx(1.0)
    order = np.argsort(found.best)
    assert list(np.diff(np.array(found.propensities)[order]) >= -1e-12) == [True] * (
        len(counts) - 1
    )


def test_nothing_is_known_at_first(chance: np.random.Generator) -> None:
    unknown = NormalPosterior.of(Moments.of([1.0]))
    assert best_shares([unknown, NormalPosterior(1.0, 1.0)], chance) == [0.5, 0.5]
    known = NormalPosterior.of(Moments.of([1.0, 3.0]))
    assert (known.mean, known.variance) == (2.0, 1.0)


def test_pulls_that_still_wait_count_in_part() -> None:
    """At once none, after the mean delay 1 - 1/e, in the end one."""
    assert observed_pulls([0.0, -1.0], 60.0) == 0.0
    assert observed_pulls([60.0], 60.0) == pytest.approx(1 - np.exp(-1))
    assert observed_pulls([1e6, 1e6], 60.0) == pytest.approx(2.0)
    assert observed_pulls([0.0, 5.0], 0.0) == 2.0


def test_delays_do_not_hide_the_better_arm(chance: np.random.Generator) -> None:
    """
    Two equal arms of 10 %, one used mostly of late, rewards a minute later on average.
    Counted as failures at once, what waits makes it look worse; in part, it does not.
    """
    ages = {"old": chance.uniform(300, 600, 4000), "late": chance.uniform(0, 60, 4000)}
    rates = {}
    for name, age in ages.items():
        came = (chance.random(4000) < 0.1) & (chance.exponential(60, 4000) < age)
        waiting = observed_pulls(age[~came], 60.0)
        rates[name] = came.sum() / 4000, came.sum() / (came.sum() + waiting)
    assert rates["late"][0] < 0.06
    # The standard error of either is below 0.008.
    assert rates["late"][1] == pytest.approx(rates["old"][1], abs=4 * 0.011)


def test_a_bandit_earns_more_and_its_log_is_unbiased(chance: np.random.Generator) -> None:
    """
    150 bandits of two arms, 5 % and 15 %, 20 rounds of 50 pulls. Most pulls go to the
    better arm by the end; the means weighted by propensity are true, within four standard errors.
    """
    rates, runs = np.array([0.05, 0.15]), 150
    estimates, last = [], []
    for _ in range(runs):
        won, pulled = np.zeros(2), np.zeros(2)
        rewards, chosen, shares = [], [], []
        for _ in range(20):
            posteriors = [BetaPosterior(w, p - w) for w, p in zip(won, pulled, strict=True)]
            found = allocate(posteriors, chance, floor=0.1, draws=400)
            arms = (chance.random(50) < found.propensities[1]).astype(int)
            reward = chance.random(50) < rates[arms]
            won += np.bincount(arms, reward, 2)
            pulled += np.bincount(arms, minlength=2)
            rewards.append(reward)
            chosen.append(arms == 0)
            shares.append(np.full(50, found.propensities[0]))
        last.append(found.propensities[1])
        estimates.append(
            inverse_propensity(*(np.concatenate(x) for x in (rewards, chosen, shares))).mean
        )
    assert np.mean(last) > 0.75
    error = np.std(estimates) / np.sqrt(runs)
    assert np.mean(estimates) == pytest.approx(0.05, abs=4 * error)


def test_impossible_arguments(chance: np.random.Generator) -> None:
    with pytest.raises(ConfigError, match="at least one"):
        allocate([], chance)
    with pytest.raises(ConfigError, match=r"floor=0\.6"):
        allocate([BetaPosterior(), BetaPosterior()], chance, floor=0.6)
    with pytest.raises(ConfigError, match="one kind"):
        best_shares([BetaPosterior(), NormalPosterior()], chance)
    with pytest.raises(ConfigError, match="negative"):
        BetaPosterior(-1, 0)
    with pytest.raises(ConfigError, match="propensities"):
        inverse_propensity([1.0], [True], [0.0])
    with pytest.raises(ConfigError, match="mean_delay"):
        observed_pulls([1.0], -1.0)
