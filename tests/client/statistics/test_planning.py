"""A plan's units show its effect as often as it says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tritonkit.client.statistics.means import LEAST, radius
from tritonkit.client.statistics.planning import Plan, plan_mean, plan_rate, plan_threshold
from tritonkit.client.statistics.proportions import critical_above, critical_below
from tritonkit.errors import ConfigError

Bound = Callable[[int, float], int]
RUNS = 300


@pytest.mark.parametrize("power", [0.8, 0.95])
@pytest.mark.parametrize("correlation", [0.0, 0.7])
def test_a_difference_of_means_is_seen(
    power: float, correlation: float, chance: np.random.Generator, least: Bound, most: Bound
) -> None:
    """
    300 experiments with an effect of 0.2 deviations, looked at after each pair of units:
    seen with at least the power, less the simulation's error, and not with much more.
    """
    plan = plan_mean(0.2, 1.0, power=power, correlation=correlation)
    pairs = plan.units // 2
    rest = np.sqrt(1 - correlation**2)
    apart = chance.normal(0.2, np.sqrt(2) * rest, (RUNS, pairs))
    n = np.arange(1, pairs + 1)
    mean = np.cumsum(apart, axis=1) / n
    variance = np.maximum(np.cumsum(apart**2, axis=1) / n - mean**2, 0)
    seen = (mean > radius(n, variance, tuned_for=plan.tuned_for / 2))[:, LEAST - 1 :].any(axis=1)
    assert seen.sum() >= least(RUNS, power)
    assert seen.sum() <= most(RUNS, 1 - (1 - power) * 0.4)


def test_a_difference_of_rates_is_seen(chance: np.random.Generator, least: Bound) -> None:
    """300 experiments, 20 % against 26 %, three in ten treated, looked at after each unit."""
    plan = plan_rate(0.2, 0.06, treated=0.3)
    shape = (RUNS, plan.units)
    treated = chance.random(shape) < 0.3
    value = chance.random(shape) < np.where(treated, 0.26, 0.2)
    n1, n0 = np.cumsum(treated, axis=1), np.cumsum(~treated, axis=1)
    m1 = np.cumsum(value & treated, axis=1) / np.maximum(n1, 1)
    m0 = np.cumsum(value & ~treated, axis=1) / np.maximum(n0, 1)
    n = n1 + n0
    spread = m1 * (1 - m1) / np.maximum(n1 - 1, 1) + m0 * (1 - m0) / np.maximum(n0 - 1, 1)
    ready = (n1 >= LEAST) & (n0 >= LEAST)
    seen = ((m1 - m0 > radius(n, n * spread, tuned_for=plan.tuned_for)) & ready).any(axis=1)
    assert seen.sum() >= least(RUNS, 0.8)


@pytest.mark.parametrize(("rate", "tolerated"), [(0.03, 0.01), (0.002, 0.01), (0.3, 0.4)])
def test_a_verdict_is_there(
    rate: float, tolerated: float, chance: np.random.Generator, least: Bound
) -> None:
    """400 shadows: decided within the units of the plan, in half about by `typical`."""
    plan = plan_threshold(rate, tolerated)
    n = np.arange(1, plan.units + 1)
    counts = np.cumsum(chance.random((400, plan.units)) < rate, axis=1)
    if rate > tolerated:
        decided = counts >= critical_above(n, tolerated, alpha=0.05)
    else:
        decided = counts <= critical_below(n, tolerated, alpha=0.05)
    assert decided.any(axis=1).sum() >= least(400, 0.8)
    by_then = decided[:, : plan.typical].any(axis=1).mean()
    assert 0.35 <= by_then <= 0.75


def test_the_price_of_peeking() -> None:
    """About twice the units of a test of one look; more power or less noise goes as it should."""
    plan = plan_mean(0.1, 1.0)
    # Scipy's power of a t-test has 3,142.
    assert plan.fixed == pytest.approx(3142, abs=4)
    assert 1.7 <= plan.units / plan.fixed <= 2.0
    assert plan_mean(0.1, 1.0, correlation=0.7).units == pytest.approx(0.51 * plan.units, rel=0.01)
    assert plan_mean(0.1, 1.0, power=0.95).units > plan.units
    assert plan_mean(-0.1, 1.0) == plan
    assert plan_mean(10.0, 1.0).units == 2 * LEAST
    assert plan_rate(0.1, -0.02).units < plan_rate(0.1, 0.02).units
    assert plan_threshold(0.0, 0.01) == Plan(units=377, typical=377, fixed=268, tuned_for=377)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plan_mean(0.0, 1.0), r"effect=0\.0"),
        (lambda: plan_mean(1e-9, 1.0), "1e9 units"),
        (lambda: plan_mean(0.1, 1.0, power=0.3), r"power=0\.3"),
        (lambda: plan_rate(0.99, 0.02), "rates must be"),
        (lambda: plan_threshold(0.1, 0.1), "differ"),
    ],
)
def test_impossible_arguments(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        call()
