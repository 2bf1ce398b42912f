"""What was measured of each candidate, and what is believed of all of them because of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tritonkit.bench.measurement import Measurement
from tritonkit.bench.search.judgement import Estimate
from tritonkit.bench.search.objective import Objective
from tritonkit.bench.search.outlook import Prior
from tritonkit.bench.search.surrogate import Belief, believe

__all__ = ["Knowledge", "Seen"]

_Floats = NDArray[np.float64]

_FURTHEST = 3.0
"""A factor of 20 beyond a limit: how far does not matter any more."""

_RUN_TO_RUN = 0.01
_TAIL_RUN_TO_RUN = 0.05
"""What two runs of one point differ by at least, as a share, beyond what either shows."""

_BESIDE_A_MODEL = (0.06, 0.15)
_BESIDE_A_GUESS = (0.5, 0.8)
"""How far figure and margin lie beside what was expected, as standard deviations."""


@dataclass(slots=True)
class Seen:
    """
    All measurements of one candidate.

    Args:
        gains: Of the figure, where anything was answered.
        margins: Of the distance from the target.
        newest: The last one.
        longest: The one with the longest window.
        seconds: The longest window that was asked for.
        count: How many there were.
    """

    gains: list[Estimate] = field(default_factory=list)
    margins: list[Estimate] = field(default_factory=list)
    newest: Measurement | None = None
    longest: Measurement | None = None
    seconds: float = 0.0
    count: int = 0


class Knowledge:
    """
    Collects measurements by candidate.

    Args:
        objective: What they are measurements of.
    """

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self.seen: dict[int, Seen] = {}
        self._count = 0
        self._believed: tuple[int, tuple[Belief, Belief] | None] | None = None

    def add(self, candidate: int, measurement: Measurement, seconds: float) -> None:
        """One measurement, for which a window of *seconds* was asked."""
        self._count += 1
        seen = self.seen.setdefault(candidate, Seen())
        gain = self._objective.gain(measurement)
        margin = self._objective.target.margin(measurement)
        if math.isfinite(gain.mean):
            seen.gains.append(Estimate(gain.mean, math.hypot(gain.spread, _RUN_TO_RUN)))
        bounded = min(max(margin.mean, -_FURTHEST), _FURTHEST)
        spread = math.hypot(min(margin.spread, 1.0), _TAIL_RUN_TO_RUN)
        seen.margins.append(Estimate(bounded, spread))
        seen.newest = measurement
        if seen.longest is None or measurement.seconds >= seen.longest.seconds:
            seen.longest = measurement
        seen.count += 1
        seen.seconds = max(seen.seconds, seconds)

    def beliefs(self, places: _Floats, prior: Prior | None) -> tuple[Belief, Belief] | None:
        """
        Of the figure and of the margin at every candidate.

        None before anything was answered. The same until something is added.

        Args:
            places: Of the candidates, from `encode`.
            prior: What is expected without measuring.
        """
        if self._believed is None or self._believed[0] != self._count:
            self._believed = self._count, self._believe(places, prior)
        return self._believed[1]

    def _believe(self, places: _Floats, prior: Prior | None) -> tuple[Belief, Belief] | None:
        answered = np.array([i for i, seen in self.seen.items() if seen.gains], dtype=np.int64)
        if not len(answered):
            return None
        newest = {i: seen.newest for i, seen in self.seen.items() if seen.newest is not None}
        expected = None if prior is None else prior(newest)
        gains = [_pooled(self.seen[int(i)].gains) for i in answered]
        measured = np.array(list(self.seen), dtype=np.int64)
        margins = [_pooled(self.seen[int(i)].margins) for i in measured]
        nothing = np.zeros(len(places))
        sure = expected is not None and expected.sure
        gain_prior = nothing if expected is None else expected.gain
        margin_prior = nothing if expected is None else expected.margin
        if not sure:
            off = np.array([gain.mean for gain in gains]) - gain_prior[answered]
            gain_prior = gain_prior + float(off.mean())
        beside = _BESIDE_A_MODEL if sure else _BESIDE_A_GUESS
        return (
            believe(
                places, gain_prior, answered, *_split(gains),
                sure_of_prior=beside[0], sloped=not sure,
            ),
            believe(
                places, np.clip(margin_prior, -_FURTHEST, _FURTHEST), measured, *_split(margins),
                sure_of_prior=beside[1], sloped=not sure,
            ),
        )  # fmt: skip


def _pooled(estimates: Sequence[Estimate]) -> Estimate:
    """Their mean, each weighed by how sure it is."""
    weights = [1 / estimate.spread**2 for estimate in estimates]
    total = sum(weights)
    mean = sum(w * e.mean for w, e in zip(weights, estimates, strict=True)) / total
    return Estimate(mean, math.sqrt(1 / total))


def _split(estimates: Sequence[Estimate]) -> tuple[_Floats, _Floats]:
    return np.array([e.mean for e in estimates]), np.array([e.spread for e in estimates])
