"""Means and differences bounded at every look (E37)."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, log, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from tritonkit.client.statistics.means import (
    LEAST,
    difference_evidence,
    difference_sequence,
    difference_variance,
    mean_evidence,
    mean_sequence,
    radius,
    relative_sequence,
)
from tritonkit.client.statistics.moments import Moments
from tritonkit.errors import ConfigError

Bound = Callable[[int, float], int]
Draw = Callable[[np.random.Generator, tuple[int, int]], NDArray[np.float64]]
RUNS = 500

DRAWS: dict[str, Draw] = {
    "normal": lambda chance, shape: chance.normal(1.0, 2.0, shape),
    "exponential": lambda chance, shape: chance.exponential(1.0, shape),
    "rate of 0.1": lambda chance, shape: (chance.random(shape) < 0.1).astype(float),
    "rate of 0.01": lambda chance, shape: (chance.random(shape) < 0.01).astype(float),
    "lognormal": lambda chance, shape: chance.lognormal(0.0, 1.0, shape),
}
MEANS = {"normal": 1.0, "exponential": 1.0, "rate of 0.1": 0.1, "lognormal": sqrt(np.e)}


def running(
    values: NDArray[np.float64], kept: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Count, mean and variance of what is kept, after each step of each stream."""
    n = np.cumsum(kept, axis=1)
    at_least_two = np.maximum(n, 2)
    total = np.cumsum(np.where(kept, values, 0), axis=1)
    squares = np.cumsum(np.where(kept, values**2, 0), axis=1)
    mean = total / np.maximum(n, 1)
    return n, mean, np.maximum(squares - n * mean**2, 0) / (at_least_two - 1)


@pytest.mark.parametrize("kind", MEANS)
def test_a_mean_is_inside_at_every_look(
    kind: str, chance: np.random.Generator, most: Bound
) -> None:
    """500 streams, looked at after each of 2,000 values from LEAST on, tuned for 1,000."""
    values = DRAWS[kind](chance, (RUNS, 2000))
    n, mean, variance = running(values, np.ones_like(values, np.bool_))
    off = mean - MEANS[kind]
    after = slice(LEAST - 1, None)
    for side, wrong in (("both", abs(off)), ("lower", off), ("upper", -off)):
        reach = radius(n, variance, alpha=0.05, tuned_for=1000, side=side)
        errors = (wrong > reach)[:, after].any(axis=1).sum()
        assert errors <= most(RUNS, 0.05), side


@pytest.mark.parametrize(
    ("kind", "share"), [*((kind, 0.3) for kind in DRAWS), ("rate of 0.01", 0.1)]
)
def test_two_equal_arms_are_not_called_different(
    kind: str, share: float, chance: np.random.Generator, most: Bound
) -> None:
    """
    500 A/A experiments of unequal arms, looked at after each of 2,000 units; one of rare
    successes with a tenth of the units in the treatment, whose own variance is useless.
    """
    values = DRAWS[kind](chance, (RUNS, 2000))
    treated = chance.random(values.shape) < share
    n1, mean1, variance1 = running(values, treated)
    n0, mean0, variance0 = running(values, ~treated)
    ready = (n1 >= LEAST) & (n0 >= LEAST)
    n = n1 + n0
    spread = sum(
        difference_variance((np.maximum(n1, 2), np.maximum(n0, 2)), (variance1, variance0))
    )
    ready &= spread > 0
    reach = radius(n, n * spread, alpha=0.05, tuned_for=1000)
    errors = ((abs(mean1 - mean0) > reach) & ready).any(axis=1).sum()
    assert errors <= most(RUNS, 0.05)
    # The simulation is of the function that is used.
    arms = Moments.of(values[0][treated[0]]), Moments.of(values[0][~treated[0]])
    found = difference_sequence(*arms, alpha=0.05, tuned_for=1000)
    assert found.high - found.estimate == pytest.approx(reach[0, -1])
    assert found.estimate == pytest.approx((mean1 - mean0)[0, -1])


def test_a_test_at_every_look_would_err_often(chance: np.random.Generator) -> None:
    """What this is for: a 5 % test of a fixed size, looked at as often, errs in over 30 %."""
    values = chance.normal(size=(RUNS, 2000))
    n, mean, variance = running(values, np.ones_like(values, np.bool_))
    errors = (abs(mean) > 1.96 * np.sqrt(variance / n))[:, LEAST - 1 :].any(axis=1).mean()
    assert errors > 0.3


def test_an_effect_is_found(chance: np.random.Generator) -> None:
    """A tenth of a standard deviation, 5,000 units an arm: within the interval, and not 0."""
    treatment, control = (Moments.of(chance.normal(m, 1.0, 5000)) for m in (1.1, 1.0))
    found = difference_sequence(treatment, control, tuned_for=10_000)
    assert found.excludes(0.0)
    assert not found.excludes(0.1)
    assert difference_evidence(treatment, control) >= log(20)


