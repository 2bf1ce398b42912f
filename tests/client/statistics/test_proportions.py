"""Rates bounded at every look (E37, E40)."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import special

from tritonkit.client.statistics.proportions import (
    critical_above,
    critical_below,
    evidence_above,
    evidence_against,
    evidence_below,
    needed,
    proportion_lower,
    proportion_sequence,
    proportion_upper,
)
from tritonkit.client.statistics.special import log_beta, log_gamma
from tritonkit.errors import ConfigError

Bound = Callable[[int, float], int]
RUNS = 500


def by_scipy(successes: int, n: int, rate: float) -> float:
    """The mixture over the rates above, by the incomplete beta function."""
    a, b = successes + 0.5, n - successes + 0.5
    tail, mass = special.betaincc(a, b, rate), special.betaincc(0.5, 0.5, rate)
    likelihood = special.xlogy(successes, rate) + special.xlog1py(n - successes, -rate)
    return float(np.log(tail / mass) + special.betaln(a, b) - log(np.pi) - likelihood)


def test_gamma_and_beta_are_those_of_scipy() -> None:
    x = np.concatenate([np.logspace(-6, 9, 400), np.linspace(0.1, 30, 300)])
    np.testing.assert_allclose(log_gamma(x), special.gammaln(x), rtol=1e-13, atol=1e-12)
    a, b = np.logspace(-1, 3, 60)[:, None], np.logspace(-1, 3, 60)
    np.testing.assert_allclose(log_beta(a, b), special.betaln(a, b), rtol=1e-10, atol=1e-10)


@given(n=st.integers(1, 100_000), rate=st.floats(1e-4, 0.9), off=st.floats(-4, 4))
@settings(max_examples=100, deadline=None)
def test_evidence_of_one_side_is_that_of_scipy(n: int, rate: float, off: float) -> None:
    """Counts up to four standard errors off, where scipy's tail is not 0."""
    successes = int(np.clip(n * rate + off * np.sqrt(n * rate * (1 - rate)), 0, n))
    expected = by_scipy(successes, n, rate)
    assert evidence_above(successes, n, rate) == pytest.approx(expected, abs=1e-5)
    assert evidence_below(n - successes, n, 1 - rate) == pytest.approx(expected, abs=1e-5)


@given(n=st.integers(1, 10**9), share=st.floats(0, 1), alpha=st.floats(1e-6, 0.5))
@settings(max_examples=60, deadline=None)
def test_the_interval_is_what_the_evidence_does_not_reject(
    n: int, share: float, alpha: float
) -> None:
    successes = round(n * share)
    found = proportion_sequence(successes, n, alpha=alpha)
    assert 0 <= found.low <= found.estimate <= found.high <= 1
    for end, outwards in ((found.low, -1), (found.high, 1)):
        if 0 < end < 1:
            assert evidence_against(successes, n, end) == pytest.approx(log(1 / alpha), abs=1e-4)
            beyond = min(1.0, max(0.0, end + outwards * 1e-3))
            assert evidence_against(successes, n, beyond) >= log(1 / alpha) - 1e-4


