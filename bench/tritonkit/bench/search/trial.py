"""Trials of a search: what is asked for, what became of it, and what it all came to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from tritonkit.bench.measurement import Measurement, Point
from tritonkit.errors import ConfigError

__all__ = ["Budget", "Found", "Purpose", "Told", "Trial"]

Purpose = Literal["explore", "refine", "verify"]
"""A first look, another look at the same point, or the last run of what was chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """
    What a search may take; whichever is reached first.

    Args:
        measurements: Of the base duration; a longer one counts as several.
        seconds: Of measuring, warm-ups and changes of settings.
    """

    measurements: float | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("measurements", "seconds"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ConfigError(f"a budget's {name} must be above 0, but got {value}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """
    A measurement to take.

    Args:
        candidate: Index of the point.
        point: The point.
        seconds: Length of the window.
        purpose: Why.
        expected: The figure that is expected, in the objective's unit; None at first.
        hopeful: The probability that the target holds there; None at first.
    """

    candidate: int
    point: Point
    seconds: float
    purpose: Purpose
    expected: float | None = None
    hopeful: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """
    A trial with what became of it.

    Args:
        trial: What was asked for.
        measurement: None where the point could not be measured.
        failure: Why not.
    """

    trial: Trial
    measurement: Measurement | None = None
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """
    What a search came to.

    Args:
        best: The point; None where none keeps the target.
        measurement: Its longest measurement, or that of `closest`.
        verified: Whether that was a run of its own after the choice.
        predicted: The figure that was expected of that run.
        sure: The probability that no candidate that keeps the target is better by
            more than the tolerance.
        holds: The probability that the best keeps the target, by all of its runs.
        closest: The measured point that is nearest to the target, where `best` is None.
        tried: Everything that was measured, in order.
        spent: Measurements of the base duration.
        candidates: How many there were.
    """

    best: Point | None
    measurement: Measurement | None
    verified: bool
    predicted: float | None
    sure: float
    holds: float
    closest: Point | None
    tried: tuple[Told, ...]
    spent: float
    candidates: int
