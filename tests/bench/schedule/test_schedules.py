"""Schedules against the distributions that they are said to have."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from tritonkit.bench.schedule.arrivals import Arrivals
from tritonkit.bench.schedule.chunks import every
from tritonkit.bench.schedule.constant import Constant
from tritonkit.bench.schedule.gamma import Gamma
from tritonkit.bench.schedule.poisson import Poisson
from tritonkit.bench.schedule.ramp import Ramp
from tritonkit.bench.schedule.recorded import Recorded
from tritonkit.errors import ConfigError

SCHEDULES: list[Arrivals] = [
    Constant(700.0),
    Poisson(700.0),
    Gamma(700.0, 0.3),
    Ramp([(0, 0), (1, 1000), (1, 200), (3, 900)]),
    Ramp.between(500, 100, 2.0, poisson=True),
    Recorded([0.5, 0.1, 0.1], repeat=True),
]


def first(arrivals: Arrivals, count: int, seed: int = 0) -> NDArray[np.int64]:
    chunks, size = [], 0
    for chunk in arrivals.offsets(seed):
        chunks.append(chunk)
        size += len(chunk)
        if size >= count:
            break
    return np.concatenate(chunks)[:count]


@pytest.mark.parametrize("arrivals", SCHEDULES, ids=str)
def test_arrivals_are_whole_nanoseconds_that_never_fall_in_chunks(arrivals: Arrivals) -> None:
    offsets = first(arrivals, 5000)
    assert offsets.dtype == np.int64
    assert offsets[0] >= 0
    assert (np.diff(offsets) >= 0).all()
    assert all(0 < len(c) <= 10_000 for c in itertools.islice(arrivals.offsets(0), 3))


@pytest.mark.parametrize("arrivals", SCHEDULES, ids=str)
def test_a_seed_is_a_schedule(arrivals: Arrivals) -> None:
    random = isinstance(arrivals, Poisson | Gamma) or arrivals.describe().get("poisson", False)
    same = np.array_equal(first(arrivals, 2000, seed=1), first(arrivals, 2000, seed=2))
    assert np.array_equal(first(arrivals, 2000, seed=1), first(arrivals, 2000, seed=1))
    assert same is not random


def test_constant_arrivals_are_counted_exactly() -> None:
    """In ten minutes at 4,999.7/s; each is within its own rounding of its time."""
    offsets = first(Constant(4999.7), 3_000_000)
    assert int((offsets < 600 * 10**9).sum()) == 2_999_820
    assert offsets[0] == 0
    assert abs(int(offsets[-1]) - 2_999_999 * 10**10 // 49_997) <= 1


# With fixed seeds; p below 0.001 would come once in a thousand seeds.
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("arrivals", "exact"),
    [
        (Poisson(500.0), stats.expon(scale=2e6)),
        (Gamma(500.0, 0.5), stats.gamma(0.5, scale=4e6)),
        (Gamma(500.0, 4.0), stats.gamma(4.0, scale=0.5e6)),
        (Gamma(500.0, 1.0), stats.expon(scale=2e6)),
    ],
    ids=["Poisson", "bursts", "even", "gamma of shape 1"],
)
def test_gaps_have_their_distribution(arrivals: Arrivals, exact: Any, seed: int) -> None:
    gaps = np.diff(first(arrivals, 20_000, seed), prepend=0)
    assert stats.kstest(gaps, exact.cdf).pvalue > 0.001
    # Gaps that follow each other are independent.
    assert abs(np.corrcoef(gaps[:-1], gaps[1:])[0, 1]) < 4 / np.sqrt(len(gaps))


def test_counts_of_a_poisson_process_are_poisson() -> None:
    counts = np.bincount(first(Poisson(500.0), 50_000, 7) // 10**8)[:-1]
    observed = np.bincount(np.clip(counts, 40, 60) - 40, minlength=21)
    exact = stats.poisson(50)
    shares = np.array([exact.cdf(40), *exact.pmf(np.arange(41, 60)), exact.sf(59)])
    assert stats.chisquare(observed, shares * len(counts)).pvalue > 0.001


RAMPS = st.lists(
    st.tuples(st.floats(0.0, 20.0), st.floats(0.0, 2000.0)), min_size=1, max_size=5
).map(lambda steps: [(0.0, 10.0), *[(float(at), rate) for at, rate in sorted(steps)], (20.0, 50.0)])


@settings(max_examples=60, deadline=None)
@given(RAMPS)
def test_a_ramp_has_as_many_arrivals_as_its_rate_integrates_to(
    points: list[tuple[float, float]],
) -> None:
    """By numpy's trapezoids, which are exact for what is linear in parts; also past the end."""
    times, rates = np.array(points).T
    offsets = first(Ramp(points), 45_000) / 1e9
    for until in (*times.tolist(), 1.7, 13.3, 25.0):
        knots = np.append(times[times < until], until)
        at_knots = np.append(rates[times < until], np.nan)
        after = np.searchsorted(times, until, side="left")
        if after == len(times):
            at_knots[-1] = rates[-1]
        elif times[after] == until:
            at_knots[-1] = rates[after]
        else:
            at_knots[-1] = np.interp(
                until, times[after - 1 : after + 1], rates[after - 1 : after + 1]
            )
        integral = float(np.trapezoid(at_knots, knots))
        # Arrival k comes where the integral is k, and number 0 at once.
        assert abs(int((offsets < until).sum()) - integral) <= 1 + 1e-6


def test_a_poisson_ramp_is_a_poisson_process_in_its_own_time() -> None:
    ramp = Ramp.between(100.0, 900.0, 20.0, poisson=True)
    seconds = first(ramp, 9_000, 5) / 1e9
    counts = 100 * seconds + 20 * seconds**2
    assert seconds[-1] < 20
    assert stats.kstest(np.diff(counts, prepend=0), stats.expon().cdf).pvalue > 0.001


def test_a_ramp_holds_its_last_rate() -> None:
    offsets = first(Ramp.between(0.0, 100.0, 2.0), 400)
    assert np.allclose(np.diff(offsets[offsets > 2 * 10**9]), 10**7, atol=2)
    assert Ramp.between(0.0, 100.0, 2.0).rate == 50


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 7), max_size=12), st.integers(1, 9))
def test_shares_are_a_partition(sizes: list[int], of: int) -> None:
    """Arrival i belongs to process i modulo their number, whatever the chunks."""
    bounds = np.cumsum([0, *sizes])

    def chunks() -> Iterator[NDArray[np.int64]]:
        for start, end in itertools.pairwise(bounds.tolist()):
            yield np.arange(start, end)

    for number in range(of):
        mine = [index for chunk in every(chunks(), of, number) for index in chunk.tolist()]
        assert mine == list(range(number, int(bounds[-1]), of))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Constant(0),
        lambda: Poisson(float("nan")),
        lambda: Gamma(10, 0),
        lambda: Ramp([]),
        lambda: Ramp([(1, 5)]),
        lambda: Ramp([(0, 5), (3, 1), (2, 5)]),
        lambda: Ramp([(0, 5), (3, 0)]),
        lambda: Ramp([(0, -5), (3, 1)]),
        lambda: Recorded([]),
        lambda: Recorded([-0.1]),
        lambda: Recorded([1.7e9, 1.7e9 + 1]),
        lambda: Recorded([0.0], repeat=True),
    ],
)
def test_what_is_no_schedule_is_refused(make: Any) -> None:
    with pytest.raises(ConfigError):
        make()