@given(n=st.integers(0, 10**6), share=st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_a_bound_of_one_side_is_nearer_and_mirrored(n: int, share: float) -> None:
    successes = round(n * share)
    both = proportion_sequence(successes, n, alpha=0.05)
    upper = proportion_upper(successes, n, alpha=0.05)
    lower = proportion_lower(successes, n, alpha=0.05)
    assert both.low - 1e-12 <= lower <= upper <= both.high + 1e-12
    assert lower == 1 - proportion_upper(n - successes, n, alpha=0.05)


def test_a_billion_observations() -> None:
    """The ends are where the likelihood's normal approximation puts them."""
    n = 10**9
    found = proportion_sequence(n // 10, n, alpha=0.05)
    reach = np.sqrt(2 * 0.09 / n * log(np.sqrt(np.pi * n / 2) / 0.05))
    assert found.high - 0.1 == pytest.approx(reach, rel=1e-3)
    assert 0.1 - found.low == pytest.approx(reach, rel=1e-3)
    assert proportion_upper(0, n) == pytest.approx(3.788e-9, rel=1e-3)


def test_a_martingale_has_mean_one() -> None:
    """Summed over all counts under the hypothesis, each e-value's expectation is 1, at any n."""
    for n in (1, 7, 60):
        counts = np.arange(n + 1)
        weight = np.exp(
            special.gammaln(n + 1) - special.gammaln(counts + 1) - special.gammaln(n - counts + 1)
        ) * (0.2**counts * 0.8 ** (n - counts))
        for evidence in (evidence_against, evidence_above, evidence_below):
            mean = sum(
                w * exp(evidence(int(k), n, 0.2)) for k, w in zip(counts, weight, strict=True)
            )
            assert mean == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("rate", [0.01, 0.3])
def test_a_look_after_each_observation_errs_as_seldom_as_it_says(
    rate: float, chance: np.random.Generator, steps: NDArray[np.int64], most: Bound
) -> None:
    """
    500 streams of 2,000 observations at the very rate: one is ever rejected, from above,
    from below or from both sides, in no more than alpha of them.
    """
    counts = np.cumsum(chance.random((RUNS, len(steps))) < rate, axis=1)
    above = counts >= critical_above(steps, rate, alpha=0.05)
    below = counts <= critical_below(steps, rate, alpha=0.05)
    mixed = log_beta(counts + 0.5, steps - counts + 0.5) - log(np.pi)
    both = mixed - counts * log(rate) - (steps - counts) * log(1 - rate) >= log(20)
    for errors in (above, below, both):
        assert errors.any(axis=1).sum() <= most(RUNS, 0.05)


def test_critical_counts_are_the_first_that_reject(steps: NDArray[np.int64]) -> None:
    for n, above, below in zip(
        steps[::97],
        critical_above(steps, 0.03, alpha=0.01)[::97],
        critical_below(steps, 0.03, alpha=0.01)[::97],
        strict=True,
    ):
        assert above > n or evidence_above(above, n, 0.03) >= log(100)
        assert evidence_above(above - 1, n, 0.03) < log(100)
        assert below < 0 or evidence_below(below, n, 0.03) >= log(100)
        assert evidence_below(below + 1, n, 0.03) < log(100)


def test_a_verdict_comes_about_when_it_is_said_to(
    chance: np.random.Generator, steps: NDArray[np.int64]
) -> None:
    """
    At a rate of 0.03 against 0.01, `needed` of the true rate is within the middle
    half of the rows that 500 streams take.
    """
    whole = np.arange(1, 6001)
    counts = np.cumsum(chance.random((RUNS, len(whole))) < 0.03, axis=1)
    taken = (counts >= critical_above(whole, 0.01, alpha=0.05)).argmax(axis=1) + 1
    early, late = np.quantile(taken, (0.25, 0.75))
    expected = needed(0.3, 10, 0.01)
    assert expected is not None
    assert early <= 10 + expected <= late


def test_what_is_needed() -> None:
    """Nothing once decided; nobody knows at the very rate; with no row, what none wrong takes."""
    assert needed(0, 400, 0.01) == 0
    assert needed(1, 100, 0.01) is None
    first = needed(0, 0, 0.01)
    assert first is not None
    assert evidence_below(0, first, 0.01) >= log(20) > evidence_below(0, first - 1, 0.01)
    # The exact test of a size fixed beforehand takes 299.
    assert 299 < first < 400


def test_zero_and_one_are_rates() -> None:
    """One success refutes "never", nothing refutes "at least 0"."""
    assert evidence_above(1, 5, 0.0) == np.inf
    assert evidence_above(0, 5, 0.0) < 0
    assert evidence_below(0, 10**6, 0.0) == 0.0
    assert evidence_above(5, 5, 1.0) == 0.0
    assert evidence_below(4, 5, 1.0) == np.inf
    assert evidence_against(1, 5, 0.0) == np.inf
    assert needed(0, 5, 0.0) is None
    assert needed(1, 5, 0.0) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: proportion_sequence(3, 2), "successes=3 and n=2"),
        (lambda: proportion_sequence(1, 2, alpha=0.0), r"alpha=0\.0"),
        (lambda: evidence_above(1, 2, 1.5), r"rate=1\.5"),
        (lambda: proportion_upper(1, 2, alpha=0.5), r"alpha=0\.5"),
    ],
)
def test_impossible_arguments(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        call()
