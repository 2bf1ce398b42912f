"""Functions of mathematics that numpy lacks, for arrays."""

from __future__ import annotations

from math import log, pi

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["log_beta", "log_gamma", "times_log"]

_HALF_LOG_TAU = 0.5 * log(2 * pi)
_SHIFT = 10
"""From here on the series below is exact to 1e-13."""

_SERIES = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188)


def log_gamma(x: ArrayLike) -> NDArray[np.float64]:
    """
    The logarithm of the gamma function, for positive numbers.

    Source: Stirling's series, Abramowitz and Stegun 6.1.41, after a shift by 10 where x is small.
    """
    values = np.asarray(x, np.float64)
    return _stirling(values) + _remainder(values)


def log_beta(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """
    The logarithm of the beta function, for positive numbers.

    Three values of log_gamma near 1e10 would cancel to nothing but noise; here
    their large parts are joined first, so that a sum of 1e9 leaves an error below 1e-6.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    whole = first + second
    joined = (
        (first - 0.5) * np.log(first / whole)
        + (second - 0.5) * np.log(second / whole)
        - 0.5 * np.log(whole)
        + _HALF_LOG_TAU
    )
    result: NDArray[np.float64] = (
        joined + _remainder(first) + _remainder(second) - _remainder(whole)
    )
    return result


def times_log(x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    """The product x log(y), and 0 where x is 0, whatever y is."""
    factor, of = np.asarray(x, np.float64), np.asarray(y, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(factor == 0, 0.0, factor * np.log(of))


def _stirling(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return (x - 0.5) * np.log(x) - x + _HALF_LOG_TAU


def _remainder(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """log_gamma without Stirling's first terms."""
    small = x < _SHIFT
    shifted = np.where(small, x + _SHIFT, x)
    square = shifted**-2
    series = np.zeros_like(shifted)
    for coefficient in reversed(_SERIES):
        series = series * square + coefficient
    series = series / shifted
    if not small.any():
        return series
    product = np.ones_like(x)
    for step in range(_SHIFT):
        product = product * np.where(small, x + step, 1.0)
    moved = _stirling(shifted) - np.log(product) - _stirling(x)
    return np.where(small, series + moved, series)
