"""Quantiles, as of latencies, bounded at every look; of one arm, and between two."""

from __future__ import annotations

from math import ceil, floor, inf, log, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tritonkit.client.statistics.interval import Interval, check_alpha
from tritonkit.client.statistics.proportions import (
    critical_above,
    critical_below,
    evidence_of_side,
)
from tritonkit.errors import ConfigError

__all__ = [
    "quantile_difference",
    "quantile_evidence",
    "quantile_ranks",
    "quantile_sequence",
]

_CELLS = 384
"""Ranks at which evidence is computed; between them the weaker of two neighbours counts."""

_HALF = log(2)


def quantile_sequence(values: ArrayLike, q: float, *, alpha: float = 0.05) -> Interval:
    """
    What the quantile may be, at this and at every other look.

    Assumes independent values of one distribution, which may be any, with atoms or
    without moments. Then, with probability 1 - alpha, its q-quantile is inside at all n
    at once. Exact. Whether a value is at most the quantile is a success with
    probability q, so the ends are those values whose ranks `evidence_above` and
    `evidence_below` do not reject at alpha / 2 each.

    Args:
        values: In any order, shape (n,), finite.
        q: Between 0 and 1; 0.99 is p99.
        alpha: The share of sequences in which the quantile is ever outside.

    Returns:
        In the unit of the values. An end is open while there are too few: for the
        upper one of p50, p95 and p99 at 0.05, fewer than 7, 90 and 455.

    Raises:
        ConfigError: If q or alpha is not between 0 and 1.

    Source: Howard and Ramdas, Sequential estimation of quantiles with applications to
    A/B testing and best-arm identification (2022), for a fixed quantile.
    """
    array = _finite(values)
    low, high = quantile_ranks(array.size, q, alpha=alpha)
    if not array.size:
        return Interval.unknown()
    ranks = [low, max(1, ceil(array.size * q)), high]
    inside = [min(max(rank, 1), array.size) - 1 for rank in ranks]
    found = np.partition(array, sorted(set(inside)))[inside]
    return Interval(
        float(found[0]) if low >= 1 else -inf,
        float(found[2]) if high <= array.size else inf,
        float(found[1]),
    )


def quantile_ranks(n: int, q: float, *, alpha: float = 0.05) -> tuple[int, int]:
    """
    The ranks of the values between which the quantile is, 1 for the least of n.

    For who keeps a sketch and no values.

    Returns:
        The lower one, 0 where there is none, and the upper one, n + 1 where there is none.
    """
    _check(q, alpha)
    if n == 0:
        return 0, 1
    low = int(critical_below(n, q, alpha=alpha / 2)) + 1
    return low, int(critical_above(n, q, alpha=alpha / 2))


def quantile_difference(
    treatment: ArrayLike, control: ArrayLike, q: float, *, alpha: float = 0.05
) -> Interval:
    """
    What the treatment's quantile less the control's may be, at every look.

    Assumes of each arm what `quantile_sequence` does, and that the arms are independent.
    Exact. Both arms' e-values multiply, and the ends are the largest and the least
    difference of two values whose product stays below 1 / alpha. That is narrower than what
    two intervals at alpha / 2 leave, but where only a few values are beyond the quantile.

    Args:
        treatment: Values of the arm on trial.
        control: Values of the arm it is compared with.
        q: Between 0 and 1.
        alpha: The share of experiments in which the difference is ever outside.

    Source: as `quantile_sequence`; the product as in `rate_difference`.
    """
    _check(q, alpha)
    first, second = (np.sort(_finite(values)) for values in (treatment, control))
    if not first.size or not second.size:
        return Interval.unknown()
    most = log(1 / alpha)
    estimate = _at(first, q) - _at(second, q)
    high = _largest_sum(_curve(first, q, most), _curve(-second[::-1], 1 - q, most), most)
    low = -_largest_sum(_curve(-first[::-1], 1 - q, most), _curve(second, q, most), most)
    return Interval(low, high, estimate)


