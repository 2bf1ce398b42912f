"""Rows like those of an example, and whether two answers to them are the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["close", "largest", "opposite", "random_like", "resized"]

_TOLERANCE = {2: 1e-2, 4: 1e-3, 8: 1e-3}
"""
By bytes of a floating-point number: how far a graph may be from its module, as a share of the
largest number. What is further is another computation, not another rounding.
"""


def random_like(example: NDArray[Any], count: int, generator: np.random.Generator) -> NDArray[Any]:
    """Floats with the mean and spread of *example*, integers between its least and largest."""
    shape = (count, *example.shape[1:])
    if example.dtype.kind == "f":
        spread = float(example.std()) or 1.0
        numbers = generator.standard_normal(shape) * spread + float(example.mean())
        return numbers.astype(example.dtype)
    if example.dtype.kind == "b":
        return generator.integers(0, 2, shape).astype(np.bool_)
    least, largest = int(example.min()), int(example.max())
    return np.asarray(generator.integers(least, largest, shape, example.dtype, endpoint=True))


def opposite(example: NDArray[Any]) -> NDArray[Any]:
    """Mirrored: what was positive is negative; within the same range for integers."""
    if example.dtype.kind == "f":
        return -example
    return ~example if example.dtype.kind == "b" else example.max() - example + example.min()


def resized(example: NDArray[Any], axis: int, size: int) -> NDArray[Any]:
    """*size* entries along *axis*: the first ones, over again where there are fewer."""
    return np.asarray(example.take(np.arange(size) % example.shape[axis], axis))


def largest(arrays: Iterable[NDArray[Any]]) -> float:
    """The largest finite absolute value, 0 where there is none."""
    return max(
        (float(np.abs(a).max(initial=0.0, where=np.isfinite(a))) for a in arrays), default=0.0
    )


def close(one: NDArray[Any], other: NDArray[Any], scale: float) -> bool:
    """
    Whether the two are one computation, but for rounding.

    Args:
        one: An answer.
        other: Another one to the same.
        scale: The largest number among all such answers: one that is small by chance is
            not exact to as many digits of its own.
    """
    if one.shape != other.shape:
        return False
    if one.dtype.kind != "f":
        return bool(np.array_equal(one, other))
    share = _TOLERANCE[one.dtype.itemsize]
    return bool(
        np.allclose(
            one.astype(np.float64), other.astype(np.float64), 0, share * scale, equal_nan=True
        )
    )
