"""Quantiles bounded at every look, of one arm and between two (E37)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import inf, log

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import expon, poisson

from tritonkit.client.statistics.proportions import (
    critical_above,
    critical_below,
    evidence_above,
    evidence_below,
)
from tritonkit.client.statistics.quantiles import (
    quantile_difference,
    quantile_evidence,
    quantile_ranks,
    quantile_sequence,
)
from tritonkit.errors import ConfigError

Bound = Callable[[int, float], int]
RUNS = 500


@pytest.mark.parametrize("q", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("kind", ["exponential", "poisson"])
def test_a_quantile_is_inside_at_every_look(
    q: float, kind: str, chance: np.random.Generator, steps: NDArray[np.int64], most: Bound
) -> None:
    """
    500 streams of 2,000 values, with and without atoms. It is outside where too few
    values are at most the quantile, or too many below it.
    """
    shape = (RUNS, len(steps))
    if kind == "exponential":
        values, true = chance.exponential(size=shape), expon.ppf(q)
    else:
        values, true = chance.poisson(3.0, shape).astype(float), poisson.ppf(q, 3.0)
    at_most, less = np.cumsum(values <= true, axis=1), np.cumsum(values < true, axis=1)
    wrong = at_most <= critical_below(steps, q, alpha=0.025)
    wrong |= less >= critical_above(steps, q, alpha=0.025)
    assert wrong.any(axis=1).sum() <= most(RUNS, 0.05)
    # The simulation is of the function that is used.
    for n in (100, 2000):
        found = quantile_sequence(values[0, :n], q, alpha=0.05)
        assert found.excludes(true) == wrong[0, n - 1]


def test_ends_are_values_by_rank(chance: np.random.Generator) -> None:
    values = chance.permutation(1000) + 1.0
    found = quantile_sequence(values, 0.95)
    assert (found.low, found.high) == quantile_ranks(1000, 0.95)
    assert found.estimate == 950.0


@pytest.mark.parametrize(("q", "fewest"), [(0.5, 7), (0.95, 90), (0.99, 455)])
def test_the_upper_end_is_open_until_there_are_enough(q: float, fewest: int) -> None:
    assert quantile_sequence(np.arange(fewest - 1), q).high == inf
    assert quantile_sequence(np.arange(fewest), q).high == fewest - 1
    assert quantile_sequence([], q).width == inf


def evidence_at(ordered: NDArray[np.float64], value: float, q: float) -> float:
    """Of one arm, from the definition."""
    n = len(ordered)
    below = evidence_below(int((ordered <= value).sum()), n, q)
    return max(evidence_above(int((ordered < value).sum()), n, q), below) - log(2)


@pytest.mark.parametrize("q", [0.3, 0.5, 0.8])
def test_the_difference_is_what_no_pair_of_values_allows(
    q: float, chance: np.random.Generator
) -> None:
    """All pairs of values of two small samples with ties, each between or on its neighbours."""
    first = np.sort(chance.integers(0, 15, 30).astype(float))
    second = np.sort(chance.integers(0, 12, 22).astype(float))
    grid = np.arange(-1.0, 16.5, 0.5)
    weight = {
        arm: [evidence_at(values, x, q) for x in grid] for arm, values in enumerate((first, second))
    }
    kept = [
        x - y
        for (i, x), (j, y) in product(enumerate(grid), enumerate(grid))
        if weight[0][i] + weight[1][j] < log(20)
    ]
    found = quantile_difference(first, second, q)
    if np.isfinite(found.high):
        assert found.high == max(kept)
    if np.isfinite(found.low):
        assert found.low == min(kept)
    least = min(sum(pair) for pair in zip(*weight.values(), strict=True))
    assert quantile_evidence(first, second, q) == pytest.approx(least, abs=1e-9)


@pytest.mark.parametrize("q", [0.5, 0.95])
def test_two_equal_arms_are_not_called_different(
    q: float, chance: np.random.Generator, most: Bound
) -> None:
    """
    60 A/A experiments, looked at 4 times up to 800 units: the evidence, and at the
    last look the interval, err in no more than alpha.
    """
    errors = missed = 0
    for _ in range(60):
        first, second = chance.lognormal(size=(2, 400))
        errors += any(
            quantile_evidence(first[:n], second[:n], q) >= log(20) for n in range(100, 401, 100)
        )
        missed += quantile_difference(first, second, q).excludes(0.0)
    assert errors <= most(60, 0.05)
    assert missed <= most(60, 0.05)


def test_a_slower_arm_is_found(chance: np.random.Generator) -> None:
    """A fifth slower at the median, 4,000 each; the interval holds the truth."""
    control = chance.lognormal(0.0, 0.5, 4000)
    treatment = 1.2 * chance.lognormal(0.0, 0.5, 4000)
    found = quantile_difference(treatment, control, 0.5)
    assert found.low > 0
    assert not found.excludes(0.2)
    assert quantile_evidence(treatment, control, 0.5) >= log(20)
    mirrored = quantile_difference(control, treatment, 0.5)
    assert (mirrored.low, mirrored.high) == (-found.high, -found.low)


def test_many_values_cost_little_width(chance: np.random.Generator) -> None:
    """With more ranks than cells: still within a fifth of four standard errors to each side."""
    first, second = chance.random((2, 200_000))
    found = quantile_difference(first, second, 0.5)
    error = np.sqrt(2 * 0.25 / 200_000)
    assert not found.excludes(0.0)
    assert found.width < 2 * 6 * error


def test_impossible_arguments() -> None:
    with pytest.raises(ConfigError, match=r"q=1\.0"):
        quantile_sequence([1.0], 1.0)
    with pytest.raises(ConfigError, match="alpha=0"):
        quantile_difference([1.0], [1.0], 0.5, alpha=0)
    with pytest.raises(ConfigError, match="finite"):
        quantile_sequence([inf], 0.5)
    assert not quantile_difference([], [1.0], 0.5).bounded
    assert quantile_evidence([], [1.0], 0.5) == 0.0
