"""How far a figure of one measurement may be from what another run of the same would give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, inf, isnan, log, nan, sqrt

import numpy as np
from numpy.typing import NDArray

from tritonkit.bench.compare.metric import Metric
from tritonkit.bench.compare.slices import SliceArrays, slices_of
from tritonkit.bench.compare.student import t_quantile
from tritonkit.bench.measurement import Measurement
from tritonkit.bench.record.bands import block_length, likeness
from tritonkit.bench.record.decoded import counts_of

__all__ = ["DRAWS", "LEAST_BEYOND", "Figure", "figures", "figures_of_slices"]

DRAWS = 400
"""Of the bootstrap: the standard error of a standard error is then 1 / sqrt(2 * 400), 3.5 %."""

LEAST_BEYOND = 10
"""Answers that must be slower than a percentile: with fewer, their number alone is off by
a third from run to run."""

_OF_COUNTS = ("throughput", "errors")
"""Metrics that come of how many there are, not of how long they take."""

_RESOLUTION = 1e-3 / sqrt(12)
"""Standard deviation of a histogram's rounding, by up to 0.1 %."""


@dataclass(frozen=True, slots=True)
class Figure:
    """
    One figure with its noise.

    Args:
        value: Requests a second, microseconds, or a share of requests.
        error: Standard error: of the logarithm of the value, of a share the value's own;
            NaN where it is not known.
        df: Degrees of freedom of `error`.
        source: What the error was found from: "windows", "slices", "band", or "" for nothing.
        reason: Why it is not known.
        nothing: Whether no answer was there to take it from.
    """

    value: float
    error: float = nan
    df: float = inf
    source: str = ""
    reason: str = ""
    nothing: bool = False


def figures(
    measurement: Measurement, metrics: Sequence[Metric], *, seed: int = 0
) -> dict[Metric, Figure]:
    """
    Each metric with its noise.

    With several windows it is the spread between them. With one it is that of a bootstrap
    of blocks of neighbouring slices, which leaves out what differs between runs: another
    start of the server, other neighbours on the machine.
    """
    slices = slices_of(measurement)
    if slices is None:
        return {metric: _of_band(measurement, metric) for metric in metrics}
    found = figures_of_slices(slices, metrics, seed=seed)
    # The whole run's own figures are exact; those of slices end where slices do.
    return {
        metric: replace(one, value=_value(measurement, metric)) for metric, one in found.items()
    }


def figures_of_slices(
    slices: SliceArrays, metrics: Sequence[Metric], *, seed: int = 0
) -> dict[Metric, Figure]:
    """Each metric with its noise, from slices alone."""
    whole = _evaluate(slices, metrics, np.ones((1, len(slices)), dtype=np.float32))
    windows = slices.windows
    if len(windows) > 1:
        source, df = "windows", float(len(windows) - 1)
        each = [
            _evaluate(one, metrics, np.ones((1, len(one)), dtype=np.float32)) for one in windows
        ]
        spread = {
            metric: _spread(metric, np.concatenate([one[metric] for one in each]))
            / sqrt(len(windows))
            for metric in metrics
        }
    else:
        block = _block(slices)
        source, df = "slices", max(len(slices) / block - 1, 0.0)
        drawn = _evaluate(slices, metrics, _draws(len(slices), block, seed))
        # Blocks vary around their own mean, of which there is one less than there are blocks.
        grown = sqrt((df + 1) / df) if df else nan
        of_counts, of_latency = (_beyond(likeness(one), block) for one in _courses(slices))
        spread = {
            metric: grown
            * (of_counts if metric.name in _OF_COUNTS else of_latency)
            * _spread(metric, drawn[metric])
            for metric in metrics
        }
    return {
        metric: _figure(slices, metric, float(whole[metric][0]), spread[metric], df, source)
        for metric in metrics
    }


