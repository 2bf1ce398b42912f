"""A model of a served model: what batches take, fitted from a few measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tritonkit.bench.search.batcher import (
    Batching,
    Outcome,
    ServiceTimes,
    simulate_closed,
    simulate_open,
)
from tritonkit.errors import ConfigError

__all__ = ["Forecast", "Seen", "ServiceModel", "Work"]

_Floats = NDArray[np.float64]

_NAMES = ("fixed", "row", "contention", "turn", "spacing", "noise")
_BATCHES = 160
_REQUESTS = 1000
"""Of an open loop: a step of the simulation each where nothing is joined."""

_STARTS = 48
"""Guesses that are tried before the best is improved; they cost one simulation together."""

_ROUNDS = 6
_ROUNDS_FROM_A_FIT = 2
"""One measurement more moves a fit little, and the next fit goes on from there."""

_BETTER = 0.99
"""The share of the loss above which a round has ended: the figures are no truer than that."""

_AXES = 4
"""Of what is not known of the parameters; along the others nearly all is."""

_WIDEST = 1.0
"""A factor of e: as far as a figure changes with a parameter about as it does nearby."""

_RATE_ERROR = 0.04
_LATENCY_ERROR = 0.08
_TAIL_ERROR = 0.20
_BATCH_ERROR = 0.15
"""By how much, as a share, the model is taken to be wrong where it is right in kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """
    What a server is given, and how it is set up to do it.

    Args:
        batching: The settings.
        concurrency: Requests in flight of a closed loop; None of an open one.
        rate: Requests a second of an open loop.
    """

    batching: Batching
    concurrency: int | None = None
    rate: float | None = None

    def __post_init__(self) -> None:
        if (self.concurrency is None) == (self.rate is None):
            raise ConfigError("work is either a concurrency or a rate.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """
    What a measurement tells the model.

    Args:
        work: Under which it was taken.
        rate: Requests a second that were answered.
        percentiles: Of the latency in seconds, by percentile.
        batch: Rows of a mean batch, by the server's counters; None without them.
    """

    work: Work
    rate: float
    percentiles: Mapping[float, float] = field(default_factory=dict)
    batch: float | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """
    What the model expects, and what it would if it were wrong.

    The first of several is the most likely one. The others are one standard deviation
    away from it, each along an axis of what is not known of the parameters.

    Args:
        rate: Requests a second, shape (forecasts, works).
        percentiles: Of the latency in seconds, likewise, by percentile.
    """

    rate: _Floats
    percentiles: Mapping[float, _Floats]


class ServiceModel:
    """
    Batches take `fixed + row * rows`, slower where others run, behind Triton's batcher.

    The six parameters are the most likely ones under the measurements and a broad
    prior, found by Gauss and Newton's method on the logarithms of simulated and
    measured figures. Their covariance is the usual one at that place.

    Args:
        parameters: Logarithms, in the order of `names`.
        covariance: Of the logarithms.
    """

    names = _NAMES

    def __init__(self, parameters: _Floats, covariance: _Floats) -> None:
        self.parameters = parameters
        self.covariance = covariance

    @classmethod
    def fit(
        cls, seen: Sequence[Seen], *, seed: int = 0, start: ServiceModel | None = None
    ) -> ServiceModel:
        """
        Find the parameters.

        Args:
            seen: At least one measurement with answers.
            seed: Of the guesses and the simulated noise.
            start: A fit of fewer measurements, as the first guess.

        Raises:
            ConfigError: If there is nothing to learn from.
        """
        useful = [one for one in seen if one.rate > 0 and one.percentiles]
        if not useful:
            raise ConfigError("a service model needs a measurement with answers.")
        middle, width = _prior(useful)
        rng = np.random.default_rng(seed)
        guesses = middle + width * rng.standard_normal((_STARTS, len(middle)))
        guesses[0] = middle
        if start is not None:
            guesses = np.vstack([start.parameters, guesses[: _STARTS // 4]])
        losses = (_residuals(useful, guesses, middle, width, seed) ** 2).sum(axis=1)
        best = guesses[losses.argmin()]
        damping = 0.1
        for _ in range(_ROUNDS if start is None else _ROUNDS_FROM_A_FIT):
            steps = 0.05 * np.eye(len(best))
            around = _residuals(useful, np.vstack([best, best + steps]), middle, width, seed)
            errors = around[0]
            slope = (around[1:] - errors).T / 0.05
            normal = slope.T @ slope
            # Several lengths of step at once: a simulation costs nearly the same.
            dampings = damping * np.array([0.01, 0.1, 1.0, 10.0, 100.0, 1000.0])
            moves = [
                -np.linalg.solve(normal + d * np.diag(np.diag(normal)), slope.T @ errors)
                for d in dampings
            ]
            tried = best + np.clip(moves, -1.5, 1.5)
            losses = (_residuals(useful, tried, middle, width, seed) ** 2).sum(axis=1)
            found = int(losses.argmin())
            before = float((errors**2).sum())
            if losses[found] >= before:
                break
            damping = float(np.clip(dampings[found], 1e-6, 1e3))
            best = tried[found]
            if losses[found] > before * _BETTER:
                break
        # Of the last round: the next one moves it little.
        return cls(best, np.linalg.inv(normal))

    @property
    def values(self) -> dict[str, float]:
        """The parameters by name: seconds, and shares for contention and noise."""
        found = np.exp(self.parameters)
        return {name: float(value) for name, value in zip(_NAMES, found, strict=True)}

    def forecast(
        self, works: Sequence[Work], percentiles: Sequence[float], *, seed: int = 0
    ) -> Forecast:
        """What is to be expected of each work."""
        variances, axes = np.linalg.eigh(self.covariance)
        widths = np.sqrt(np.clip(variances, 0.0, _WIDEST**2))
        widest = np.argsort(-widths)[:_AXES]
        sets = np.vstack([self.parameters, self.parameters + (axes * widths).T[widest]])
        outcome = _simulate(works, sets, percentiles, seed)
        shape = (len(sets), len(works))
        return Forecast(
            rate=np.maximum(outcome.rate, 1e-9).reshape(shape),
            percentiles={
                p: np.maximum(outcome.percentiles[i], 1e-9).reshape(shape)
                for i, p in enumerate(percentiles)
            },
        )


def _prior(seen: Sequence[Seen]) -> tuple[_Floats, _Floats]:
    """Middle and width of the logarithms: the shortest latency sets the scale."""
    shortest = min(min(one.percentiles.values()) for one in seen)
    middle = [shortest / 2, shortest / 20, 0.3, 2e-4, 2e-5, 0.1]
    return np.log(middle), np.array([1.5, 2.0, 1.2, 0.8, 0.8, 0.8])


def _residuals(
    seen: Sequence[Seen], parameters: _Floats, middle: _Floats, width: _Floats, seed: int
) -> _Floats:
    """How far each set of parameters is off, in standard deviations; shape (sets, figures)."""
    percentiles = sorted({p for one in seen for p in one.percentiles})
    outcome = _simulate([one.work for one in seen], parameters, percentiles, seed)
    shape = (len(parameters), len(seen))
    columns: list[_Floats] = []
    columns.append(
        (_log(outcome.rate).reshape(shape) - _log([one.rate for one in seen])) / _RATE_ERROR
    )
    for index, percentile in enumerate(percentiles):
        error = _LATENCY_ERROR if percentile <= 90 else _TAIL_ERROR
        measured = [one.percentiles.get(percentile, np.nan) for one in seen]
        off = (_log(outcome.percentiles[index]).reshape(shape) - _log(measured)) / error
        columns.append(np.nan_to_num(off, nan=0.0))
    batches = [np.nan if one.batch is None else one.batch for one in seen]
    off = (_log(outcome.batch).reshape(shape) - _log(batches)) / _BATCH_ERROR
    columns.append(np.nan_to_num(off, nan=0.0))
    # One figure that the model cannot explain must not bend all the others.
    data = np.concatenate(columns, axis=1)
    bounded = np.sign(data) * (np.sqrt(1 + 2 * np.abs(data)) - 1) * np.sqrt(2)
    return np.concatenate([bounded, (parameters - middle) / width], axis=1)


def _log(values: _Floats | Sequence[float]) -> _Floats:
    found: _Floats = np.log(np.maximum(np.asarray(values, dtype=np.float64), 1e-9))
    return found


def _simulate(
    works: Sequence[Work], parameters: _Floats, percentiles: Sequence[float], seed: int
) -> Outcome:
    """Every work under every set of parameters; the works vary fastest."""
    sets = len(parameters)
    total = sets * len(works)
    rate, mean, batch = np.zeros(total), np.zeros(total), np.zeros(total)
    found = np.zeros((len(percentiles), total))
    for indices in _alike(works):
        group = [works[i] for i in indices]
        batching = [work.batching for work in group] * sets
        times = ServiceTimes(*np.repeat(np.exp(parameters), len(group), axis=0).T)
        if group[0].rate is None:
            callers = [work.concurrency or 1 for work in group] * sets
            outcome = simulate_closed(
                batching, callers, times, percentiles=percentiles, batches=_BATCHES, seed=seed
            )
        else:
            rates = [work.rate or 1.0 for work in group] * sets
            outcome = simulate_open(
                batching, rates, times, percentiles=percentiles, requests=_REQUESTS, seed=seed
            )
        place = (np.arange(sets)[:, None] * len(works) + np.array(indices)).ravel()
        rate[place], mean[place], batch[place] = outcome.rate, outcome.mean, outcome.batch
        found[:, place] = outcome.percentiles
    return Outcome(rate, mean, found, batch)


def _alike(works: Sequence[Work]) -> list[list[int]]:
    """Indices of works that are simulated together: a row is as wide as the widest of them."""
    groups: dict[int, list[int]] = {}
    for index, work in enumerate(works):
        # Up to 32 callers, 256, 2048: a group more costs more than rows that are half empty.
        callers = work.concurrency
        width = -1 if callers is None else (max((callers - 1).bit_length() - 5, 0) + 2) // 3
        groups.setdefault(width, []).append(index)
    return list(groups.values())
