"""The accuracy that a model's confidence promises."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError

__all__ = ["Calibrated", "Estimate"]

Floats = NDArray[np.float64]

_BY_WIDTH, _BY_ROWS = 20, 15
"""Bins of equal width see rare confidences, bins of equally many rows see common ones."""

_FEWEST = 40
"""Rows of a bin."""
_TWO_SIDED = 1.96


class Estimate(NamedTuple):
    """A mean, and where it lies with 95 % confidence."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Calibrated:
    """
    From the probability that a model gives its class to that of being right.

    Confidence-based performance estimation (CBPE): the mean of it over rows is the
    accuracy to expect. It is right where the inputs change and the model stays as
    right about each of them as it was. It is wrong where what is
    right has changed (concept drift): confidence knows nothing of that. Agreement with a
    better model, or labels, do.

    Args:
        knots: Confidences, growing, shape (knots,).
        rates: How often the model was right there, shape (knots,).
        counts: Labels that each rate comes from; empty where there were none, and
            confidence is taken at its word.

    Source: NannyML, CBPE; Zadrozny and Elkan, Transforming classifier scores into
    accurate multiclass probability estimates (2002), for isotonic calibration.
    """

    knots: Floats
    rates: Floats
    counts: Floats

    @classmethod
    def identity(cls) -> Calibrated:
        """Without labels."""
        ends = np.array([0.0, 1.0])
        return cls(ends, ends, np.empty(0))

    @classmethod
    def of(cls, confidences: Floats, right: NDArray[np.bool_]) -> Calibrated:
        """
        Made of rows with labels: bins, made monotone.

        Raises:
            ConfigError: If a confidence is no number.
        """
        if not np.isfinite(confidences).all():
            raise ConfigError("a confidence of the reference is no number.")
        order = np.argsort(confidences, kind="stable")
        bins = np.split(order, _cuts(confidences[order]))
        knots = np.array([confidences[bin_].mean() for bin_ in bins])
        rates = np.array([right[bin_].mean() for bin_ in bins])
        counts = np.array([float(len(bin_)) for bin_ in bins])
        knots, rates, counts = _monotone(knots, rates, counts)
        return cls(knots, rates, counts)

    def __call__(self, confidences: Floats) -> Floats:
        """The probability of being right; a confidence that is no number is wrong for sure."""
        found: Floats = np.interp(np.nan_to_num(confidences), self.knots, self.rates)
        return np.where(np.isnan(confidences), 0.0, found)

    def weights(self, confidences: Floats) -> Floats:
        """How much each knot says of each row, shape (rows, knots)."""
        places = np.interp(np.nan_to_num(confidences), self.knots, np.arange(len(self.knots)))
        apart = np.abs(places[:, None] - np.arange(len(self.knots)))
        found: Floats = np.maximum(0.0, 1 - apart)
        return found

    def estimate(self, weights: Floats, spread: float, rows: int) -> Estimate:
        """
        The accuracy of rows without labels.

        Args:
            weights: Of each knot, averaged over the rows.
            spread: The mean of p (1 - p) over the rows: right or wrong is a coin.
            rows: How many.
        """
        value = float(weights @ self.rates)
        variance = spread / max(1, rows)
        if len(self.counts):
            # A rate of 0 or 1 among few labels is not known for sure.
            rates = (self.rates * self.counts + 1) / (self.counts + 2)
            variance += float((weights**2 * rates * (1 - rates) / self.counts).sum())
        half = _TWO_SIDED * sqrt(variance)
        return Estimate(value, max(0.0, value - half), min(1.0, value + half))


def _cuts(ordered: Floats) -> list[int]:
    """Where bins end, each of which has enough rows."""
    width = np.linspace(ordered[0], ordered[-1], _BY_WIDTH + 1)[1:-1]
    by_width = np.searchsorted(ordered, width).tolist()
    by_rows = np.linspace(0, len(ordered), _BY_ROWS + 1).astype(int)[1:-1].tolist()
    cuts = [0]
    for cut in sorted({*by_width, *by_rows}):
        if min(cut - cuts[-1], len(ordered) - cut) >= _FEWEST:
            cuts.append(cut)
    return cuts[1:]


def _monotone(knots: Floats, rates: Floats, counts: Floats) -> tuple[Floats, Floats, Floats]:
    """Pool neighbours until rates grow, and knots strictly so."""
    pooled: list[tuple[float, float, float]] = []
    for knot, rate, count in zip(knots.tolist(), rates.tolist(), counts.tolist(), strict=True):
        pooled.append((knot, rate, count))
        while len(pooled) > 1 and (
            pooled[-2][1] > pooled[-1][1] or pooled[-2][0] >= pooled[-1][0] - 1e-12
        ):
            (k1, r1, n1), (k2, r2, n2) = pooled[-2:]
            both = n1 + n2
            pooled[-2:] = [((k1 * n1 + k2 * n2) / both, (r1 * n1 + r2 * n2) / both, both)]
    columns = np.array(pooled).T
    return columns[0], columns[1], columns[2]
