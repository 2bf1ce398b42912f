"""Cosines between answers, one for each sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.export.accuracy.elements import differing

__all__ = ["cosine", "row_cosines"]


def cosine(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    """
    Cosine of each row of *one* with the same row of *other*, shape (rows,).

    Two rows of zeros have cosine 1, one of them 0.
    """
    a, b = _scaled(one), _scaled(other)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    products = np.einsum("ij,ij->i", a, b)
    both_zero: NDArray[np.float64] = np.asarray(~a.any(axis=1) & ~b.any(axis=1), np.float64)
    result: NDArray[np.float64] = np.divide(products, lengths, out=both_zero, where=lengths > 0)
    return np.clip(result, -1.0, 1.0)


def row_cosines(
    reference: Sequence[NDArray[Any]], answers: Sequence[NDArray[Any]]
) -> NDArray[np.float64]:
    """
    Cosine of each answer, flattened, with the source's, shape (samples,).

    An element that is not finite but the same in both is left out; where it is not
    the same, the cosine is -1. Answers of a single number have no direction: each
    then gets the cosine over all samples.

    Args:
        reference: One array for each sample.
        answers: Arrays of the same shapes.
    """
    pairs = [_finite_pair(a, b) for a, b in zip(reference, answers, strict=True)]
    broken = np.array(
        [differing(a, b).any() for a, b in zip(reference, answers, strict=True)], bool
    )
    if all(len(a) <= 1 for a, _ in pairs):
        kept = [pair for pair, wrong in zip(pairs, broken, strict=True) if not wrong]
        empty = np.zeros(0)
        a, b = (np.concatenate([empty, *(pair[side] for pair in kept)]) for side in (0, 1))
        cosines = np.full(len(pairs), cosine(a[None], b[None])[0])
    elif len({len(a) for a, _ in pairs}) == 1:
        cosines = cosine(np.stack([a for a, _ in pairs]), np.stack([b for _, b in pairs]))
    else:
        cosines = np.array([cosine(a[None], b[None])[0] for a, b in pairs])
    return np.where(broken, -1.0, cosines)


def _finite_pair(
    one: NDArray[Any], other: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    a, b = one.astype(np.float64).ravel(), other.astype(np.float64).ravel()
    finite = np.isfinite(a) & np.isfinite(b)
    return np.where(finite, a, 0.0), np.where(finite, b, 0.0)


def _scaled(rows: NDArray[Any]) -> NDArray[np.float64]:
    """By the largest element of each row, so that squares neither overflow nor vanish."""
    values = rows.astype(np.float64)
    largest = np.abs(values).max(axis=1, keepdims=True, initial=0.0)
    scaled: NDArray[np.float64] = np.divide(
        values, largest, out=np.zeros_like(values), where=largest > 0
    )
    return scaled