def quantile_evidence(treatment: ArrayLike, control: ArrayLike, q: float) -> float:
    """
    The log e-value against "both arms have the same q-quantile".

    The least of the product over all values that it may be; up to the steps between
    ranks, it reaches log(1 / alpha) where `quantile_difference` leaves 0 out.

    Returns:
        In nats; 0 before the first value.
    """
    _check(q, 0.5)
    arms = [np.sort(_finite(values)) for values in (treatment, control)]
    if not all(arm.size for arm in arms):
        return 0.0
    # A value further out has 60 nats against it in one arm alone.
    grid = np.unique(
        np.concatenate([arm[np.maximum(_cells(arm.size, q, 60.0), 1) - 1] for arm in arms])
    )
    total = np.zeros(2 * grid.size + 1)
    for arm in arms:
        less, at_most = (np.searchsorted(arm, grid, side) for side in ("left", "right"))
        # On each value of the grid, and between them.
        total += _evidence(
            np.concatenate([less, [0], at_most]),
            np.concatenate([at_most, less, [arm.size]]),
            arm.size,
            q,
        )
    return float(total.min())


def _cells(n: int, q: float, most: float) -> NDArray[np.int64]:
    """
    Counts from where a value is certainly too low to where it is certainly too high.

    By Bernstein's inequality: a count that is off by so much has a likelihood ratio of
    e^enough, of which the mixture loses half a log(n). And the other arm may speak for the
    hypothesis by as much again; 15 nats are for that and for what is constant.
    """
    enough = most + log(n + 1) + 15
    off = sqrt(2 * n * q * (1 - q) * enough) + enough
    low, high = max(0, floor(n * q - off)), min(n, ceil(n * q + off))
    return np.unique(np.linspace(low, high, min(high - low + 1, _CELLS)).astype(np.int64))


def _curve(
    values: NDArray[np.float64], q: float, most: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values from low to high, and the log e-value against all down to the one before."""
    n = values.size
    cells = _cells(n, q, most)
    ends, evidence = values[cells[1:] - 1], _evidence(cells[:-1], cells[1:], n, q)
    if cells[-1] < n:
        return ends, evidence
    last = _evidence(cells[-1:], cells[-1:], n, q)
    return np.append(ends, inf), np.append(evidence, last)


def _evidence(
    at_least: NDArray[np.int64], at_most: NDArray[np.int64], n: int, q: float
) -> NDArray[np.float64]:
    """Of one arm against values that so many are below, at least and at most."""
    # Many of the counts are the same.
    counts, place = np.unique(at_least, return_inverse=True)
    above = evidence_of_side(counts, n, q)[place]
    counts, place = np.unique(at_most, return_inverse=True)
    below = evidence_of_side(n - counts, n, 1 - q)[place]
    return np.maximum(above, below) - _HALF


def _largest_sum(
    first: tuple[NDArray[np.float64], NDArray[np.float64]],
    second: tuple[NDArray[np.float64], NDArray[np.float64]],
    most: float,
) -> float:
    """The largest sum of a value of each whose evidence together is below *most*."""
    values, evidence = second
    order = np.argsort(evidence)
    reached = np.maximum.accumulate(values[order])
    place = np.searchsorted(evidence[order], most - first[1], "left")
    held = place > 0
    return float((first[0][held] + reached[place[held] - 1]).max())


def _at(ordered: NDArray[np.float64], q: float) -> float:
    return float(ordered[max(1, ceil(ordered.size * q)) - 1])


def _finite(values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, np.float64).ravel()
    if not np.isfinite(array).all():
        raise ConfigError("values must be finite, but one of them is not.")
    return array


def _check(q: float, alpha: float) -> None:
    if not 0 < q < 1:
        raise ConfigError(f"q must be between 0 and 1, but got {q=}.")
    check_alpha(alpha)
