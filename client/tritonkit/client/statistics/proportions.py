"""A rate of yes and no, bounded at every look: Robbins' beta-binomial mixture."""

from __future__ import annotations

from math import asin, inf, log, log1p, nan, pi, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tritonkit.client.statistics.interval import Interval, check_alpha, edge
from tritonkit.client.statistics.special import log_beta, times_log
from tritonkit.errors import ConfigError

__all__ = [
    "MOST",
    "critical_above",
    "critical_below",
    "evidence_above",
    "evidence_against",
    "evidence_below",
    "evidence_of_side",
    "needed",
    "proportion_lower",
    "proportion_sequence",
    "proportion_upper",
]

MOST = 10**9
"""Observations for which the arithmetic here is exact enough, to 1e-6 of a log e-value."""

_REACH = 40.0
"""Parts of an integral below e^-40 of its largest are left out."""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)


def proportion_sequence(successes: float, n: float, *, alpha: float = 0.05) -> Interval:
    """
    What the rate of a Bernoulli sequence may be, at this and at every other look.

    Assumes that each observation is a success with the same probability, whatever
    came before. Then, with probability 1 - alpha, the rate is inside at all n at
    once: one may look after every observation and stop whenever one likes. Exact,
    for any n and any rate. It is what `evidence_against` does not reject.

    Args:
        successes: That were seen; not negative and no more than *n*.
        n: Observations, up to 1e9. Zero gives 0 to 1.
        alpha: The share of sequences in which the rate is ever outside.

    Returns:
        Shares, 0 to 1.

    Raises:
        ConfigError: If the counts cannot be, or alpha is not between 0 and 1.

    Source: Robbins, Statistical methods related to the law of the iterated
    logarithm (1970); Ville (1939) for the bound at all times. The mixture is
    Jeffreys' Beta(1/2, 1/2), which costs at most half a log(n) anywhere, edges included.
    """
    _check(successes, n)
    if n == 0:
        check_alpha(alpha)
        return Interval(0.0, 1.0, nan)
    most = log(1 / check_alpha(alpha))
    mixed = _mixed(successes, n)
    rate = successes / n

    def refused(p: float) -> bool:
        return mixed - _likelihood(successes, n - successes, p) >= most

    low = 0.0 if successes == 0 else edge(refused, 0.0, rate)
    high = 1.0 if successes == n else edge(refused, 1.0, rate)
    return Interval(low, high, rate)


def proportion_upper(successes: float, n: float, *, alpha: float = 0.05) -> float:
    """
    What the rate does not exceed, at all n at once with probability 1 - alpha.

    Narrower than the upper end of `proportion_sequence`, which guards both ends.
    It is the least rate that `evidence_below` rejects. Alpha at most 1/e.
    """
    _check(successes, n)
    if not 0 < alpha <= 1 / np.e:
        raise ConfigError(f"alpha of a bound must be between 0 and 1/e, but got {alpha=}.")
    if n == 0 or successes == n:
        return 1.0
    most = log(1 / alpha)
    return edge(lambda p: evidence_below(successes, n, p) >= most, 1.0, successes / n)


def proportion_lower(successes: float, n: float, *, alpha: float = 0.05) -> float:
    """What the rate is not below, at all n at once; the mirror of `proportion_upper`."""
    return 1.0 - proportion_upper(n - successes, n, alpha=alpha)


def evidence_against(successes: float, n: float, rate: float) -> float:
    """
    The log e-value against "the rate is *rate*", from both sides.

    Under that hypothesis its exponential is a martingale that starts at 1, so it
    ever reaches 1 / alpha with probability alpha at most.

    Returns:
        In nats; inf if the counts are impossible under *rate*.
    """
    _check(successes, n, rate)
    if n == 0:
        return 0.0
    return _mixed(successes, n) - _likelihood(successes, n - successes, rate)


def evidence_above(successes: float, n: float, rate: float) -> float:
    """
    The log e-value against "the rate is at most *rate*".

    Assumes what `proportion_sequence` does. Under every rate up to *rate* its
    exponential is a supermartingale that starts at 1, so it ever reaches 1 / alpha
    with probability alpha at most, at whatever n one stops.

    Returns:
        In nats: log(1 / alpha) or more rejects at alpha. Negative where the counts
        speak for the hypothesis; 0 before the first observation.

    Raises:
        ConfigError: If the counts cannot be, or the rate is not 0 to 1.

    Source: the mixture of `proportion_sequence`, cut to the rates above;
    Howard, Ramdas, McAuliffe and Sekhon, Time-uniform Chernoff bounds (2020), for the
    supermartingale under a one-sided hypothesis.
    """
    _check(successes, n, rate)
    return float(evidence_of_side(successes, n, rate))


def evidence_below(successes: float, n: float, rate: float) -> float:
    """The log e-value against "the rate is at least *rate*"; the mirror of `evidence_above`."""
    _check(successes, n, rate)
    return float(evidence_of_side(n - successes, n, 1 - rate))


