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
from tritonkit.bench.search.outlook import Expectation, Prior
from tritonkit.bench.search.surrogate import Belief, believe

__all__ = ["Knowledge", "Seen", "run_to_run"]

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
        longest: The last one of those with the longest window.
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
        # By what was asked for: a window is shorter where a warm-up was cut off it.
        if seconds >= seen.seconds:
            seen.longest, seen.seconds = measurement, seconds
        seen.count += 1

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
        gains = _pooled([self.seen[int(i)].gains for i in answered])
        measured = np.array(list(self.seen), dtype=np.int64)
        margins = _pooled([seen.margins for seen in self.seen.values()])
        if expected is None:
            none = np.zeros((len(places), 0))
            flat = np.zeros(len(places))
            expected = Expectation(
                gain=flat, margin=flat, sure=False, gain_moves=none, margin_moves=none
            )
        gain_prior = expected.gain
        if not expected.sure:
            gain_prior = gain_prior + float((gains[0] - gain_prior[answered]).mean())
        beside = _BESIDE_A_MODEL if expected.sure else _BESIDE_A_GUESS
        return (
            believe(
                places, gain_prior, answered, *gains,
                moves=expected.gain_moves, sure_of_prior=beside[0], sloped=not expected.sure,
            ),
            believe(
                places, np.clip(expected.margin, -_FURTHEST, _FURTHEST), measured, *margins,
                moves=expected.margin_moves, sure_of_prior=beside[1], sloped=not expected.sure,
            ),
        )  # fmt: skip


def _pooled(runs: Sequence[Sequence[Estimate]]) -> tuple[_Floats, _Floats]:
    """
    The mean of each candidate's runs, each weighed by how sure it is, and its spread.

    Runs of one candidate that differ by more than their own spreads say show what the
    machine adds to every run, so that all are less sure by it.
    """
    between = run_to_run(runs)
    means, spreads = [], []
    for own in runs:
        weights = [1 / (one.spread**2 + between**2) for one in own]
        means.append(sum(w * one.mean for w, one in zip(weights, own, strict=True)) / sum(weights))
        spreads.append(math.sqrt(1 / sum(weights)))
    return np.array(means), np.array(spreads)


def run_to_run(runs: Sequence[Sequence[Estimate]]) -> float:
    """
    The standard deviation that is between runs of one candidate beyond their own spreads.

    0 where no candidate was measured twice.

    Args:
        runs: Of each candidate.

    Source: DerSimonian and Laird, Meta-analysis in clinical trials, 1986: the moment
    estimator of a variance between studies, here with a mean for each candidate.
    """
    excess = scale = 0.0
    for own in runs:
        weights = [1 / one.spread**2 for one in own]
        total = sum(weights)
        mean = sum(w * one.mean for w, one in zip(weights, own, strict=True)) / total
        excess += sum(w * (one.mean - mean) ** 2 for w, one in zip(weights, own, strict=True))
        excess -= len(own) - 1
        scale += total - sum(w**2 for w in weights) / total
    return math.sqrt(max(excess, 0.0) / scale) if scale > 0 else 0.0
