"""Counts, means and sums of squares that can be added to each other."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from tritonkit.errors import ConfigError

__all__ = ["Comoments", "Moments"]


@dataclass(frozen=True, slots=True)
class Moments:
    """
    What is kept of a sample: enough for its mean and variance.

    Two samples' moments merge into those of both, in any order, up to rounding.

    Args:
        n: Observations.
        mean: In the unit of the values; 0 of none.
        m2: The sum of squared distances from the mean.

    Source: Welford (1962); Chan, Golub and LeVeque, Updating formulae and a pairwise
    algorithm for computing sample variances (1979).
    """

    n: int = 0
    mean: float = 0.0
    m2: float = 0.0

    @classmethod
    def of(cls, values: ArrayLike) -> Moments:
        """
        The moments of all values of an array.

        Raises:
            ConfigError: If one of them is not finite.
        """
        array = _finite(values)
        if not array.size:
            return cls()
        if array.min() == array.max():
            # Their mean as a sum rounds, and a spread of 1e-17 would make everything certain.
            return cls(array.size, float(array[0]))
        mean = float(array.mean())
        return cls(array.size, mean, float(((array - mean) ** 2).sum()))

    @classmethod
    def of_counts(cls, successes: int, n: int) -> Moments:
        """The moments of n values of which so many are 1 and the others 0."""
        return cls(n, successes / n, successes * (n - successes) / n) if n else cls()

    @property
    def variance(self) -> float:
        """Of the values, unbiased; 0 of fewer than two."""
        return self.m2 / (self.n - 1) if self.n > 1 else 0.0

    @property
    def deviation(self) -> float:
        """The square root of the variance, in the unit of the values."""
        return sqrt(self.variance)

    @property
    def total(self) -> float:
        """The sum of the values."""
        return self.n * self.mean

    def add(self, value: float) -> Moments:
        """With one more value, which must be finite."""
        n = self.n + 1
        step = value - self.mean
        mean = self.mean + step / n
        return Moments(n, mean, self.m2 + step * (value - mean))

    def merge(self, other: Moments) -> Moments:
        """Of both samples together."""
        if not other.n or not self.n:
            return self if self.n else other
        n = self.n + other.n
        apart = other.mean - self.mean
        mean = self.mean + apart * other.n / n
        return Moments(n, mean, self.m2 + other.m2 + apart**2 * self.n * other.n / n)

    def shifted(self, by: float) -> Moments:
        """Of the values plus *by*."""
        return Moments(self.n, self.mean + by, self.m2)


@dataclass(frozen=True, slots=True)
class Comoments:
    """
    What is kept of pairs (x, y): enough for a regression of y on x. Merges as `Moments` do.

    Args:
        x: Of the first of each pair.
        y: Of the second, of as many.
        co: The sum of the products of their distances from their means.

    Source: Pébay, Formulas for robust, one-pass parallel computation of covariances (2008).
    """

    x: Moments = Moments()
    y: Moments = Moments()
    co: float = 0.0

    @classmethod
    def of(cls, x: ArrayLike, y: ArrayLike) -> Comoments:
        """
        The moments of two arrays of one length.

        Raises:
            ConfigError: If the lengths differ, or a value is not finite.
        """
        first, second = _finite(x), _finite(y)
        if first.shape != second.shape:
            raise ConfigError(
                f"pairs need as many x as y, but got {first.shape} and {second.shape}."
            )
        of_x, of_y = Moments.of(first), Moments.of(second)
        return cls(of_x, of_y, float(((first - of_x.mean) * (second - of_y.mean)).sum()))

    @property
    def n(self) -> int:
        """Pairs."""
        return self.x.n

    @property
    def correlation(self) -> float:
        """Pearson's, -1 to 1; 0 where one of the two does not vary."""
        scale = sqrt(self.x.m2) * sqrt(self.y.m2)
        return max(-1.0, min(1.0, self.co / scale)) if scale > 0 else 0.0

    def add(self, x: float, y: float) -> Comoments:
        """With one more pair."""
        first = self.x.add(x)
        return Comoments(first, self.y.add(y), self.co + (x - first.mean) * (y - self.y.mean))

    def merge(self, other: Comoments) -> Comoments:
        """Of both samples together."""
        if not other.n or not self.n:
            return self if self.n else other
        apart = (other.x.mean - self.x.mean) * (other.y.mean - self.y.mean)
        co = self.co + other.co + apart * self.n * other.n / (self.n + other.n)
        return Comoments(self.x.merge(other.x), self.y.merge(other.y), co)


def _finite(values: ArrayLike) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    array = np.asarray(values, np.float64).ravel()
    if not np.isfinite(array).all():
        raise ConfigError("values must be finite, but one of them is not.")
    return array
