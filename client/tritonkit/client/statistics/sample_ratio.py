"""Whether the arms have the units that their weights promise, tested at every look."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tritonkit.client.statistics.interval import check_alpha
from tritonkit.client.statistics.special import log_gamma
from tritonkit.errors import ConfigError

__all__ = ["SampleRatio", "sample_ratio", "sample_ratio_evidence", "sample_ratios"]

CONCENTRATION = 1000.0
"""Of the mixture: shares 1.6 points off a half are what it looks for first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRatio:
    """
    What the counts say of the split.

    Args:
        evidence: The log e-value against the weights, in nats.
        p: The p-value that holds at every look, 1 / e-value at most 1.
        mismatch: Whether p is at most alpha: the arms must not be compared.
    """

    evidence: float
    p: float
    mismatch: bool


def sample_ratio(counts: ArrayLike, weights: ArrayLike, *, alpha: float = 0.001) -> SampleRatio:
    """
    Test for a sample-ratio mismatch.

    Args:
        counts: Units of each arm.
        weights: What they were to be in proportion to.
        alpha: 0.001, since a mismatch voids the experiment and a false one is dear.
    """
    check_alpha(alpha)
    evidence = sample_ratio_evidence(counts, weights)
    return SampleRatio(
        evidence=evidence, p=exp(-max(0.0, evidence)), mismatch=evidence >= log(1 / alpha)
    )


def sample_ratio_evidence(counts: ArrayLike, weights: ArrayLike) -> float:
    """
    The log e-value against "units come to the arms in proportion to their weights".

    Assumes that units are assigned independently of each other, each counted once.
    Under the weights its exponential is a martingale that starts at 1: it ever reaches
    1 / alpha with probability alpha at most, however often one looks. Exact.
    An arm of weight 0 is left out with whatever units it has, so the value is
    that of the others alone.

    Args:
        counts: Units of each arm, shape (arms,).
        weights: Not negative, in any unit; not all 0.

    Returns:
        In nats; 0 with one arm.

    Raises:
        ConfigError: If counts and weights differ in length, or one is negative.

    Source: Lindon and Malek, Anytime-valid inference for multinomial count data (2022):
    the multinomial mixed over a Dirichlet distribution around the weights.
    """
    return float(sample_ratios(counts, weights))


def sample_ratios(counts: ArrayLike, weights: ArrayLike) -> NDArray[np.float64]:
    """What `sample_ratio_evidence` gives, for counts of shape (..., arms)."""
    units, shares = np.asarray(counts, np.float64), np.asarray(weights, np.float64)
    if shares.ndim != 1 or units.shape[-1:] != shares.shape:
        raise ConfigError(
            f"counts and weights need one entry per arm, but got {units.shape} and {shares.shape}."
        )
    if not (np.isfinite(units) & (units >= 0)).all():
        raise ConfigError(f"counts must not be negative, nor infinite, but got {counts!r}.")
    if not (np.isfinite(shares) & (shares >= 0)).all() or not shares.any():
        raise ConfigError(f"weights must not be negative, nor all 0, but got {weights!r}.")
    kept = shares > 0
    units, shares = units[..., kept], shares[kept] / shares[kept].sum()
    prior = CONCENTRATION * shares
    whole = units.sum(axis=-1)
    mixed = (log_gamma(prior + units) - log_gamma(prior)).sum(axis=-1)
    mixed = mixed + log_gamma(CONCENTRATION) - log_gamma(CONCENTRATION + whole)
    evidence: NDArray[np.float64] = mixed - (units * np.log(shares)).sum(axis=-1)
    return evidence
