"""Intervals miss as often as they say, and shifts are found where they must be."""

from __future__ import annotations

from math import erfc, inf, log, pi, sqrt

import numpy as np
import pytest
import scipy.stats
from numpy.typing import NDArray

from tritonkit.bench.compare.comparison import change_of
from tritonkit.bench.compare.metric import parse_metrics
from tritonkit.bench.compare.noise import _beyond, figures_of_slices
from tritonkit.bench.compare.slices import SliceArrays
from tritonkit.bench.compare.student import t_quantile, t_tail, welch
from tritonkit.bench.load.shape import Closed
from tritonkit.bench.measurement import Point

METRICS = parse_metrics("throughput,mean,p50,p90,errors")
POINT = Point(load=Closed(1))
GRID = np.exp(np.linspace(log(1e5), log(1e7), 100))
"""Latencies are put on so few values that a hundred runs are compared in seconds."""


def arrays(
    seed: int,
    scale: float = 1.0,
    *,
    windows: int = 1,
    wander: float = 0.0,
    each: int = 25,
    grid: NDArray[np.float64] = GRID,
) -> SliceArrays:
    """40 slices a window, of some 25 lognormal latencies each, sigma 0.5; one in 50 fails."""
    random = np.random.default_rng(seed)
    rows = 40 * windows
    answered = random.poisson(each, rows)
    level = np.repeat(random.normal(0, wander, windows), 40)
    row = np.repeat(np.arange(rows), answered)
    values = scale * 1e6 * random.lognormal(level[row], 0.5)
    place = np.searchsorted(grid, values).clip(0, grid.size - 1)
    often = np.bincount(row * grid.size + place, minlength=rows * grid.size)
    counts = often.reshape(rows, grid.size).astype(np.float32)
    return SliceArrays(
        np.repeat(np.arange(windows), 40),
        np.full(rows, 0.25),
        answered.astype(np.float64),
        random.binomial(25, 0.02, rows).astype(np.float64),
        grid,
        counts,
    )


def verdicts(first: SliceArrays, second: SliceArrays, seed: int, margin: float) -> list[str]:
    before = figures_of_slices(first, METRICS, seed=2 * seed)
    after = figures_of_slices(second, METRICS, seed=2 * seed + 1)
    return [
        change_of(POINT, metric, before[metric], after[metric], margin=margin, alpha=0.05).verdict
        for metric in METRICS
    ]


@pytest.mark.parametrize("windows", [1, 3])
def test_runs_of_the_same_differ_in_no_more_than_the_stated_share(windows: int) -> None:
    # With a margin of 0 whatever an interval leaves out is a miss, in 5 % of the runs. Of 60
    # pairs that is 3; 4 standard deviations, sqrt(60 * 0.05 * 0.95) each, above are 9.8.
    found = [
        verdicts(
            arrays(2 * seed, windows=windows), arrays(2 * seed + 1, windows=windows), seed, 0.0
        )
        for seed in range(60)
    ]
    for number, metric in enumerate(METRICS):
        missed = sum(one[number] in ("better", "worse") for one in found)
        assert missed <= 9, metric


def test_what_is_alike_beyond_a_block_widens_the_interval() -> None:
    # Of slices whose likeness falls by 0.8 each, the variance of a long run's mean is 9 times
    # that of one slice, and blocks of 5 say 3.6 times: 2 * 0.8 * (1 - 0.8**5) / (5 * 0.2**2)
    # is what they leave out.
    assert _beyond(0.8, 5) == pytest.approx(sqrt(9 / (9 - 1.6 * (1 - 0.8**5) / 0.2)))
    assert _beyond(0.0, 5) == _beyond(-0.3, 5) == 1.0
    assert _beyond(0.5, 1000) == pytest.approx(1.0, abs=1e-3)


def test_what_differs_between_windows_is_in_the_interval_of_several() -> None:
    # Each window has a level of its own, some 10 % from the next: of one window each, nothing
    # could tell that from a change. The bound is that above.
    found = [
        verdicts(
            arrays(2 * seed, windows=3, wander=0.1),
            arrays(2 * seed + 1, windows=3, wander=0.1),
            seed,
            0.0,
        )[2]
        for seed in range(60)
    ]
    assert sum(one in ("better", "worse") for one in found) <= 9


def test_a_shift_of_a_tenth_is_found_at_the_size_that_it_must_be_found_at() -> None:
    # The median of n lognormal values has a standard error of sigma sqrt(pi / 2 / n) in its
    # logarithm. For n = 20,000 and sigma 0.5 it is 0.0044, of a difference 0.0063. A shift of
    # 10 % is 0.095, beyond a margin of 5 % by 0.0465: 7.4 standard errors. The interval takes
    # some 2.1 of them (t of 18 degrees of freedom), and a draw that is 5 off does not come.
    error = 0.5 * sqrt(pi / 2 / 20_000) * sqrt(2)
    beyond = (log(1.1) - log(1.05)) / error - t_quantile(0.025, 18)
    assert erfc(beyond / sqrt(2)) < 1e-6
    fine = np.exp(np.linspace(log(1e5), log(1e7), 2000))
    for seed in range(4):
        before = arrays(2 * seed, each=500, grid=fine)
        after = arrays(2 * seed + 1, 1.1, each=500, grid=fine)
        found = verdicts(before, after, seed, 0.05)
        assert found[:3] == ["same", "worse", "worse"]
        assert verdicts(after, before, seed, 0.05)[1:3] == ["better", "better"]


def test_errors_that_come_in_one_piece_are_less_sure_than_those_that_do_not() -> None:
    spread = arrays(1)
    failed: NDArray[np.float64] = np.zeros(40)
    failed[7] = spread.unanswered.sum()
    at_once = SliceArrays(
        spread.repeat, spread.seconds, spread.answered, failed, GRID, spread.counts
    )
    errors = parse_metrics("errors")
    (one,) = figures_of_slices(spread, errors).values()
    (other,) = figures_of_slices(at_once, errors).values()
    assert one.value == other.value
    assert other.error > 2 * one.error


def test_a_percentile_that_few_answers_reach_is_not_known() -> None:
    # Of some 1,000 answers one is beyond p99.9.
    (p999,) = figures_of_slices(arrays(1), parse_metrics("p99.9")).values()
    assert p999.reason == "1 answers are beyond it, fewer than 10"


@pytest.mark.parametrize("df", [0.7, 1.0, 2.5, 18.0, 500.0, inf])
def test_t_is_scipys(df: float) -> None:
    oracle = scipy.stats.norm if df == inf else scipy.stats.t(df)
    for tail in (0.4, 0.025, 1e-4, 1e-6):
        expected = oracle.isf(tail)
        assert t_quantile(tail, df) == pytest.approx(expected, rel=1e-8)
        assert t_tail(expected, df) == pytest.approx(tail, rel=1e-8)


def test_welch_is_scipys() -> None:
    one, other = np.array([1.0, 2.0, 4.0]), np.array([2.0, 2.5, 2.2, 2.4])
    found = scipy.stats.ttest_ind(one, other, equal_var=False)
    error, df = welch((one.std(ddof=1) / sqrt(3), 2.0), (other.std(ddof=1) / 2, 3.0))
    assert df == pytest.approx(found.df)
    assert (one.mean() - other.mean()) / error == pytest.approx(found.statistic)
    assert welch((0.0, 2.0), (0.0, 3.0)) == (0.0, inf)
