"""How far two answers to one row are apart."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Difference", "difference"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """
    The largest differences that were seen in one output.

    Numbers of a float type are compared within a tolerance, labels, counts and
    text exactly. NaN equals NaN.

    Args:
        absolute: Largest difference of two values; None for text.
        relative: Largest difference, in parts of the row's largest value; None for text.
        cosine: Smallest cosine of two rows; None for what is compared exactly.
        error: What a tolerance is held against: the largest difference, divided by
            1 + the row's largest value. Infinite where what must be equal is not.
        row: The row where the error was largest; -1 where all are equal.
        company: The rows of the batch in which it was computed then, in order.
        rows: How many rows were compared.
        differing: How many of them were not equal to the last bit.
    """

    absolute: float | None
    relative: float | None
    cosine: float | None
    error: float
    row: int = -1
    company: tuple[int, ...] = ()
    rows: int = 1
    differing: int = 0

    def __or__(self, other: Difference) -> Difference:
        """The worse of both in every respect."""
        worst = max(self, other, key=lambda one: one.error)
        return Difference(
            absolute=_worse(max, self.absolute, other.absolute),
            relative=_worse(max, self.relative, other.relative),
            cosine=_worse(min, self.cosine, other.cosine),
            error=worst.error,
            row=worst.row,
            company=worst.company,
            rows=self.rows + other.rows,
            differing=self.differing + other.differing,
        )


def difference(
    alone: NDArray[Any], other: NDArray[Any], *, row: int, company: tuple[int, ...]
) -> Difference:
    """
    Compare two answers to a row.

    Args:
        alone: What other is measured by.
        other: Of the same shape and type.
        row: Which row it is.
        company: In which batch other was computed.
    """
    if alone.dtype == np.object_:
        same = alone.tolist() == other.tolist()
        measured = Difference(
            absolute=None, relative=None, cosine=None, error=0.0 if same else math.inf
        )
    else:
        measured = _numbers(alone, other)
        same = not measured.absolute
    return measured if same else replace(measured, row=row, company=company, differing=1)


def _numbers(alone: NDArray[Any], other: NDArray[Any]) -> Difference:
    inexact = alone.dtype.kind == "f"
    if not inexact and not np.array_equal(alone, other):
        # In Python's integers: 64 bits have no room in a float64.
        pairs = zip(alone.ravel().tolist(), other.ravel().tolist(), strict=True)
        absolute = float(max(abs(int(a) - int(b)) for a, b in pairs))
    else:
        absolute = float(_gaps(alone, other).max(initial=0.0))
    values = np.abs(alone.astype(np.float64))
    scale = float(values[np.isfinite(values)].max(initial=0.0))
    return Difference(
        absolute=absolute,
        relative=absolute / scale if scale else (math.inf if absolute else 0.0),
        cosine=_cosine(alone, other) if inexact else None,
        error=absolute / (1 + scale) if inexact or not absolute else math.inf,
    )


def _gaps(alone: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    """Differences by value; infinite where one is NaN, or infinite, and the other is not."""
    a, b = alone.astype(np.float64), other.astype(np.float64)
    with np.errstate(invalid="ignore"):
        gaps = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
    gaps[np.isnan(gaps)] = math.inf
    return gaps


def _cosine(alone: NDArray[Any], other: NDArray[Any]) -> float:
    """1 for equal rows, zeros included; 0 where one has no direction."""
    a, b = alone.astype(np.float64).ravel(), other.astype(np.float64).ravel()
    if np.array_equal(a, b, equal_nan=True):
        return 1.0
    norms = float(np.linalg.norm(a)) * float(np.linalg.norm(b))
    if not norms or not math.isfinite(norms):
        return 0.0
    return min(1.0, float(a @ b) / norms)


def _worse(
    choose: Callable[[list[float]], float], one: float | None, other: float | None
) -> float | None:
    known = [value for value in (one, other) if value is not None]
    return choose(known) if known else None
