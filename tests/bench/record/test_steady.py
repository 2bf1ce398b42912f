"""Where a steady state begins: planted warm-ups, shifts and stalls, and plain noise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tritonkit.bench.record.steady import DIFFERENCE, Series, Verdict, difference, judge, mser

SLICES = 40


def noise(seed: int, *, spread: float = 0.05, requests: float = 250.0) -> Series:
    """Independent slices of one level: Poisson arrivals, normal mean latencies."""
    rng = np.random.default_rng(seed)
    answered = rng.poisson(requests, SLICES)
    return Series(answered, answered * rng.normal(5.0, 5.0 * spread, SLICES))


def flat() -> Series:
    return noise(0, spread=0.0, requests=1e9)


def changed(series: Series, factor: NDArray[np.float64]) -> Series:
    return Series(series.answered, series.total * factor)


def test_stationary_noise_is_left_alone() -> None:
    """
    Of 1,000 windows at most 30 are cut and at most 9 called unstable.

    The stated shares are 1 in 100 and 2 in 1,000, and a binomial of 1,000 draws exceeds
    their means of 10 and 2 by 20 and 7 with less than one chance in 10,000.
    """
    verdicts = [judge(noise(seed)) for seed in range(1000)]
    assert sum(verdict.cut > 0 for verdict in verdicts) <= 30
    assert sum(verdict.unstable is not None for verdict in verdicts) <= 9


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    length=st.integers(1, 15),
    height=st.floats(1.0, 20.0),
)
def test_a_planted_warm_up_is_cut(seed: int, length: int, height: float) -> None:
    """
    A plateau that is twice as slow or more is gone after the cut, and nothing else is.

    It is 20 spreads off, where the spread of the second half is known to a third of
    itself; MSER may take a slice or two more with it, when they are off by chance.
    """
    factor = np.ones(SLICES)
    factor[:length] += height
    verdict = judge(changed(noise(seed), factor))
    assert verdict.unstable is None
    assert length <= verdict.cut <= length + 2


@pytest.mark.parametrize("seed", range(5))
def test_a_falling_ramp_is_cut_until_it_is_lost_in_the_noise(seed: int) -> None:
    decay = 1 + 4 * np.exp(-np.arange(SLICES) / 3)
    verdict = judge(changed(noise(seed, spread=0.02), decay))
    assert verdict.unstable is None
    left = decay[verdict.cut] - 1
    assert left < 0.2
    assert verdict.cut <= SLICES // 2


def test_a_throughput_that_climbs_is_a_warm_up_too() -> None:
    rng = np.random.default_rng(0)
    climb = np.minimum(1.0, np.arange(1, SLICES + 1) / 8)
    answered = rng.poisson(250 * climb)
    assert 4 <= judge(Series(answered, answered.astype(np.float64))).cut <= 9


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), at=st.integers(20, 28), height=st.floats(0.5, 4.0))
@example(seed=13525, at=21, height=2.0)
def test_a_level_shift_is_unstable(seed: int, at: int, height: float) -> None:
    """
    From 3 % of noise a shift by half or more stands out, wherever in the middle it is.

    Halves differ then by at least half of 0.6 of the level; the error is that of five
    batches of four slices, 1 %, and of the one other step that a shift within a batch makes.
    """
    factor = np.where(np.arange(SLICES) >= at, 1 + height, 1.0)
    verdict = judge(changed(noise(seed, spread=0.03), factor))
    assert verdict.unstable is not None


def test_what_is_unstable_says_what_changed() -> None:
    factor = np.where(np.arange(SLICES) >= 20, 1.5, 1.0)
    verdict = judge(changed(flat(), factor))
    assert verdict.unstable is not None
    assert verdict.unstable.startswith("the mean latency rose by 50% from the first half")
    down = judge(changed(flat(), factor[::-1]))
    assert down.unstable is not None
    assert "the mean latency fell by 33%" in down.unstable


def test_a_drift_that_never_ends_is_unstable() -> None:
    verdict = judge(changed(noise(0, spread=0.02), np.linspace(1.0, 3.0, SLICES)))
    assert verdict.unstable is not None


def test_a_stall_in_the_middle_is_kept() -> None:
    """It is part of what users saw, not of the warm-up."""
    factor = np.ones(SLICES)
    factor[6:10] = 200.0
    assert judge(changed(noise(0), factor)).cut == 0


def test_what_begins_with_the_window_is_no_warm_up() -> None:
    """The slice before tells: a slow start is cut off where it was slow already."""
    factor = np.ones(SLICES)
    factor[:4] = 5.0
    window = changed(noise(0), factor)
    usual = noise(1)
    slow = changed(noise(1), np.full(SLICES, 5.0))
    none = Series(np.zeros(1, dtype=np.int64), np.zeros(1))
    assert judge(window, usual).cut == 0
    assert 4 <= judge(window, slow).cut <= 6
    assert 4 <= judge(window, none).cut <= 6
    assert 4 <= judge(window).cut <= 6


def test_no_more_than_a_tenth_is_no_reason() -> None:
    factor = np.where(np.arange(SLICES) >= 20, 1 + 0.9 * DIFFERENCE, 1.0)
    assert judge(changed(flat(), factor)) == Verdict()


def test_slices_without_answers_are_not_judged() -> None:
    assert judge(Series(np.zeros(SLICES, dtype=np.int64), np.zeros(SLICES))) == Verdict()
    assert judge(noise(0).after(SLICES - 5)) == Verdict()


def test_repeats_are_compared_by_the_same_measure() -> None:
    assert difference(noise(0), noise(1)) is None
    slower = changed(flat(), np.full(SLICES, 2.0))
    assert difference(flat(), slower) == "the mean latency rose by 100%"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=4, max_size=30))
def test_mser_minimises_the_marginal_standard_error(values: list[float]) -> None:
    """Against the definition, written out; ties within rounding are as good."""
    array = np.array(values)
    errors = [
        ((array[cut:] - array[cut:].mean()) ** 2).sum() / len(array[cut:]) ** 2
        for cut in range(len(array) // 2 + 1)
    ]
    scale = float((array**2).sum()) + 1e-300
    assert errors[mser(array)] <= min(errors) + 1e-12 * scale