def evidence_of_side(successes: ArrayLike, n: ArrayLike, rate: float) -> NDArray[np.float64]:
    """
    What `evidence_above` gives, for arrays of counts and one rate.

    For the other side give the failures and 1 - rate. With p = sin(t)^2 Jeffreys'
    mixture is uniform in t, and the log-likelihood falls from its summit at least as n t^2, so
    a Gauss-Legendre rule on a window of sqrt(40 / n) to each side loses nothing.
    """
    s, whole = (np.array(x, np.float64)[..., None] for x in np.broadcast_arrays(successes, n))
    failures = whole - s
    if rate >= 1:
        return np.zeros(s.shape[:-1])
    if rate <= 0:
        mixed = log_beta(s + 0.5, failures + 0.5) - log(pi)
        return np.where(whole == 0, 0.0, np.where(s > 0, inf, mixed))[..., 0]
    some = np.maximum(whole, 1)
    begin, quarter = asin(sqrt(rate)), pi / 2
    summit = np.arcsin(np.sqrt(np.minimum(1.0, s / some)))
    reach = np.sqrt(_REACH / some)
    slope = 2 * s / np.tan(begin) - 2 * failures * np.tan(begin)
    fall = np.where(slope < 0, _REACH / np.maximum(-slope, 1e-300), inf)
    start = np.clip(summit - reach, begin, None)
    end = np.minimum(np.minimum(quarter, np.maximum(summit, begin) + reach), begin + fall)
    half = (end - start) / 2
    angle = start + half * (1 + _NODES)
    height = s * np.log(np.sin(angle) ** 2 / rate) + failures * np.log(
        np.cos(angle) ** 2 / (1 - rate)
    )
    top = height.max(axis=-1, keepdims=True)
    area = (_WEIGHTS * np.exp(height - top)).sum(axis=-1, keepdims=True) * half
    evidence: NDArray[np.float64] = top + np.log(area / (quarter - begin))
    return np.where(whole == 0, 0.0, evidence)[..., 0]


def critical_above(n: ArrayLike, rate: float, *, alpha: float) -> NDArray[np.int64]:
    """
    The least count of successes at which `evidence_above` rejects at alpha.

    Returns:
        One for each n; n + 1 where no count does.
    """
    counts = np.atleast_1d(np.asarray(n, np.int64))
    most = log(1 / check_alpha(alpha))
    # No count at or below its expectation rejects.
    low, high = (counts * rate).astype(np.int64) - 1, counts + 1
    while (high - low > 1).any():
        middle = (low + high) // 2
        enough = evidence_of_side(np.clip(middle, 0, counts), counts, rate) >= most
        high, low = np.where(enough, middle, high), np.where(enough, low, middle)
    return np.reshape(high, np.shape(n))


def critical_below(n: ArrayLike, rate: float, *, alpha: float) -> NDArray[np.int64]:
    """The greatest count at which `evidence_below` rejects at alpha; -1 where no count does."""
    return np.asarray(n, np.int64) - critical_above(n, 1 - rate, alpha=alpha)


def needed(successes: float, n: float, rate: float, *, alpha: float = 0.05) -> int | None:
    """
    About how many more observations until the rate is known to be above or below *rate*.

    Where the counts go on as they did so far, the log e-value of the nearer side
    reaches log(1 / alpha) after so many. An estimate and no bound: the rate so far
    is itself uncertain, and the nearer it is to *rate*, the more. Before the first
    observation it is what the fewest would be, if there is no success.

    Returns:
        0 if it is known already; None if 1e9 observations would not do, as where
        the rate so far is *rate*.
    """
    _check(successes, n, rate)
    most = log(1 / check_alpha(alpha))
    share = successes / n if n else 0.0

    def decided(more: int) -> bool:
        count, whole = successes + more * share, n + more
        side = evidence_above if share > rate else evidence_below
        return side(min(count, whole), whole, rate) >= most

    if decided(0):
        return 0
    low, high = 0, 1
    while not decided(high):
        low, high = high, 2 * high
        if high + n > MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decided(middle) else (middle, high)
    return high


def _mixed(successes: float, n: float) -> float:
    """The log-likelihood of the counts, mixed over all rates."""
    return float(log_beta(successes + 0.5, n - successes + 0.5)) - log(pi)


def _likelihood(successes: float, failures: float, p: float) -> float:
    if 0 < p < 1:
        return successes * log(p) + failures * log1p(-p)
    return float(times_log(successes, p) + times_log(failures, 1 - p))


def _check(successes: float, n: float, rate: float = 0.5) -> None:
    if not 0 <= successes <= n:
        raise ConfigError(f"successes must be 0 to n, but got {successes=} and {n=}.")
    if n > 2 * MOST:
        raise ConfigError(f"n must be at most 2e9, but got {n=}.")
    if not 0 <= rate <= 1:
        raise ConfigError(f"rate must be 0 to 1, but got {rate=}.")
