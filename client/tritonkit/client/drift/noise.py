"""How far a window is from the reference when nothing has changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, sqrt

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.drift.feature import Feature

__all__ = ["CHANCE", "FEWEST_ROWS", "Noise", "noises", "scales_for"]

Floats = NDArray[np.float64]

CHANCE = 0.01
"""With which a window without drift is further away than the noise allows."""

FEWEST_ROWS = 100
"""Of a reference; fewer say nothing."""

_DRAWS = 300
_MOST_SCALES = 6
_MOST_WINDOWS = 2000

_BY_CHANCE = 1.15
"""How much further apart than independent windows those of independent rows look by chance."""

_TAIL = 3.23
"""What the absolute value of a normal variable exceeds with probability CHANCE, over its mean."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Noise:
    """
    Args:
        windows: For each scale: what the distance of a window exceeds by chance
            alone with probability CHANCE at most.
        reference: Likewise, for the reference itself against what it was drawn from.
    """

    windows: Floats
    reference: float


def scales_for(rows: int, window: int) -> tuple[int, ...]:
    """
    The sizes of windows: the smallest, and twice as many rows again and again.

    None is larger than a quarter of the reference, which has to tell how far apart
    its own windows are.
    """
    smallest = max(1, min(window, rows // 4))
    sizes = [smallest]
    while len(sizes) < _MOST_SCALES and 2 * sizes[-1] <= rows // 4:
        sizes.append(2 * sizes[-1])
    return tuple(sizes)


def noises(
    features: Sequence[Feature],
    encoded: Sequence[Floats],
    scales: tuple[int, ...],
    chance: np.random.Generator,
) -> list[Noise]:
    """
    Bootstrap the reference.

    A window may be as far away as rows that are drawn from the reference
    independently are with probability 1 - CHANCE, and as far as its farthest stretch of
    that length. Where stretches are further away on average than independent windows,
    rows depend on those before them: the difference widens what is allowed, of the
    reference itself too. So what comes and goes within the reference, such as days
    and nights or runs of alike rows, is no drift.

    Args:
        features: Measure distances.
        encoded: The reference's rows in their order, shape (rows, numbers), for each
            feature.
        scales: Sizes of windows.
        chance: Draws.
    """
    rows = len(encoded[0])
    sizes = (*scales, rows)
    windows = np.zeros((len(features), len(sizes)))
    usual = np.zeros_like(windows)
    means = [rows_of.mean(axis=0) for rows_of in encoded]
    # The same rows for every feature: one product of matrices does it.
    every = np.concatenate(encoded, axis=1).astype(np.float32)
    ends = np.cumsum([rows_of.shape[1] for rows_of in encoded])
    for place, size in enumerate(sizes):
        counts = np.empty((_DRAWS, rows), dtype=np.float32)
        for draw in counts:
            draw[:] = np.bincount(chance.integers(0, rows, size), minlength=rows)
        averages = np.split((counts @ every / size).astype(np.float64), ends[:-1], axis=1)
        for number, feature in enumerate(features):
            distances = feature.distance(means[number], averages[number])
            windows[number, place] = np.quantile(distances, 1 - CHANCE)
            usual[number, place] = distances.mean()
    return [
        _with_dependence(feature, rows_of, scales, windows[number], usual[number])
        for number, (feature, rows_of) in enumerate(zip(features, encoded, strict=True))
    ]


def _with_dependence(
    feature: Feature, encoded: Floats, scales: tuple[int, ...], drawn: Floats, usual: Floats
) -> Noise:
    """
    The noise of one feature, where rows may depend on those before them.

    Args:
        feature: Measures distances.
        encoded: The reference's rows.
        scales: Sizes of windows.
        drawn: The distance that independent windows exceed with probability CHANCE,
            for each scale and for the whole reference.
        usual: Their mean distance.
    """
    rows = len(encoded)
    mean = encoded.mean(axis=0)
    sums = np.concatenate([np.zeros((1, encoded.shape[1])), np.cumsum(encoded, axis=0)])
    windows = np.empty(len(scales))
    further = 0.0
    for place, size in enumerate(scales):
        starts = np.unique(
            np.linspace(0, rows - size, min(rows - size + 1, _MOST_WINDOWS)).astype(np.intp)
        )
        stretches = (sums[starts + size] - sums[starts]) / size
        distances = feature.distance(mean, stretches)
        # A stretch is a part of what it is compared with.
        apart = float(distances.mean()) / sqrt(1 - size / rows)
        own = sqrt(max(0.0, apart**2 - (_BY_CHANCE * usual[place]) ** 2))
        if place:
            own = max(own, further * sqrt(scales[place - 1] / size))
        further = own
        windows[place] = max(hypot(drawn[place], _TAIL * own), float(distances.max()))
    whole = further * sqrt(scales[-1] / rows)
    return Noise(windows=windows, reference=hypot(float(drawn[-1]), _TAIL * whole))
