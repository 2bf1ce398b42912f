"""The first trials of a search, before anything is believed."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["spread_out"]


def spread_out(
    places: NDArray[np.float64],
    settings: Sequence[Hashable],
    count: int,
    rng: np.random.Generator,
) -> list[int]:
    """
    Candidates that lie far from each other, the first near the middle.

    Those with the same settings come one after the other.

    Args:
        places: Of all candidates.
        settings: Of each, equal where nothing changes on the server.
        count: How many are chosen.
        rng: Decides between those that are as far.
    """
    middle = ((places - 0.5) ** 2).sum(axis=1) + 1e-6 * rng.random(len(places))
    chosen = [int(middle.argmin())]
    distance = np.full(len(places), math.inf)
    while len(chosen) < count:
        away = ((places - places[chosen[-1]]) ** 2).sum(axis=1)
        distance = np.minimum(distance, away)
        chosen.append(int(np.argmax(distance + 1e-6 * rng.random(len(places)))))
    by_settings: dict[Hashable, list[int]] = {}
    for index in dict.fromkeys(chosen):
        by_settings.setdefault(settings[index], []).append(index)
    return [index for group in by_settings.values() for index in group]
