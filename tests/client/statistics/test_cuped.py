"""What the past explains is taken out (E37)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from tritonkit.client.statistics.cuped import CupedArm, cuped
from tritonkit.client.statistics.means import (
    LEAST,
    difference_sequence,
    difference_variance,
    radius,
)
from tritonkit.client.statistics.moments import Comoments, Moments

Bound = Callable[[int, float], int]


def arm(x: NDArray[np.float64], y: NDArray[np.float64], new: int = 0) -> CupedArm:
    """An arm of which the first *new* units have no past."""
    return CupedArm(Comoments.of(x[new:], y[new:]), Moments.of(y[:new]))


def pairs(
    chance: np.random.Generator, shape: tuple[int, ...], rho: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Skewed pasts of mean 3, and values that correlate with them by rho, of variance 1."""
    x = chance.exponential(1.0, shape) + 2
    return x, rho * (x - 3) + np.sqrt(1 - rho**2) * chance.normal(size=shape)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_the_variance_falls_by_the_square_of_the_correlation(
    rho: float, chance: np.random.Generator
) -> None:
    """
    20,000 units: rho^2 has a standard error of 2 rho (1 - rho^2) / sqrt(n), at most
    0.0055 and 0.00005 at 0 (its own bias); four of them, and that, bound it.
    """
    x, y = pairs(chance, (2, 10_000), rho)
    found = cuped([arm(x[0], y[0] + 0.3), arm(x[1], y[1])])
    error = 2 * rho * (1 - rho**2) / np.sqrt(20_000) * np.sqrt(3)
    assert found.removed == pytest.approx(rho**2, abs=4 * error + 0.001)
    expected = np.var(y[0] - found.coefficient * x[0], ddof=1)
    assert found.arms[0].variance == pytest.approx(expected)


def test_it_does_not_bias(chance: np.random.Generator) -> None:
    """
    2,000 experiments of 2 * 100 units with an effect of 0.5: the mean of the adjusted
    differences is within four of its standard errors, and their variance is
    1 - rho^2 of the raw ones', within four standard errors of a ratio of variances.
    """
    rho, runs, units = 0.8, 2000, 100
    x, y = pairs(chance, (runs, 2, units), rho)
    adjusted, raw = [], []
    for run in range(runs):
        treatment, control = arm(x[run, 0], y[run, 0] + 0.5), arm(x[run, 1], y[run, 1])
        first, second = cuped([treatment, control]).arms
        adjusted.append(first.mean - second.mean)
        raw.append(treatment.raw.mean - control.raw.mean)
    assert np.mean(adjusted) == pytest.approx(0.5, abs=4 * np.std(adjusted) / np.sqrt(runs))
    ratio = np.var(adjusted) / np.var(raw)
    assert ratio == pytest.approx(1 - rho**2, rel=4 * 2 / np.sqrt(runs))


def test_two_equal_arms_are_not_called_different(chance: np.random.Generator, most: Bound) -> None:
    """400 A/A experiments with a past, adjusted anew and looked at after each of 2,000 units."""
    runs, n = 400, 2000
    x, y = pairs(chance, (runs, n), 0.7)
    treated = chance.random((runs, n)) < 0.5
    sums = {
        side: [
            np.cumsum(np.where(kept, v, 0), axis=1)
            for v in (np.ones_like(x), x, y, x * x, x * y, y * y)
        ]
        for side, kept in ((1, treated), (0, ~treated))
    }
    means, parts = {}, {}
    for side, (count, sx, sy, sxx, sxy, syy) in sums.items():
        some = np.maximum(count, 2)
        mx, my = sx / some, sy / some
        means[side] = some, mx, my
        parts[side] = sxx - some * mx**2, sxy - some * mx * my, syy - some * my**2
    coefficient = (parts[1][1] + parts[0][1]) / np.maximum(parts[1][0] + parts[0][0], 1e-9)
    variances = []
    for side in (1, 0):
        mxx, mxy, myy = parts[side]
        m2 = myy - 2 * coefficient * mxy + coefficient**2 * mxx
        variances.append(np.maximum(m2, 0) / (means[side][0] - 1))
    spread = sum(difference_variance((means[1][0], means[0][0]), (variances[0], variances[1])))
    off = means[1][2] - means[0][2] - coefficient * (means[1][1] - means[0][1])
    ready = (means[1][0] >= LEAST) & (means[0][0] >= LEAST)
    whole = np.arange(1, n + 1)
    reach = radius(whole, whole * spread, tuned_for=1000)
    assert ((abs(off) > reach) & ready).any(axis=1).sum() <= most(runs, 0.05)
    # The simulation is of the function that is used.
    one, other = cuped([arm(x[0][kept], y[0][kept]) for kept in (treated[0], ~treated[0])]).arms
    found = difference_sequence(one, other, tuned_for=1000)
    assert found.estimate == pytest.approx(off[0, -1])
    assert found.width / 2 == pytest.approx(reach[0, -1])


def test_units_without_a_past_stay_as_they_are(chance: np.random.Generator) -> None:
    """Half of them new: half of the variance that the past explains is gone, and no bias."""
    x, y = pairs(chance, (2, 20_000), 0.8)
    found = cuped([arm(x[0], y[0] + 0.3, new=10_000), arm(x[1], y[1], new=10_000)])
    assert found.removed == pytest.approx(0.5 * 0.64, abs=0.02)
    interval = difference_sequence(*found.arms, tuned_for=40_000)
    assert not interval.excludes(0.3)
    raw = difference_sequence(arm(x[0], y[0] + 0.3).raw, arm(x[1], y[1]).raw, tuned_for=40_000)
    assert interval.width < raw.width


def test_without_any_past_nothing_changes() -> None:
    only = CupedArm().add(1.0, None).add(3.0, None)
    found = cuped([only, only.merge(CupedArm().add(5.0, 2.0))])
    assert found.arms[0] == only.raw
    assert found.coefficient == found.removed == 0.0
    assert cuped([CupedArm(), CupedArm()]).removed == 0.0
