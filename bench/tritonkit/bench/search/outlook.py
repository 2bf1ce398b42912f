"""Who may be the best, and what is worth measuring next, drawn from what is believed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tritonkit.bench.measurement import Measurement
from tritonkit.bench.search.judgement import Estimate
from tritonkit.bench.search.surrogate import Belief

__all__ = ["Expectation", "Outlook", "Prior", "look_out"]

_Floats = NDArray[np.float64]

_DRAWS = 400
_CONSIDERED = 250
"""Candidates that are drawn together; the others have no prospect of being the best."""

_HOPELESS = 0.98
"""The share of draws without a single candidate that keeps the target."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """
    What is expected of every candidate before it is measured.

    Args:
        gain: Logarithm of the figure that is to be best, larger is better.
        margin: Logarithm of how far the target is kept.
        sure: Whether it comes from a model of the server, or is a guess.
        gain_moves: How far the gain is off if the model is wrong by a standard deviation,
            shape (candidates, ways to be wrong); candidates move together along each.
        margin_moves: Likewise.
    """

    gain: _Floats
    margin: _Floats
    sure: bool
    gain_moves: _Floats
    margin_moves: _Floats


Prior = Callable[[Mapping[int, Measurement]], Expectation | None]
"""From the newest measurement of each measured candidate; None where it cannot tell."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """
    Where a search stands.

    Args:
        incumbent: The best so far; None where nothing measured keeps the target.
        sure: The probability that nothing that keeps the target is better by more
            than the tolerance.
        next: What is worth measuring; the incumbent itself where it is known less than
            what it is to be compared with.
        promise: How much better than the incumbent anything is expected to be, as a share.
        hopeless: Whether nothing is believed to keep the target.
    """

    incumbent: int | None
    sure: float
    next: int | None
    promise: float
    hopeless: bool


def look_out(
    gain: Belief,
    margin: Belief,
    *,
    alive: Sequence[int],
    measured: Sequence[int],
    ripe: Sequence[int],
    pace: _Floats,
    tolerance: float,
    enough: int,
    rng: np.random.Generator,
) -> Outlook:
    """
    Draw what may be, and sum it up.

    Args:
        gain: Of the figure that is to be best.
        margin: Of the distance from the target; above 0 it is kept.
        alive: Candidates that can be measured.
        measured: Those of them that were.
        ripe: Those of them that may be called the best.
        pace: Measurements of each candidate in the time of one.
        tolerance: The share by which another may be better.
        enough: Measurements before a search is called hopeless.
        rng: For the draws.
    """
    if not alive:
        return Outlook(None, 0.0, None, 0.0, True)
    chosen = _considered(gain, margin, alive, measured)
    place = {int(index): at for at, index in enumerate(chosen)}
    gains = gain.draws(chosen, _DRAWS, rng)
    keeps = margin.draws(chosen, _DRAWS, rng) > 0
    values = np.where(keeps, gains, -np.inf)
    best = values.max(axis=1)
    if not ripe:
        scores = (keeps * np.exp(gains - gains.max())).mean(axis=0) * pace[chosen]
        if not keeps.any():
            scores = margin.mean[chosen] + margin.spread[chosen]
        hopeless = float(np.isinf(best).mean()) > _HOPELESS and len(measured) > enough
        return Outlook(None, 0.0, int(chosen[scores.argmax()]), math.inf, hopeless)
    # What it is worth, times the probability that it may be used at all.
    kept = keeps.mean(axis=0)
    incumbent = max(ripe, key=lambda i: gain.mean[i] + math.log(kept[place[i]] + 1e-3))
    own = values[:, place[incumbent]]
    within = keeps[:, place[incumbent]] & (own >= best + math.log1p(-tolerance))
    # A draw in which the best breaks the target is worth a tenth less, not nothing.
    held = np.where(np.isinf(own), gain.mean[incumbent] - 0.1, own)
    improvement = np.maximum(values - held[:, None], 0.0)
    improvement[:, place[incumbent]] = 0.0
    promises = improvement.mean(axis=0)
    told = np.maximum(_told_by_a_run(gain), _told_by_a_run(margin))
    following = int(chosen[(promises * (told * pace)[chosen]).argmax()])
    if following in measured and told[incumbent] > told[following]:
        following = incumbent
    return Outlook(incumbent, float(within.mean()), following, float(promises.max()), False)


def _told_by_a_run(belief: Belief) -> _Floats:
    """How much of what is not known of each candidate one more run would tell, 0 to 1."""
    variance = belief.spread**2
    told: _Floats = variance / (variance + belief.noise**2 + 1e-12)
    return np.sqrt(told)


def _considered(
    gain: Belief, margin: Belief, alive: Sequence[int], measured: Sequence[int]
) -> NDArray[np.int64]:
    """What was measured, and what may be best."""
    places = np.array(alive, dtype=np.int64)
    likely = [
        Estimate(float(mean), float(spread)).above(0.0)
        for mean, spread in zip(margin.mean[places], margin.spread[places], strict=True)
    ]
    hope = gain.mean[places] + 2 * gain.spread[places] + np.log(np.maximum(likely, 1e-9))
    hopeful = places[np.argsort(-hope)[:_CONSIDERED]]
    return np.unique(np.concatenate([hopeful, np.array(measured, dtype=np.int64)]))
