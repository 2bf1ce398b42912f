"""Two rates compared at every look (E37)."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from tritonkit.client.statistics.proportions import evidence_against
from tritonkit.client.statistics.rates import Trials, rate_difference, rate_evidence, rate_ratio
from tritonkit.errors import ConfigError

Bound = Callable[[int, float], int]
arms = st.integers(1, 10_000).flatmap(lambda n: st.builds(Trials, st.integers(0, n), st.just(n)))


@given(treatment=arms, control=arms, difference=st.floats(-0.5, 0.5))
@settings(max_examples=30, deadline=None)
def test_evidence_is_the_least_of_the_product(
    treatment: Trials, control: Trials, difference: float
) -> None:
    """As scipy finds it among the pairs of rates with that difference."""

    def product(rate: float) -> float:
        return evidence_against(*control, rate) + evidence_against(*treatment, rate + difference)

    bounds = (max(0.0, -difference) + 1e-12, min(1.0, 1 - difference) - 1e-12)
    best = minimize_scalar(product, bounds=bounds, method="bounded", options={"xatol": 1e-12}).fun
    best = min(best, *(product(end) for end in bounds))
    found = rate_evidence(treatment, control, difference=difference)
    assert found == pytest.approx(best, abs=1e-4, rel=1e-6)


@given(treatment=arms, control=arms)
@settings(max_examples=15, deadline=None)
def test_the_ends_are_where_the_evidence_is_enough(treatment: Trials, control: Trials) -> None:
    found = rate_difference(treatment, control)
    assert found.low <= treatment.rate - control.rate <= found.high
    for end in (found.low, found.high):
        if abs(end) < 1:
            evidence = rate_evidence(treatment, control, difference=end)
            assert evidence == pytest.approx(log(20), abs=1e-4)
    mirrored = rate_difference(control, treatment)
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low), abs=1e-9)
    ratio = rate_ratio(treatment, control)
    assert ratio.excludes(0.0) == found.excludes(0.0)
    assert ratio.low <= ratio.estimate <= ratio.high


@pytest.mark.parametrize(("control", "treatment"), [(0.1, 0.1), (0.002, 0.01)])
def test_the_true_difference_and_ratio_stay_inside(
    control: float, treatment: float, chance: np.random.Generator, most: Bound
) -> None:
    """100 experiments, looked at 8 times, twice as many units in one arm."""
    missed = np.zeros((2, 100), np.bool_)
    for run in range(100):
        first = np.cumsum(chance.binomial(50, treatment, 8))
        second = np.cumsum(chance.binomial(100, control, 8))
        for look in range(8):
            one = Trials(int(first[look]), 50 * (look + 1))
            other = Trials(int(second[look]), 100 * (look + 1))
            missed[0, run] |= rate_evidence(one, other, difference=treatment - control) >= log(20)
        missed[1, run] = rate_ratio(one, other).excludes(treatment / control - 1)
    assert missed[0].sum() <= most(100, 0.05)
    assert missed[1].sum() <= most(100, 0.05)


def test_rare_and_missing_successes() -> None:
    assert rate_difference(Trials(0, 0), Trials(1, 2)).bounded
    assert rate_ratio(Trials(3, 10), Trials(0, 1000)).high == inf
    assert rate_ratio(Trials(0, 1000), Trials(100, 1000)).low == -1.0
    assert rate_ratio(Trials(0, 1000), Trials(100, 1000)).high < -0.8
    assert rate_difference(Trials(50, 50), Trials(0, 50)).low > 0.8
    assert rate_evidence(Trials(0, 0), Trials(1, 2)) == 0.0
    with pytest.raises(ConfigError, match="successes=3 and n=2"):
        rate_difference(Trials(3, 2), Trials(1, 2))
    with pytest.raises(ConfigError, match="difference=1"):
        rate_evidence(Trials(1, 2), Trials(1, 2), difference=1)
