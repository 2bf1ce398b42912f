"""Embeddings as numbers: how near they are, and how they are written."""

from __future__ import annotations

import base64

import numpy as np
from numpy.typing import NDArray

__all__ = ["base64_of", "cosines", "decimals", "nearest", "unit"]

Vectors = NDArray[np.float32]

_TINY = 1e-13
"""Below, a power of ten that takes nine digits out of a number is itself not exact."""


def unit(vectors: Vectors) -> Vectors:
    """
    The same at length 1, shape (n, d); a vector of zeros stays what it is.

    Scaled by the largest component first, so that no square is too large or too small.
    """
    largest = np.abs(vectors).max(axis=1, keepdims=True, initial=0)
    scaled = np.divide(vectors, largest, out=np.zeros_like(vectors), where=largest > 0)
    length = np.sqrt(np.sum(np.square(scaled, dtype=np.float64), axis=1, keepdims=True))
    found = np.divide(scaled, length, out=np.zeros(scaled.shape), where=length > 0)
    made: Vectors = found.astype(np.float32)
    return made


def cosines(first: Vectors, second: Vectors) -> NDArray[np.float64]:
    """
    Of each pair, -1 to 1; 0 where one of them is all zeros.

    Args:
        first: Shape (n, d).
        second: Shape (n, d), or (1, d) for the same one in all pairs.
    """
    products = unit(first).astype(np.float64) * unit(second).astype(np.float64)
    found: NDArray[np.float64] = np.clip(products.sum(axis=1), -1.0, 1.0)
    return found


def nearest(
    query: Vectors, documents: Vectors, top: int
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """
    The documents that are nearest to a query by cosine, the nearest first.

    Args:
        query: Of length 1, shape (d,).
        documents: Of length 1, shape (n, d).
        top: How many at most.

    Returns:
        Their indices and their cosines; of equal ones the first document comes first.
    """
    scores = np.clip((documents @ query).astype(np.float64), -1.0, 1.0)
    order = np.argsort(-scores, kind="stable")[:top]
    return order, scores[order]


def decimals(vectors: Vectors) -> list[list[float]]:
    """
    As floats of Python whose decimals are nine at most, and float32 the very same.

    As they are, each would be written with the digits of a float64, twice as many.
    """
    exact = vectors.astype(np.float64)
    size = np.abs(exact)
    usual = size > _TINY
    exponent = 8 - np.floor(np.log10(size, out=np.zeros_like(size), where=usual))
    # Either is a power of ten that a float64 holds exactly, so that dividing rounds once.
    up, down = 10.0 ** np.maximum(exponent, 0), 10.0 ** np.maximum(-exponent, 0)
    rounded = np.rint(exact * up / down) * down / up
    found: list[list[float]] = np.where(usual, rounded, exact).tolist()
    return found


def base64_of(vectors: Vectors) -> list[str]:
    """Each as base64 of its float32 values, little-endian."""
    return [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in vectors]
