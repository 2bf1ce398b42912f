"""How a business figure and a model's metric move together over time, which is not why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cbrt, ceil, sqrt
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tritonkit.client.statistics.interval import Interval, check_alpha
from tritonkit.errors import ConfigError

__all__ = ["Correlation", "correlate"]

LEAST = 20
"""Bins below which nothing is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """
    What was found. Two series may move together for any reason; an experiment tells which.

    Args:
        lag: Bins by which the metric leads, where they move together most.
        correlation: There, -1 to 1: Pearson's, or the partial one.
        interval: For it, after the scan: it holds for all lags together.
        by_lag: The correlation at each lag that was looked at.
        bins: That were compared.
        block: Bins that were drawn together.
        partial: Whether something was held fixed.
        causal: Never.
    """

    lag: int
    correlation: float
    interval: Interval
    by_lag: dict[int, float]
    bins: int
    block: int
    partial: bool
    causal: Literal[False] = False


def correlate(
    kpi: ArrayLike,
    metric: ArrayLike,
    *,
    confounders: ArrayLike | None = None,
    lags: Sequence[int] = (0,),
    alpha: float = 0.05,
    block: int | None = None,
    resamples: int = 500,
    seed: int = 0,
) -> Correlation:
    """
    Correlate a business figure with a metric some bins before, over bins of time.

    Assumes that both are stationary: the shares of a week's rhythm, or a launch,
    move any two series together. What is known to move both, as the mix of traffic, is
    held fixed as a confounder, linearly. The interval is from blocks of
    neighbouring bins drawn anew, since neighbours are alike; it is for one look, and
    approximate: with fewer than ten blocks in the series it is too short.

    Args:
        kpi: One value a bin, shape (bins,).
        metric: One value a bin, of the same bins.
        confounders: Of the same bins, shape (bins,) or (bins, confounders).
        lags: Bins by which the metric may lead, each at least 0. The interval is as wide
            as a choice among them needs.
        alpha: The share of such intervals that miss.
        block: Bins of a block; by default from when neither series remembers itself.
        resamples: Drawn series; 500 know the ends to a few hundredths of the width.
        seed: Of what is drawn.

    Raises:
        ConfigError: If the series differ in length, or fewer than 20 bins are left.

    Source: Künsch, The jackknife and the bootstrap for general stationary observations
    (1989), for the moving blocks; Fisher's z for the scale on which deviations are compared.
    """
    check_alpha(alpha)
    table, partial = _aligned(kpi, metric, confounders, lags)
    bins = len(table)
    size = block or _block(table[:, 0], table[:, 1])
    size = min(max(1, size), bins // 2)
    found = _correlations(np.ones((1, bins)), table, len(lags))[0]
    drawn = _correlations(_weights(bins, size, resamples, seed), table, len(lags))
    z = np.arctanh(np.clip(found, -0.999999, 0.999999))
    off = abs(np.arctanh(np.clip(drawn, -0.999999, 0.999999)) - z).max(axis=1)
    reach = float(np.quantile(off, 1 - alpha)) * _few(bins / size, alpha)
    at = int(abs(found).argmax())
    return Correlation(
        lag=int(lags[at]),
        correlation=float(found[at]),
        interval=Interval(
            float(np.tanh(z[at] - reach)), float(np.tanh(z[at] + reach)), float(found[at])
        ),
        by_lag={int(lag): float(value) for lag, value in zip(lags, found, strict=True)},
        bins=bins,
        block=size,
        partial=partial,
    )


def _aligned(
    kpi: ArrayLike, metric: ArrayLike, confounders: ArrayLike | None, lags: Sequence[int]
) -> tuple[NDArray[np.float64], bool]:
    """A row a bin: the figure, the metric at each lag, and the confounders; standardised."""
    y, x = np.asarray(kpi, np.float64), np.asarray(metric, np.float64)
    if y.ndim != 1 or y.shape != x.shape:
        raise ConfigError(f"series need one value a bin each, but got {y.shape} and {x.shape}.")
    if not lags or min(lags) < 0 or len(set(lags)) < len(lags):
        raise ConfigError(f"lags must be different and at least 0, but got {list(lags)}.")
    first = max(lags)
    if len(y) - first < LEAST:
        raise ConfigError(
            f"at least {LEAST} bins beyond the longest lag are needed, but got {len(y)} and "
            f"a lag of {first}."
        )
    columns = [y[first:], *(x[first - lag : len(x) - lag] for lag in lags)]
    if confounders is not None:
        fixed = np.asarray(confounders, np.float64)
        fixed = fixed[:, None] if fixed.ndim == 1 else fixed
        if len(fixed) != len(y):
            raise ConfigError(f"confounders need {len(y)} bins, but got {len(fixed)}.")
        columns += list(fixed[first:].T)
    table = np.stack(columns, axis=1)
    if not np.isfinite(table).all():
        raise ConfigError("series must be finite, but one value is not.")
    spread = table.std(axis=0)
    return (table - table.mean(axis=0)) / np.where(spread > 0, spread, 1), confounders is not None


def _weights(bins: int, block: int, resamples: int, seed: int) -> NDArray[np.float64]:
    """How often each bin is drawn, shape (resamples, bins)."""
    generator = np.random.default_rng(seed)
    starts = generator.integers(0, bins - block + 1, (resamples, ceil(bins / block)))
    drawn = (starts[..., None] + np.arange(block)).reshape(resamples, -1)[:, :bins]
    flat = drawn + bins * np.arange(resamples)[:, None]
    counts = np.bincount(flat.ravel(), minlength=resamples * bins)
    return counts.reshape(resamples, bins).astype(np.float64)


def _correlations(
    weights: NDArray[np.float64], table: NDArray[np.float64], lags: int
) -> NDArray[np.float64]:
    """Of the first column with each of the next ones, given the rest, for rows of weights."""
    share = weights / weights.sum(axis=1, keepdims=True)
    means = share @ table
    width = table.shape[1]
    products = (table[:, :, None] * table[:, None, :]).reshape(len(table), -1)
    covariance = (share @ products).reshape(-1, width, width)
    covariance -= means[:, :, None] * means[:, None, :]
    shown = slice(0, 1 + lags)
    fixed = slice(1 + lags, None)
    left = covariance[:, shown, shown]
    if width > 1 + lags:
        # Shares of a mix sum to 1, so this may be singular; a ridge leaves the rest as it is.
        inner = covariance[:, fixed, fixed] + 1e-9 * np.eye(width - 1 - lags)
        cross = covariance[:, fixed, shown]
        left = left - np.swapaxes(cross, 1, 2) @ np.linalg.solve(inner, cross)
    variance = np.maximum(np.diagonal(left, axis1=1, axis2=2), 0)
    scale = np.sqrt(variance[:, :1] * variance[:, 1:])
    # A series that does not move, or is all explained, moves with nothing.
    moves = scale > 1e-7
    return np.where(moves, left[:, 0, 1:] / np.where(moves, scale, 1), 0.0)


def _few(blocks: float, alpha: float) -> float:
    """
    How much Student's quantile exceeds the normal one, with as many blocks.

    Source: the Cornish-Fisher expansion, Abramowitz and Stegun 26.7.5.
    """
    z, freedom = NormalDist().inv_cdf(1 - alpha / 2), max(2.0, blocks - 1)
    first = (z**2 + 1) / (4 * freedom)
    return 1 + first + (5 * z**4 + 16 * z**2 + 3) / (96 * freedom**2)


def _block(y: NDArray[np.float64], x: NDArray[np.float64]) -> int:
    """
    The first lag at which neither series resembles itself, doubled; at least a cube root.

    Source: the flat-top rule of Politis and White (2004) for where correlation ends.
    """
    bins = len(y)
    longest: int = bins // 4
    limit = 2 / sqrt(bins)
    for lag in range(1, longest):
        if all(abs(float((s[lag:] * s[:-lag]).mean())) < limit for s in (y, x)):
            return min(longest, max(2 * lag, ceil(cbrt(bins))))
    return longest
