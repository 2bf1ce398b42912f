"""Estimates with a spread, and what can be said of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tritonkit.errors import ConfigError

__all__ = ["Estimate", "band_spread", "normal_cdf", "share_below", "tail_spread", "worse_of"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """
    A value that is known as a normal distribution.

    Args:
        mean: Its middle; may be infinite.
        spread: Its standard deviation; 0 where it is exact.
    """

    mean: float
    spread: float

    def above(self, limit: float) -> float:
        """The probability that the value is above *limit*."""
        if math.isinf(self.mean):
            return 1.0 if self.mean > limit else 0.0
        if self.spread <= 0:
            return 1.0 if self.mean > limit else 0.0
        return normal_cdf((self.mean - limit) / self.spread)


def normal_cdf(z: float) -> float:
    """The share of a standard normal distribution below *z*."""
    return 0.5 * math.erfc(-z / math.sqrt(2))


def worse_of(estimates: Sequence[Estimate]) -> Estimate:
    """The smallest; ties go to the wider one."""
    if not estimates:
        raise ConfigError("there is nothing to choose from.")
    return min(estimates, key=lambda estimate: (estimate.mean, -estimate.spread))


def band_spread(low: float, high: float, confidence: float) -> float:
    """The standard deviation of the logarithm that an interval stands for."""
    # 95 % of a normal distribution lie within 1.96 of its standard deviations.
    widths = {0.9: 1.645, 0.95: 1.960, 0.99: 2.576}
    width = widths.get(round(confidence, 3), 1.960)
    return max(math.log(high / low) / (2 * width), 1e-4)


def tail_spread(share: float, count: int) -> float:
    """
    The standard deviation of the logarithm of a percentile.

    A quantile q of n values has the variance q (1 - q) / (n f(q)^2). With an
    exponential tail the density is 1 - q, and the quantile itself -ln(1 - q).
    The edge of what n values can show is 1 - q = 1/n.

    Args:
        share: The percentile as a share of the requests.
        count: Requests behind it.
    """
    if count < 1:
        return math.inf
    beyond = min(max(1 - share, 1 / count), 0.5)
    return math.sqrt((1 - beyond) / (count * beyond)) / -math.log(beyond)


def share_below(limit: float, hits: int, count: int) -> float:
    """
    The probability that a share is at most *limit*, after *hits* of *count*.

    The posterior of a rate under Jeffreys' prior is a gamma distribution, whose cube
    root is nearly normal (Wilson and Hilferty, 1931). Of a limit of 0 it is whether
    there were any.
    """
    if count < 1:
        raise ConfigError(f"a share needs at least one request, but got {count}.")
    if limit >= 1:
        return 1.0
    if limit <= 0:
        return 1.0 if hits == 0 else 0.0
    shape = hits + 0.5
    cube_root = (limit * count / shape) ** (1 / 3)
    return normal_cdf((cube_root - (1 - 1 / (9 * shape))) * 3 * math.sqrt(shape))
