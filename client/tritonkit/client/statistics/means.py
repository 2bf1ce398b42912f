"""Means and their differences, bounded at every look, for values of any distribution."""

from __future__ import annotations

from math import inf, log, sqrt
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tritonkit.client.statistics.interval import Interval, check_alpha
from tritonkit.client.statistics.moments import Moments
from tritonkit.errors import ConfigError

__all__ = [
    "LEAST",
    "Side",
    "difference_evidence",
    "difference_sequence",
    "difference_variance",
    "mean_evidence",
    "mean_sequence",
    "radius",
    "relative_sequence",
]

Side = Literal["both", "lower", "upper"]
"""Which ends of an interval are bounded; one end alone is nearer to the estimate."""

LEAST = 100
"""Units of an arm before anything is said of its mean: the theory holds for many."""

LENT = 1000
"""Units of the arms' common variance that an arm's own is averaged with, where that is more."""

TUNED_FOR = 10_000
"""Units at which the intervals are narrowest, where nobody says otherwise."""


def mean_sequence(
    moments: Moments, *, alpha: float = 0.05, tuned_for: float = TUNED_FOR, side: Side = "both"
) -> Interval:
    """
    What the mean may be, at this and at every other look.

    An asymptotic confidence sequence. Assumes independent observations of one
    distribution with a finite variance. The mean is inside at all n from `LEAST` on
    at once with a probability that tends to 1 - alpha as the first look is later. Skewed
    values need more than `LEAST`: where 5 % was asked for it errs in 9 % of sequences of
    a rate of 0.5 %, and in 24 % of lognormal values with a sigma of 2. In the difference of two
    equal arms it does not; see `difference_sequence` for others. Everything is possible before,
    and while no two values differ. Exact are `proportion_sequence` of rates, and `bounded_sequence`
    of values with bounds.

    Args:
        moments: Of what was observed.
        alpha: The share of sequences in which the mean is ever outside.
        tuned_for: Observations at which it is narrowest. It must be fixed before the
            data are seen. At a tenth of it the sequence is a quarter wider than it could be,
            at ten times as many 6 %; so rather say too few.
        side: "lower" leaves the upper end open, "upper" the lower one.

    Returns:
        In the unit of the values.

    Raises:
        ConfigError: If alpha is not between 0 and 1, or tuned_for not positive.

    Source: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, Time-uniform central limit
    theory and asymptotic confidence sequences (2021), theorem 2.2, and its variant
    for one side in the appendix.
    """
    if moments.n < LEAST or moments.m2 <= 0:
        check_alpha(alpha)
        return Interval.unknown(moments.mean)
    reach = float(radius(moments.n, moments.variance, alpha=alpha, tuned_for=tuned_for, side=side))
    return _around(moments.mean, reach, side)


def difference_sequence(
    treatment: Moments,
    control: Moments,
    *,
    alpha: float = 0.05,
    tuned_for: float = TUNED_FOR,
    side: Side = "both",
) -> Interval:
    """
    What the treatment's mean less the control's may be, at every look.

    Guarantee and assumptions are those of `mean_sequence`, for two independent
    samples with variances of their own. The arms may be of any sizes, which must not
    depend on the values. Two equal arms are called different in 2 % at most, where 5 % was
    asked for. Where they differ and one is small, the difference that there is may be outside
    more often: in 5 % with a tenth of the units at a rate of 2 % and the rest at 1 %, in 12 %
    with a twentieth at 3 % and the rest at 0.3 %, and in 34 % with a tenth of
    lognormal values with a sigma of 2 and the rest normal. Exact is `rate_difference`.

    Args:
        treatment: Moments of the arm on trial.
        control: Moments of the arm it is compared with.
        alpha: The share of experiments in which the difference is ever outside.
        tuned_for: Units of both arms together at which it is narrowest.
        side: Which end to bound; one for a guardrail.

    Source: as `mean_sequence`, section 3: the difference is the mean of
    n values of variance n (s1^2 / n1 + s0^2 / n0), with n = n1 + n0. The variances
    are those of `difference_variance`.
    """
    estimate = treatment.mean - control.mean
    variances = _variances(treatment, control)
    if variances is None:
        check_alpha(alpha)
        return Interval.unknown(estimate)
    variance = sum(variances)
    n = treatment.n + control.n
    reach = float(radius(n, n * variance, alpha=alpha, tuned_for=tuned_for, side=side))
    return _around(estimate, reach, side)


def relative_sequence(
    treatment: Moments, control: Moments, *, alpha: float = 0.05, tuned_for: float = TUNED_FOR
) -> Interval:
    """
    By which share the treatment's mean is above the control's: 0.05 is 5 % more.

    The factors k at which the sequence of "treatment less k times control"
    holds 0, less 1. So it agrees with `difference_sequence` on whether there is an
    effect, and needs no linearisation. Everything is possible while the control's
    mean may be 0.

    Source: Fieller, Some problems in interval estimation (1954), with the bound of
    `mean_sequence` in place of the normal quantile.
    """
    factor = treatment.mean / control.mean if control.mean else inf
    variances = _variances(treatment, control)
    if variances is None:
        check_alpha(alpha)
        return Interval.unknown(factor - 1)
    v1, v0 = variances
    n = treatment.n + control.n
    # (m1 - k m0)^2 <= c (v1 + k^2 v0), a quadratic in k.
    c = float(radius(n, n, alpha=alpha, tuned_for=tuned_for)) ** 2
    a = control.mean**2 - c * v0
    if a <= 0:
        return Interval.unknown(factor - 1)
    b = treatment.mean * control.mean
    root = sqrt(max(0.0, b * b - a * (treatment.mean**2 - c * v1)))
    return Interval((b - root) / a - 1, (b + root) / a - 1, factor - 1)


