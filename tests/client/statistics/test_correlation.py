"""Series that move together, and what does not follow from it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter

from tritonkit.client.statistics.correlation import correlate
from tritonkit.errors import ConfigError

Bound = Callable[[int, float], int]


def remembering(chance: np.random.Generator, bins: int, by: float = 0.6) -> NDArray[np.float64]:
    """An autoregressive series of order 1."""
    series: NDArray[np.float64] = lfilter([1.0], [1.0, -by], chance.normal(size=bins + 100))
    return series[100:]


def test_the_lag_at_which_they_move_together(chance: np.random.Generator) -> None:
    metric = remembering(chance, 503)
    kpi = 0.8 * metric[:-3] + remembering(chance, 500)
    found = correlate(kpi, metric[3:], lags=range(8))
    assert found.lag == 3
    assert found.interval.low > 0.2
    assert found.causal is False
    assert list(found.by_lag) == list(range(8))


def test_it_is_the_correlation_of_numpy_and_the_partial_one_of_residuals(
    chance: np.random.Generator,
) -> None:
    x, y, z = chance.normal(size=(3, 200))
    y, x = y + z, x - z + 0.3 * y
    assert correlate(y, x).correlation == pytest.approx(np.corrcoef(y, x)[0, 1])
    design = np.stack([np.ones(200), z], axis=1)
    left = [s - design @ np.linalg.lstsq(design, s, rcond=None)[0] for s in (y, x)]
    found = correlate(y, x, confounders=z)
    assert found.partial
    assert found.correlation == pytest.approx(np.corrcoef(*left)[0, 1], abs=1e-6)
    # Shares of a mix, which sum to 1, are no more than their difference.
    shares = np.stack([z, 1 - z], axis=1)
    assert correlate(y, x, confounders=shares).correlation == pytest.approx(
        found.correlation, abs=1e-6
    )


def test_what_a_mix_of_traffic_explains_is_gone_once_it_is_held_fixed(
    chance: np.random.Generator,
) -> None:
    mix = remembering(chance, 400)
    kpi, metric = mix + remembering(chance, 400) / 2, mix + remembering(chance, 400) / 2
    assert correlate(kpi, metric).interval.low > 0.4
    held = correlate(kpi, metric, confounders=mix)
    assert not held.interval.excludes(0.0)
    assert abs(held.correlation) < 0.3


@pytest.mark.parametrize("lags", [(0,), tuple(range(6))])
def test_unrelated_series_seldom_seem_related(
    lags: tuple[int, ...], chance: np.random.Generator, most: Bound
) -> None:
    """
    60 pairs of 300 bins. The interval is approximate, so twice alpha is allowed; the
    plain one of independent bins misses a third at this memory.
    """
    plain = errors = 0
    for _ in range(60):
        kpi, metric = remembering(chance, 300, 0.8), remembering(chance, 300, 0.8)
        errors += correlate(kpi, metric, lags=lags, resamples=150).interval.excludes(0.0)
        plain += abs(np.corrcoef(kpi, metric)[0, 1]) > 1.96 / np.sqrt(300)
    assert errors <= most(60, 0.10)
    assert plain > 12


def test_the_same_seed_gives_the_same_interval(chance: np.random.Generator) -> None:
    kpi, metric = chance.normal(size=(2, 60))
    assert correlate(kpi, metric, seed=3) == correlate(kpi, metric, seed=3)
    assert correlate(kpi, metric, seed=3).interval != correlate(kpi, metric, seed=4).interval


def test_a_series_that_does_not_move() -> None:
    found = correlate(np.ones(30), np.arange(30.0))
    assert found.correlation == 0.0
    assert not found.interval.excludes(0.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: correlate([1.0] * 30, [1.0] * 29), "one value a bin"),
        (lambda: correlate([1.0] * 30, [1.0] * 30, lags=[-1]), r"\[-1\]"),
        (lambda: correlate([1.0] * 30, [1.0] * 30, lags=[11]), "lag of 11"),
        (lambda: correlate([1.0] * 30, [float("nan")] * 30), "finite"),
        (lambda: correlate([1.0] * 30, [1.0] * 30, confounders=[1.0]), "30 bins"),
    ],
)
def test_impossible_arguments(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        call()
