"""Evidence that a share of successes has fallen."""

from __future__ import annotations

from math import ceil, log, sqrt

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError

__all__ = ["ONE_SIDED", "FallDetector", "rate_error", "rows_to_find"]

Floats = NDArray[np.float64]

_FALLS = np.array([0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64])
"""Relative falls that are bet on, all at once."""

_MOST = 1e100

ONE_SIDED = 1.645
"""Standard errors by which one reference of twenty is too high."""


class FallDetector:
    """
    Whether the mean of numbers from 0 to 1 is below a rate, with a run length.

    A mixture of Shiryaev-Roberts e-detectors: each multiplies its evidence by what
    a fall to a certain rate would make likelier. While the conditional mean is
    the rate or more, the first alarm comes after *run_length* numbers or more on
    average, and within n numbers with probability n / run_length at most. A bet on a
    small fall always has some evidence, so where a fall began is told by its CUSUM.

    Args:
        rate: That is still good, 0 to 1.

    Raises:
        ConfigError: If it is not within its range.

    Source: Shin, Ramdas and Rinaldo, E-detectors (2022).
    """

    def __init__(self, rate: float) -> None:
        if not 0 <= rate <= 1:
            raise ConfigError(f"rate must be 0 to 1, but got {rate=}.")
        self.rate = rate
        self.reset()

    def reset(self) -> None:
        """Forget all evidence."""
        self._evidence = np.zeros(len(_FALLS))
        # Of each bet, what speaks for it since its beginning: a CUSUM.
        self._grown = np.zeros(len(_FALLS))
        self.beginnings = np.zeros(len(_FALLS), dtype=np.int64)
        self.seen = 0

    @property
    def evidence(self) -> float:
        """An alarm where it reaches the run length."""
        return float(self._evidence.mean())

    @property
    def likeliest(self) -> int:
        """The bet with the most evidence; its beginning is where the fall began, most likely."""
        return int(self._evidence.argmax())

    def add(self, values: Floats, run_length: float) -> int | None:
        """
        Go on with *values*, in their order.

        Returns:
            How many of them it took until the evidence reached *run_length*; None
            where it did not.
        """
        factors = self.factors(values)
        evidence = self._evidence
        for place, (factor, gain) in enumerate(zip(factors, np.log(factors), strict=True)):
            evidence = np.minimum((evidence + 1) * factor, _MOST)
            self.seen += 1
            self._grown += gain
            self.beginnings[self._grown <= 0] = self.seen
            np.maximum(self._grown, 0.0, out=self._grown)
            if evidence.mean() >= run_length:
                self._evidence = evidence
                return place + 1
        self._evidence = evidence
        return None

    def factors(self, values: Floats) -> Floats:
        """What each number multiplies the evidence of each bet by, shape (..., bets)."""
        rate = min(max(self.rate, 1e-9), 1 - 1e-9)
        lower = rate * (1 - _FALLS)
        # Linear in the value, so that the mean of the value is all that matters.
        yes, no = lower / rate, (1 - lower) / (1 - rate)
        found: Floats = values[..., None] * yes + (1 - values[..., None]) * no
        return found


def rate_error(rate: float, rows: int) -> float:
    """
    The standard error of a rate.

    With one success and one failure more: of 100 rows that are all right it is not
    known that none is ever wrong.
    """
    smooth = (rate * rows + 1) / (rows + 2)
    return sqrt(smooth * (1 - smooth) / rows)


def rows_to_find(
    before: float,
    after: float,
    *,
    drop: float = 0.01,
    run_length: float = 1e7,
    certainty: float = 0.95,
    reference: int | None = None,
) -> int:
    """
    How many judged rows it takes to find that an accuracy has fallen.

    The log of the evidence grows by the divergence of the two rates with each row,
    give or take its deviation; it must reach the log of the run length.

    Args:
        before: The accuracy of the reference.
        after: What it has fallen to.
        drop: A fall that is no alert.
        run_length: Rows between false alarms.
        certainty: With which the number suffices.
        reference: Rows from which *before* is known; None where it is exact.

    Raises:
        ConfigError: If *after* is too close to *before* to be found at all.
    """
    rate = before - drop
    if reference is not None:
        rate -= ONE_SIDED * rate_error(before, reference)
    if not 0 <= after < rate <= 1:
        raise ConfigError(
            f"a fall from {before} to {after} is not found: {rate:.4g} is still good."
        )
    factors = FallDetector(rate).factors(np.array([1.0, 0.0]))
    logs = np.log(factors)
    growth = after * logs[0] + (1 - after) * logs[1]
    best = int(growth.argmax())
    if growth[best] <= 0:
        raise ConfigError(f"a fall from {before} to {after} is too small to be found.")
    deviation = sqrt(after * (1 - after)) * abs(float(logs[0, best] - logs[1, best]))
    needed = log(run_length) + log(len(_FALLS))
    z = _normal_quantile(certainty)
    root = (z * deviation + sqrt((z * deviation) ** 2 + 4 * growth[best] * needed)) / (
        2 * growth[best]
    )
    return ceil(float(root) ** 2)


def _normal_quantile(probability: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(probability)