def mean_evidence(
    moments: Moments, mean: float, *, alpha: float = 0.05, tuned_for: float = TUNED_FOR
) -> float:
    """
    The log e-value against "the mean is *mean*", asymptotic as `mean_sequence` is.

    It reaches log(1 / alpha) exactly where the sequence of that alpha leaves the mean
    out. Alpha is here for the tuning alone; the value is compared with any threshold.

    Returns:
        In nats; 0 before `LEAST` observations.
    """
    if moments.n < LEAST or moments.m2 <= 0:
        return 0.0
    return _evidence(moments.n, moments.mean - mean, moments.variance, alpha, tuned_for)


def difference_evidence(
    treatment: Moments,
    control: Moments,
    *,
    difference: float = 0.0,
    alpha: float = 0.05,
    tuned_for: float = TUNED_FOR,
) -> float:
    """The log e-value against "the means differ by *difference*"; see `mean_evidence`."""
    variances = _variances(treatment, control)
    if variances is None:
        return 0.0
    n = treatment.n + control.n
    apart = treatment.mean - control.mean - difference
    return _evidence(n, apart, n * sum(variances), alpha, tuned_for)


def difference_variance(
    n: tuple[ArrayLike, ArrayLike], variances: tuple[ArrayLike, ArrayLike]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    The variance of each arm's mean, for arrays of the arms' counts and variances.

    A small arm of rare events has seen none or few of them, and its own variance is far
    too small: with a tenth of the units in the treatment and a rate of 0.5 %, it made 32 %
    of equal arms different. So it is averaged with `LENT` units of the common variance
    of both arms, where that is more. As the arm grows its own is what remains.

    Args:
        n: Units of each arm, at least 2.
        variances: Of their values.
    """
    counts = [np.asarray(count, np.float64) for count in n]
    own = [np.asarray(variance, np.float64) for variance in variances]
    free = [count - 1 for count in counts]
    common = (free[0] * own[0] + free[1] * own[1]) / (free[0] + free[1])
    first, second = (
        np.maximum(own[arm], (free[arm] * own[arm] + LENT * common) / (free[arm] + LENT))
        / counts[arm]
        for arm in (0, 1)
    )
    return first, second


def radius(
    n: ArrayLike,
    variance: ArrayLike,
    *,
    alpha: float = 0.05,
    tuned_for: float = TUNED_FOR,
    side: Side = "both",
) -> NDArray[np.float64]:
    """
    The distance of an end from the estimate, for arrays of counts and variances.

    The boundary of Robbins' normal mixture with r = rho^2 n:

        sqrt(variance / n * 2 (1 + 1 / r) log(sqrt(1 + r) / alpha))

    where rho makes it least at *tuned_for*; for one side log(1 + sqrt(1 + r) / (2 alpha)).
    """
    count = np.asarray(n, np.float64)
    r = rho_squared(alpha, tuned_for) * count
    root = np.sqrt(1 + r)
    crossing = np.log(root / alpha) if side == "both" else np.log1p(root / (2 * alpha))
    return np.sqrt(np.asarray(variance, np.float64) / count * 2 * (1 + 1 / r) * crossing)


def rho_squared(alpha: float, tuned_for: float) -> float:
    """
    The mixture's variance with which `radius` is least at *tuned_for*, nearly.

    Source: as `mean_sequence`, the approximation in closed form of its appendix.
    """
    check_alpha(alpha)
    if not 0 < tuned_for < inf:
        raise ConfigError(f"tuned_for must be a number of units, but got {tuned_for=}.")
    return (-2 * log(alpha) + log(1 - 2 * log(alpha))) / tuned_for


def _evidence(n: float, apart: float, variance: float, alpha: float, tuned_for: float) -> float:
    r = rho_squared(alpha, tuned_for) * n
    return r / (1 + r) * n * apart**2 / (2 * variance) - 0.5 * log(1 + r)


def _variances(treatment: Moments, control: Moments) -> tuple[float, float] | None:
    """The variance of each arm's mean; None before they are known."""
    if min(treatment.n, control.n) < LEAST or treatment.m2 + control.m2 <= 0:
        return None
    first, second = difference_variance(
        (treatment.n, control.n), (treatment.variance, control.variance)
    )
    return float(first), float(second)


def _around(estimate: float, reach: float, side: Side) -> Interval:
    low = estimate - reach if side != "upper" else -inf
    return Interval(low, estimate + reach if side != "lower" else inf, estimate)
