"""Intervals hold the truth as often as they say, also where slices depend on one another."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tritonkit.bench.record.bands import _widening, bands, block_length
from tritonkit.bench.record.counts import EMPTY, Counts

SLICES = 40
SLICE_SECONDS = 0.25
RUNS = 40


def run(rng: np.random.Generator, memory: float = 0.0, level: float = 0.0) -> list[Counts]:
    """A window whose slices have a level each, an AR(1) with the given memory."""
    steps = rng.normal(0, 0.2, SLICES) * np.sqrt(1 - memory**2)
    steps[0] /= np.sqrt(1 - memory**2)
    for at in range(1, SLICES):
        steps[at] += memory * steps[at - 1]
    return [
        Counts.of((np.exp(step + level) * rng.gamma(4, 1.25, rng.poisson(60)) * 1e6).astype(int))
        for step in steps
    ]


@pytest.mark.parametrize(
    ("memory", "repeats", "between", "least"),
    [(0.5, 1, 0.0, 0.9), (0.3, 4, 0.1, 0.88)],
)
def test_intervals_cover_the_truth(
    memory: float, repeats: int, between: float, least: float
) -> None:
    """
    The truth is that of 100 runs together.

    Of 40 intervals that cover with the stated probability, fewer than 40 * least - 3 standard
    deviations (of the binomial) cover with a chance of about one in 1,000.
    """
    rng = np.random.default_rng(7)
    endless = Counts.joined(
        [part for _ in range(100) for part in run(rng, memory, rng.normal(0, between))]
    )
    missed = dict.fromkeys(("p50", "p95"), 0)
    for seed in range(RUNS):
        windows = [run(rng, memory, rng.normal(0, between)) for _ in range(repeats)]
        found = bands(windows, SLICE_SECONDS, (50.0, 95.0), seed=seed)
        for name in missed:
            truth = endless.percentile_ns(float(name[1:])) / 1e3
            missed[name] += not found[name].low <= truth <= found[name].high
    allowed = RUNS * (1 - least) + 3 * np.sqrt(RUNS * least * (1 - least))
    assert max(missed.values()) <= allowed


def test_intervals_surround_the_value_and_say_their_confidence() -> None:
    window = run(np.random.default_rng(0))
    whole = Counts.joined(window)
    found = bands([window], SLICE_SECONDS)
    rate = found["requests_per_second"]
    assert rate.low < whole.count / (SLICES * SLICE_SECONDS) < rate.high
    assert rate.confidence == 0.95
    assert found["p50"].low <= whole.percentile_ns(50) / 1e3 <= found["p50"].high
    assert bands([window], SLICE_SECONDS) == found


def test_more_data_narrow_an_interval() -> None:
    """Four times as much halves it; the factor of two is known to a quarter here."""
    rng = np.random.default_rng(1)
    windows = [run(rng) for _ in range(4)]
    one = bands(windows[:1], SLICE_SECONDS)["p50"]
    four = bands([[part for window in windows for part in window]], SLICE_SECONDS)["p50"]
    assert 1.5 < (one.high - one.low) / (four.high - four.low) < 2.7


def test_what_too_little_was_seen_of_has_no_interval() -> None:
    window = run(np.random.default_rng(0))
    assert bands([], SLICE_SECONDS) == {}
    assert bands([[], []], SLICE_SECONDS) == {}
    assert bands([window[:5]], SLICE_SECONDS) == {}
    assert bands([[EMPTY] * SLICES], SLICE_SECONDS) == {}
    # 2,400 answers: 24 are above p99, 2 above p99.9.
    assert "p99" in bands([window], SLICE_SECONDS)
    assert "p99.9" not in bands([window], SLICE_SECONDS)


def test_an_interval_without_noise_is_a_point() -> None:
    window = [Counts.of(np.full(100, 5_000_000))] * SLICES
    band = bands([window], SLICE_SECONDS)["requests_per_second"]
    assert (band.low, band.high) == (400.0, 400.0)


def test_blocks_grow_with_what_slices_remember() -> None:
    rng = np.random.default_rng(0)
    white = rng.normal(size=240)
    walk = np.cumsum(white)
    assert block_length(white) <= 3
    assert block_length(walk) == 240 // 8
    assert block_length(np.full(40, 3.0)) == 1
    assert block_length(np.full(40, np.nan)) == 1


@pytest.mark.parametrize("blocks", [8, 20, 100])
def test_few_blocks_widen_as_students_t_does(blocks: int) -> None:
    exact = stats.t.ppf(0.975, blocks - 1) / stats.norm.ppf(0.975)
    assert _widening(blocks) == pytest.approx(exact * np.sqrt(blocks / (blocks - 1)), rel=0.01)


def test_slices_of_windows_that_end_by_count_differ_in_length() -> None:
    """Two windows of 100 answers a second, one of slices twice as long."""
    rng = np.random.default_rng(0)

    def window(count: int) -> list[Counts]:
        return [Counts.of(rng.integers(1, 9, count) * 1000) for _ in range(SLICES)]

    band = bands([window(5), window(10)], [0.05, 0.1])["requests_per_second"]
    assert (band.low, band.high) == (pytest.approx(100.0), pytest.approx(100.0))
