"""Evidence that grows window by window, with a run length that is known."""

from __future__ import annotations

from math import inf

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.drift.noise import CHANCE

__all__ = ["advanced", "combined", "windows_to_find"]

Floats = NDArray[np.float64]

_BET = 0.5
"""The share of windows that are too far away which the bet is on."""

WIN, LOSS = _BET / CHANCE, (1 - _BET) / (1 - CHANCE)
"""What the evidence is multiplied by; 1 on average, or less, while CHANCE holds."""

_MOST = 1e100


def advanced(evidence: Floats, too_far: NDArray[np.bool_]) -> Floats:
    """
    The evidence of each feature after another window.

    A Shiryaev-Roberts e-detector: while the conditional probability of *too_far*
    is CHANCE at most, its expectation grows by 1 a window, however the windows
    depend on each other. So the first time that it reaches A comes after A windows or more on
    average, and within t windows with probability t / A at most.

    Source: Shin, Ramdas and Rinaldo, E-detectors (2022).
    """
    return np.minimum((evidence + 1) * np.where(too_far, WIN, LOSS), _MOST)


def combined(evidence: Floats) -> Floats:
    """
    The evidence of all scales together, in windows of the smallest.

    Args:
        evidence: Shape (..., scales); each scale's windows are twice as long as
            those of the one before, so its evidence grows half as often.
    """
    scales = evidence.shape[-1]
    found: Floats = (evidence * 2.0 ** np.arange(scales)).sum(axis=-1) / scales
    return found


def windows_to_find(run_length: float, features: int, scales: int) -> float:
    """
    Windows of the smallest scale after which a change that fills each of them is found.

    Args:
        run_length: In windows.
        features: That are watched together.
        scales: That share the evidence.
    """
    evidence, windows = 0.0, 0
    while evidence / scales < run_length * features:
        if windows > 1000:
            return inf
        evidence = (evidence + 1) * WIN
        windows += 1
    # The first of them holds rows from before, and one may be less far away than most.
    return windows + 2
