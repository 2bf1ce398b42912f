"""How far one distribution is from another, over the same bins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError

__all__ = ["jensen_shannon_distance", "population_stability_index", "wasserstein_distance"]

Floats = NDArray[np.float64]

EMPTY = 1e-6
"""What an empty bin counts as, where a logarithm is taken of it."""


def population_stability_index(expected: Floats, observed: Floats) -> Floats:
    """
    How far *observed* has moved from *expected*, summed over bins.

    Args:
        expected: Share of each bin in the reference, shape (bins,), sums to 1.
        observed: Share of each bin in the window, shape (..., bins), sums to 1.

    Returns:
        PSI in nats, shape (...); 0 when equal, above 0.2 is commonly read as drift.

    Raises:
        ConfigError: If the numbers of bins differ.

    Source: Siddiqi, Credit Risk Scorecards (2006), ch. 10. Empty bins count as 1e-6.
    """
    _check(expected, observed)
    p, q = np.maximum(expected, EMPTY), np.maximum(observed, EMPTY)
    found: Floats = ((q - p) * np.log(q / p)).sum(axis=-1)
    return found


def jensen_shannon_distance(expected: Floats, observed: Floats) -> Floats:
    """
    The square root of the Jensen-Shannon divergence, a metric.

    Args:
        expected: Share of each bin, shape (bins,).
        observed: Likewise, shape (..., bins).

    Returns:
        0 when equal, 1 when nothing is in common; shape (...).

    Raises:
        ConfigError: If the numbers of bins differ.

    Source: Endres and Schindelin, A new metric for probability distributions (2003).
    """
    _check(expected, observed)
    middle = (expected + observed) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(expected > 0, expected * np.log2(expected / middle), 0.0)
        terms = terms + np.where(observed > 0, observed * np.log2(observed / middle), 0.0)
    found: Floats = np.sqrt(np.clip(terms.sum(axis=-1) / 2, 0.0, 1.0))
    return found


def wasserstein_distance(expected: Floats, observed: Floats, positions: Floats) -> Floats:
    """
    How far mass has to be moved, on average, to make one of the other; a metric.

    Args:
        expected: Share of each bin, shape (bins,), sums to 1.
        observed: Likewise, shape (..., bins).
        positions: Where each bin is, growing, shape (bins,).

    Returns:
        In the unit of the positions, shape (...).

    Raises:
        ConfigError: If the numbers of bins differ.

    Source: Vallender, Calculation of the Wasserstein distance on the line (1974).
    """
    _check(expected, observed)
    _check(positions, observed)
    apart = np.abs(np.cumsum(observed - expected, axis=-1)[..., :-1])
    found: Floats = (apart * np.diff(positions)).sum(axis=-1)
    return found


def _check(expected: Floats, observed: Floats) -> None:
    if expected.shape[-1] != observed.shape[-1]:
        raise ConfigError(
            f"both must have the same bins, but got {expected.shape[-1]} and {observed.shape[-1]}."
        )
