"""What was measured of each candidate, and what is believed of all of them because of it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tritonkit.bench.measurement import Measurement
from tritonkit.bench.search.judgement import Estimate
from tritonkit.bench.search.objective import Objective
from tritonkit.bench.search.outlook import Expectation, Prior
from tritonkit.bench.search.surrogate import Belief, believe

__all__ = ["Knowledge", "Seen", "likely_noise", "pooled", "run_to_run"]

_Floats = NDArray[np.float64]

_FURTHEST = 3.0
"""A factor of 20 beyond a limit: how far does not matter any more."""

_USUAL = (0.06, 0.12)
"""What two runs of one point usually differ by, figure and margin, beyond what either shows."""

_USUAL_COUNTS = 1.5
"""Second looks that it takes to be as sure of this machine as of what is usual."""

_FREEDOM = 3.0
"""Of the distribution that single runs are drawn from; infinite is a normal one."""

_LEAST_SPREAD = 1e-3
"""No run tells more than this, whatever its requests agree on."""

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
        runs: All of them, in order.
        longest: The last one of those with the longest window.
        seconds: The longest window that was asked for.
        count: How many there were.
    """

    gains: list[Estimate] = field(default_factory=list)
    margins: list[Estimate] = field(default_factory=list)
    runs: list[Measurement] = field(default_factory=list)
    longest: Measurement | None = None
    seconds: float = 0.0
    count: int = 0

    @property
    def typical(self) -> Measurement:
        """The one in the middle; of two the faster, since what disturbs a run slows it down."""
        ordered = sorted(self.runs, key=lambda one: one.requests_per_second)
        return ordered[len(ordered) // 2]


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
            seen.gains.append(gain)
        bounded = min(max(margin.mean, -_FURTHEST), _FURTHEST)
        seen.margins.append(Estimate(bounded, min(margin.spread, 1.0)))
        seen.runs.append(measurement)
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
        typical = {i: seen.typical for i, seen in self.seen.items()}
        expected = None if prior is None else prior(typical)
        gain_runs = [self.seen[int(i)].gains for i in answered]
        margin_runs = [seen.margins for seen in self.seen.values()]
        noises = [likely_noise(gain_runs, _USUAL[0]), likely_noise(margin_runs, _USUAL[1])]
        gains, margins = _pooled(gain_runs, noises[0]), _pooled(margin_runs, noises[1])
        measured = np.array(list(self.seen), dtype=np.int64)
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
                moves=expected.gain_moves, sure_of_prior=beside[0], noise=noises[0],
                sloped=not expected.sure,
            ),
            believe(
                places, np.clip(expected.margin, -_FURTHEST, _FURTHEST), measured, *margins,
                moves=expected.margin_moves, sure_of_prior=beside[1], noise=noises[1],
                sloped=not expected.sure,
            ),
        )  # fmt: skip


def _pooled(runs: Sequence[Sequence[Estimate]], between: float) -> tuple[_Floats, _Floats]:
    """The mean of each candidate's runs, and its spread."""
    found = [pooled(own, between) for own in runs]
    return np.array([one.mean for one in found]), np.array([one.spread for one in found])


def pooled(runs: Sequence[Estimate], between: float) -> Estimate:
    """
    The mean of one candidate's runs, each weighed by how sure it is.

    Of three and more, one that is far from their median counts less, as under a
    Student-t distribution: now and then a machine is busy with something else.

    Args:
        runs: At least one.
        between: What runs differ by beyond their own spreads.
    """
    middle = statistics.median(one.mean for one in runs)
    weights = []
    for one in runs:
        variance = one.spread**2 + between**2
        far = (one.mean - middle) ** 2 / variance if len(runs) > 2 else 0.0
        weights.append(1 / (variance * (1 + far / _FREEDOM)))
    mean = sum(w * one.mean for w, one in zip(weights, runs, strict=True)) / sum(weights)
    return Estimate(mean, math.sqrt(1 / sum(weights)))


def likely_noise(runs: Sequence[Sequence[Estimate]], usual: float) -> float:
    """
    What one more run would differ by beyond its own spread, as a standard deviation.

    It is what is usual until candidates were measured again, and then more and more
    what their runs differ by: the mean of a variance under a scaled inverse
    chi-squared prior.

    Args:
        runs: Of each candidate.
        usual: Where no candidate was measured twice.
    """
    again = sum(len(own) - 1 for own in runs)
    seen = run_to_run(runs) ** 2
    return math.sqrt((_USUAL_COUNTS * usual**2 + again * seen) / (_USUAL_COUNTS + again))


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
        weights = [1 / max(one.spread, _LEAST_SPREAD) ** 2 for one in own]
        total = sum(weights)
        mean = sum(w * one.mean for w, one in zip(weights, own, strict=True)) / total
        excess += sum(w * (one.mean - mean) ** 2 for w, one in zip(weights, own, strict=True))
        excess -= len(own) - 1
        scale += total - sum(w**2 for w in weights) / total
    return math.sqrt(max(excess, 0.0) / scale) if scale > 0 else 0.0
