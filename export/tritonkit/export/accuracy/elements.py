"""Two answers, element by element: what is equal, and what is not finite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["differences", "differing", "is_numeric"]


def is_numeric(rows: Sequence[NDArray[Any]]) -> bool:
    """Whether all *rows* hold numbers, or true and false."""
    return all(row.dtype.kind in "biuf" for row in rows)


def differing(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.bool_]:
    """Which elements are not finite in one or both, and are not the same."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    result: NDArray[np.bool_] = ~(np.isfinite(a) & np.isfinite(b)) & ~same
    return result


def differences(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    """Absolute differences of the elements that are finite in both, shape (elements,)."""
    a, b = one.astype(np.float64).ravel(), other.astype(np.float64).ravel()
    finite = np.isfinite(a) & np.isfinite(b)
    with np.errstate(over="ignore"):
        result: NDArray[np.float64] = np.abs(a[finite] - b[finite])
    return result
