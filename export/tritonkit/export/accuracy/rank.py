"""Statistics on ranks: Spearman's correlation, area under the ROC curve."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["area_under_curve", "average_ranks", "spearman"]


def average_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rank of each of *values*, from 1; equal ones share the mean of their ranks."""
    _, groups, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    result: NDArray[np.float64] = (last - (counts - 1) / 2.0)[groups]
    return result


def spearman(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """
    Spearman's rank correlation, -1 to 1.

    Where all values of one side are equal it is not defined; here it is 1 if those
    of the other are too, else 0.

    Source: Spearman, The proof and measurement of association between two things (1904).
    """
    a, b = average_ranks(one), average_ranks(other)
    a, b = a - a.mean(), b - b.mean()
    if not a.any() or not b.any():
        return float(a.any() == b.any())
    return float(np.clip(a @ b / np.sqrt((a @ a) * (b @ b)), -1.0, 1.0))


def area_under_curve(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """
    Chance that a positive sample scores above a negative one; a tie counts half.

    Args:
        positive: Which samples are positive: some, not all.
        scores: Finite, shape (samples,).

    Source: Hanley and McNeil, The meaning and use of the area under a ROC curve (1982).
    """
    positives = int(positive.sum())
    negatives = len(positive) - positives
    above = average_ranks(scores)[positive].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))
