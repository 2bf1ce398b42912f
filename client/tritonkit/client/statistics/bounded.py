"""The mean of values between two bounds, at every look and for any n: by betting."""

from __future__ import annotations

from math import log, nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tritonkit.client.statistics.interval import Interval, check_alpha, edge
from tritonkit.errors import ConfigError

__all__ = ["bounded_evidence", "bounded_sequence", "log_capital"]

_STAKE = 0.5
"""The most of its capital that a bet may lose."""


def bounded_sequence(
    values: ArrayLike, *, alpha: float = 0.05, low: float = 0.0, high: float = 1.0
) -> Interval:
    """
    What the mean may be, at this and at every other look, for values of known bounds.

    Assumes values within the bounds whose mean, given what came before, is always the
    same; they need not be independent nor of one distribution. Then, with
    probability 1 - alpha, the mean is inside at all n at once. Exact for any n, which
    `mean_sequence` is not, so it is for few values. The order matters, and all of them
    are kept: n operations for each of 120 candidates.

    Against each candidate for the mean two gamblers bet, one that the values are
    above it and one that they are below; a candidate is out where one of them has
    made 2 / alpha of 1.

    Args:
        values: In the order in which they came, shape (n,).
        alpha: The share of sequences in which the mean is ever outside.
        low: No value is below it, in the unit of the values.
        high: No value is above it.

    Raises:
        ConfigError: If a value is out of the bounds.

    Source: Waudby-Smith and Ramdas, Estimating means of bounded random variables by
    betting (2020), theorem 3: the hedged capital with predictable plug-in bets.
    """
    unit = _unit(values, low, high)
    most = log(2 / check_alpha(alpha))
    if not unit.size:
        return Interval(low, high, nan)
    bets = _bets(unit, alpha)
    mean = float(unit.mean())
    down = edge(lambda m: float(_rises(unit, bets, m)[-1]) >= most, 0.0, 1.0)
    up = edge(lambda m: float(_rises(1 - unit, bets, 1 - m)[-1]) >= most, 1.0, 0.0)
    # Both gamblers may win where the mean itself moves; nothing is left then.
    down, up = min(down, mean), max(up, mean)
    scale = high - low
    return Interval(low + scale * down, low + scale * up, low + scale * mean)


def bounded_evidence(
    values: ArrayLike, mean: float, *, alpha: float = 0.05, low: float = 0.0, high: float = 1.0
) -> float:
    """
    The log e-value against "the mean is *mean*": the better gambler's capital, halved.

    Alpha is here for the size of the bets alone; the value is compared with any threshold.
    """
    unit = _unit(values, low, high)
    share = (mean - low) / (high - low)
    if not 0 <= share <= 1:
        raise ConfigError(f"mean must be within {low} and {high}, but got {mean=}.")
    return float(log_capital(unit, share, alpha=alpha)[..., -1]) if unit.size else 0.0


def log_capital(
    values: NDArray[np.float64], mean: float, *, alpha: float = 0.05
) -> NDArray[np.float64]:
    """The log e-value after each value, for streams of values 0 to 1 of shape (..., n)."""
    bets = _bets(values, check_alpha(alpha))
    above, below = _rises(values, bets, mean), _rises(1 - values, bets, 1 - mean)
    return np.maximum(above, below) - log(2)


def _bets(values: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    """The share to bet on each value, from those before it."""
    t = np.arange(1, values.shape[-1] + 1)
    mean = (0.5 + np.cumsum(values, axis=-1)) / (t + 1)
    variance = (0.25 + np.cumsum((values - mean) ** 2, axis=-1)) / (t + 1)
    before = np.concatenate([np.full((*values.shape[:-1], 1), 0.25), variance[..., :-1]], axis=-1)
    bets: NDArray[np.float64] = np.sqrt(2 * log(2 / alpha) / (before * t * np.log1p(t)))
    return bets


def _rises(
    values: NDArray[np.float64], bets: NDArray[np.float64], mean: float
) -> NDArray[np.float64]:
    """The log capital after each value of who bets that they are above *mean*."""
    most = _STAKE / mean if mean > 0 else np.inf
    with np.errstate(divide="ignore"):
        won: NDArray[np.float64] = np.log1p(np.minimum(bets, most) * (values - mean))
    return np.cumsum(won, axis=-1)


def _unit(values: ArrayLike, low: float, high: float) -> NDArray[np.float64]:
    if not low < high:
        raise ConfigError(f"low must be below high, but got {low=} and {high=}.")
    array = np.asarray(values, np.float64)
    if not ((array >= low) & (array <= high)).all():
        raise ConfigError(f"values must be {low} to {high}, but one of them is not.")
    unit: NDArray[np.float64] = (array - low) / (high - low)
    return unit