def _block(slices: SliceArrays) -> int:
    """Slices of a block: at least the cube root of their number, more where they are alike."""
    count = len(slices)
    alike = max(map(block_length, _courses(slices)))
    # The cube root is the order that a variance wants (Hall, Horowitz and Jing, 1995).
    root: int = ceil(float(count) ** (1 / 3) - 1e-9)
    return max(1, min(max(alike, root), count // 4))


def _courses(slices: SliceArrays) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Answers of each slice, and their mean latency; NaN without any."""
    totals = slices.counts.sum(axis=1, dtype=np.float64)
    means = np.full(len(slices), nan)
    np.divide(slices.counts @ slices.values_ns, totals, out=means, where=totals > 0)
    return slices.answered, means


def _beyond(likeness: float, block: int) -> float:
    """
    What a standard error grows by for the likeness that reaches beyond a block.

    Of a process whose autocorrelation falls by the same factor with each slice, the variance
    of a long run's mean over what blocks of that length say of it.
    """
    if likeness <= 0:
        return 1.0
    whole = (1 + likeness) / (1 - likeness)
    inside = whole - 2 * likeness * (1 - likeness**block) / (block * (1 - likeness) ** 2)
    return sqrt(whole / inside)


def _draws(count: int, block: int, seed: int) -> NDArray[np.float32]:
    """How often each slice is in each draw: of blocks that go around the end."""
    random = np.random.default_rng(seed)
    blocks = max(1, round(count / block))
    starts = random.integers(0, count, size=(DRAWS, blocks))
    chosen = (starts[:, :, None] + np.arange(block)) % count
    cells = (np.arange(DRAWS)[:, None, None] * count + chosen).reshape(-1)
    often = np.bincount(cells, minlength=DRAWS * count)
    return often.reshape(DRAWS, count).astype(np.float32)


def _evaluate(
    slices: SliceArrays, metrics: Sequence[Metric], weights: NDArray[np.float32]
) -> dict[Metric, NDArray[np.float64]]:
    percentiles = [m for m in metrics if m.percentile is not None]
    values = slices.percentiles(weights, [m.percentile or 0.0 for m in percentiles])
    found = dict(zip(percentiles, values / 1e3, strict=True))
    for metric in metrics:
        if metric.name == "throughput":
            found[metric] = slices.throughput(weights)
        elif metric.within is not None:
            found[metric] = slices.within(weights, metric.within * 1e9)
        elif metric.name == "errors":
            found[metric] = slices.errors(weights)
        elif metric.name == "mean":
            found[metric] = slices.mean(weights) / 1e3
    return {metric: found[metric] for metric in metrics}


def _spread(metric: Metric, values: NDArray[np.float64]) -> float:
    if metric.relative:
        if not (np.isfinite(values).all() and (values > 0).all()):
            return nan
        values = np.log(values)
    return float(np.std(values, ddof=1)) if len(values) > 1 else nan


def _figure(
    slices: SliceArrays, metric: Metric, value: float, spread: float, df: float, source: str
) -> Figure:
    answered, unanswered = float(slices.answered.sum()), float(slices.unanswered.sum())
    if not answered and metric.relative:
        return Figure(value, reason="no answers", nothing=True)
    if metric.within is not None:
        answered = value * float(slices.seconds.sum())
        if not answered:
            return Figure(value, reason="no answers within it", nothing=True)
    if metric.percentile is not None:
        beyond = answered * (1 - metric.percentile / 100)
        if beyond < LEAST_BEYOND:
            return Figure(
                value, reason=f"{beyond:.0f} answers are beyond it, fewer than {LEAST_BEYOND}"
            )
        floor = _RESOLUTION
    elif metric.relative:
        # The window's ends fall anywhere between two answers.
        floor = 1 / (answered * sqrt(6))
    else:
        # Where nothing failed yet, something still may: one more of each kind.
        asked = answered + unanswered + 2
        share = (unanswered + 1) / asked
        floor = sqrt(share * (1 - share) / asked) if unanswered else 1 / asked
        spread, floor = max(spread, floor), 0.0
    if isnan(spread):
        return Figure(value, reason="a part of it has no answers")
    if df < 2 and source == "slices":
        return Figure(value, reason="too few slices; run it longer")
    return Figure(value, sqrt(spread**2 + floor**2), df, source)


def _of_band(measurement: Measurement, metric: Metric) -> Figure:
    value = _value(measurement, metric)
    if not measurement.requests and metric.relative:
        return Figure(value, reason="no answers", nothing=True)
    name = "requests_per_second" if metric.name == "throughput" else metric.name
    band = measurement.bands.get(name)
    if metric.name == "errors":
        asked = measurement.requests + measurement.failed + measurement.dropped + 2
        share = (value * (asked - 2) + 1) / asked
        return Figure(value, sqrt(share * (1 - share) / asked) if value else 1 / asked)
    if band is None or not (0 < band.low <= band.high < inf and value > 0):
        return Figure(value, reason="its slices were not kept")
    z = t_quantile((1 - band.confidence) / 2, inf)
    return Figure(value, (log(band.high) - log(band.low)) / (2 * z), inf, "band")


def _value(measurement: Measurement, metric: Metric) -> float:
    """As the measurement itself has it; NaN where it does not."""
    if metric.name == "throughput":
        return measurement.requests_per_second
    if metric.within is not None:
        return measurement.goodput(metric.within * 1e6)
    if metric.name == "mean":
        return measurement.latency.mean_us
    if metric.name == "errors":
        missing = measurement.failed + measurement.dropped
        asked = measurement.requests + missing
        return missing / asked if asked else 0.0
    return _percentile(measurement, metric.percentile or 0.0)


def _percentile(measurement: Measurement, percentile: float) -> float:
    found = measurement.latency.percentiles_us.get(percentile)
    if found is not None:
        return found
    return counts_of(measurement.latency).percentile_ns(percentile) / 1e3