@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.001])
def test_tuned_for_is_where_it_is_narrowest(alpha: float) -> None:
    """Within a hundredth of the width at the best rho, which scipy finds."""

    def width(log_rho: float) -> float:
        r = np.exp(2 * log_rho) * 10_000
        return float(np.sqrt(2 * (1 + 1 / r) * np.log(np.sqrt(1 + r) / alpha) / 10_000))

    best = minimize_scalar(width, bounds=(-10, 0), method="bounded").fun
    found = float(radius(10_000, 1.0, alpha=alpha, tuned_for=10_000))
    assert best * (1 - 1e-9) <= found <= 1.01 * best
    for off in (1000, 100_000):
        assert float(radius(10_000, 1.0, alpha=alpha, tuned_for=off)) <= 1.4 * found


@given(
    mean=st.floats(-3, 3),
    spread=st.floats(0.1, 10),
    n=st.integers(LEAST, 10**6),
    alpha=st.floats(0.001, 0.1),
)
@settings(max_examples=60, deadline=None)
def test_evidence_is_at_its_bound_where_the_interval_ends(
    mean: float, spread: float, n: int, alpha: float
) -> None:
    moments = Moments(n, mean, spread * (n - 1))
    found = mean_sequence(moments, alpha=alpha)
    for end in (found.low, found.high):
        assert mean_evidence(moments, end, alpha=alpha) == pytest.approx(log(1 / alpha), abs=1e-6)
    assert mean_evidence(moments, mean, alpha=alpha) <= 0
    one = mean_sequence(moments, alpha=alpha, side="lower")
    assert one.high == inf
    assert found.low < one.low < mean


@given(first=st.floats(0.5, 2), second=st.floats(0.5, 2), n=st.integers(LEAST, 10**5))
@settings(max_examples=60, deadline=None)
def test_a_relative_effect_is_one_where_the_difference_is(
    first: float, second: float, n: int
) -> None:
    treatment, control = Moments(n, first, n - 1.0), Moments(2 * n, second, 2 * n - 1.0)
    relative = relative_sequence(treatment, control)
    difference = difference_sequence(treatment, control)
    assert relative.estimate == pytest.approx(first / second - 1)
    if relative.bounded:
        assert relative.low <= relative.estimate <= relative.high
        if abs(abs(difference.estimate) - difference.width / 2) > 1e-9:
            assert relative.excludes(0.0) == difference.excludes(0.0)


def test_a_relative_effect_is_inside_at_every_look(
    chance: np.random.Generator, most: Bound
) -> None:
    """300 experiments with a fifth more, looked at 20 times up to 4,000 units."""
    errors = 0
    for _ in range(300):
        treatment, control = Moments(), Moments()
        missed = False
        for _ in range(20):
            treatment = treatment.merge(Moments.of(chance.exponential(1.2, 100)))
            control = control.merge(Moments.of(chance.exponential(1.0, 100)))
            missed |= relative_sequence(treatment, control, tuned_for=2000).excludes(0.2)
        errors += missed
    assert errors <= most(300, 0.05)


def test_an_arm_without_a_success_borrows_its_variance() -> None:
    """None of 100 against 5 of 1,000 is no difference; of many units its own variance remains."""
    small, large = Moments.of_counts(0, 100), Moments.of_counts(5, 1000)
    assert not difference_sequence(small, large, tuned_for=1000).excludes(0.0)
    first, second = difference_variance((10**7, 10**7), (4.0, 1.0))
    assert first * 10**7 == pytest.approx(4.0)
    assert second * 10**7 == pytest.approx(1.0, rel=1e-3)
    assert difference_variance((100, 100), (4.0, 1.0))[0] * 100 == 4.0


def test_nothing_is_known_of_few_or_equal_values() -> None:
    few, equal = Moments.of(np.arange(LEAST - 1)), Moments.of(np.ones(10_000))
    many = Moments.of(np.arange(1000.0))
    assert not mean_sequence(few).bounded
    assert not mean_sequence(equal).bounded
    assert not difference_sequence(few, many).excludes(1e9)
    assert not relative_sequence(many, few).bounded
    assert mean_evidence(few, 1e9) == difference_evidence(few, many) == 0.0
    assert difference_sequence(many, equal).bounded
    assert not relative_sequence(many, Moments.of(np.arange(-500.0, 500.0))).bounded


def test_impossible_arguments() -> None:
    many = Moments.of(np.arange(1000.0))
    with pytest.raises(ConfigError, match=r"alpha=1\.0"):
        mean_sequence(many, alpha=1.0)
    with pytest.raises(ConfigError, match="tuned_for=0"):
        difference_sequence(many, many, tuned_for=0)
