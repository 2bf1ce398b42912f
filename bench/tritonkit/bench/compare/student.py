"""Student's t distribution, as far as intervals need it."""

from __future__ import annotations

from math import exp, inf, isinf, lgamma, log, log1p, pi, sqrt
from statistics import NormalDist

__all__ = ["t_quantile", "t_tail", "welch"]

_STEPS = 300
_CLOSE, _FAR = 1e-13, 1e12


def t_tail(t: float, df: float) -> float:
    """
    The probability of more than *t*, for t not below 0.

    Args:
        t: In standard errors.
        df: Degrees of freedom, above 0; inf for the normal distribution.
    """
    if isinf(df):
        return 1 - NormalDist().cdf(t)
    return 0.5 * _incomplete_beta(df / (df + t * t), df / 2, 0.5)


def t_quantile(tail: float, df: float) -> float:
    """
    What is exceeded with probability *tail*, below 0.5.

    Found by Newton's method from the normal distribution's: the tail is convex, so the steps
    come from below and never go too far.
    """
    t = -NormalDist().inv_cdf(tail)
    if isinf(df):
        return t
    scale = lgamma((df + 1) / 2) - lgamma(df / 2) - log(df * pi) / 2
    for _ in range(_STEPS):
        step = (t_tail(t, df) - tail) / exp(scale - (df + 1) / 2 * log1p(t * t / df))
        t += step
        if t > _FAR:
            return inf
        if step <= _CLOSE * t:
            break
    return t


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """
    The regularised incomplete beta function.

    Source: NIST Digital Library of Mathematical Functions, 8.17.22, by Lentz's method.
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(1 - x, b, a)
    front = exp(
        lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)
    ) / a  # fmt: skip
    tiny = 1e-300
    c, d = 1.0, 1 / _away(1 - (a + b) * x / (a + 1), tiny)
    total = d
    for m in range(1, _STEPS):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _away(1 + step * d, tiny)
            c = _away(1 + step / c, tiny)
            total *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return front * total


def _away(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny


def welch(first: tuple[float, float], second: tuple[float, float]) -> tuple[float, float]:
    """
    Standard error and degrees of freedom of a difference.

    Args:
        first: Standard error and degrees of freedom of one side.
        second: Of the other, independent of it.

    Source: Welch, The generalization of Student's problem (1947).
    """
    variance = first[0] ** 2 + second[0] ** 2
    if not variance:
        return 0.0, inf
    parts = sum((error**2 / variance) ** 2 / df for error, df in (first, second) if not isinf(df))
    return sqrt(variance), (1 / parts if parts else inf)
