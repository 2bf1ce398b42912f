"""Arms with other units than their weights promise (E36)."""

from __future__ import annotations

from collections.abc import Callable
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import gammaln

from tritonkit.client.statistics.sample_ratio import (
    CONCENTRATION,
    sample_ratio,
    sample_ratio_evidence,
    sample_ratios,
)
from tritonkit.errors import ConfigError

Bound = Callable[[int, float], int]
RUNS = 400


def test_evidence_is_that_of_the_predictions() -> None:
    """Unit by unit: what the mixture gave the arm of each, over its weight."""
    weights, order = np.array([0.2, 0.3, 0.5]), [0, 2, 2, 1, 0, 0, 2]
    counts, expected = np.zeros(3), 0.0
    for arm in order:
        predicted = (CONCENTRATION * weights + counts) / (CONCENTRATION + counts.sum())
        expected += log(predicted[arm] / weights[arm])
        counts[arm] += 1
    assert sample_ratio_evidence(counts, weights) == pytest.approx(expected, abs=1e-9)


@given(
    counts=st.lists(st.integers(0, 10**6), min_size=2, max_size=6),
    weights=st.lists(st.integers(1, 100), min_size=6, max_size=6),
    place=st.integers(0, 6),
    stray=st.integers(0, 1000),
)
def test_an_arm_of_weight_zero_alters_nothing(
    counts: list[int], weights: list[int], place: int, stray: int
) -> None:
    """Wherever it stands, and whatever units came to it."""
    kept = weights[: len(counts)]
    expected = sample_ratio_evidence(counts, kept)
    with_zero = [*counts[:place], stray, *counts[place:]], [*kept[:place], 0, *kept[place:]]
    assert sample_ratio_evidence(*with_zero) == pytest.approx(expected, abs=1e-6)
    share = np.array(kept) / sum(kept)
    prior = CONCENTRATION * share
    mixed = (gammaln(prior + counts) - gammaln(prior)).sum() + gammaln(CONCENTRATION)
    by_scipy = mixed - gammaln(CONCENTRATION + sum(counts)) - (counts * np.log(share)).sum()
    assert expected == pytest.approx(by_scipy, abs=1e-5)


@pytest.mark.parametrize("weights", [(1, 1), (0.9, 0.1), (5, 3, 0, 2)])
def test_right_splits_are_seldom_called_wrong(
    weights: tuple[float, ...], chance: np.random.Generator, most: Bound
) -> None:
    """400 right splits, looked at after each of 2,000 units, at alpha 0.05."""
    share = np.array(weights) / sum(weights)
    arms = chance.choice(len(weights), (RUNS, 2000), p=share)
    counts = np.cumsum(arms[..., None] == np.arange(len(weights)), axis=1)
    errors = (sample_ratios(counts, weights) >= log(20)).any(axis=1).sum()
    assert errors <= most(RUNS, 0.05)


def found_after(chance: np.random.Generator, share: float, units: int) -> np.ndarray:
    """At how many units each of 100 splits is called wrong, *units* + 1 if never."""
    first = np.cumsum(chance.random((100, units)) < share, axis=1)
    counts = np.stack([first, np.arange(1, units + 1) - first], axis=-1)
    called = sample_ratios(counts, (1, 1)) >= log(1000)
    return np.where(called.any(axis=1), called.argmax(axis=1) + 1, units + 1)


def test_forty_eight_to_fifty_two_is_found(chance: np.random.Generator, least: Bound) -> None:
    """At alpha 0.001, nine of ten within 18,000 units; the median is near 10,000."""
    after = found_after(chance, 0.48, 18_000)
    assert (after <= 18_000).sum() >= least(100, 0.9)
    assert np.median(after) <= 12_000


def test_exposures_lost_in_one_arm_are_found(chance: np.random.Generator, least: Bound) -> None:
    """One in five of an arm's lost: 0.444 of what is left; nine of ten by 4,000 units."""
    share = 0.8 / 1.8
    after = found_after(chance, share, 4000)
    assert (after <= 4000).sum() >= least(100, 0.9)


def test_a_result_has_a_p_value_for_every_look() -> None:
    right, wrong = sample_ratio([5000, 5000], [1, 1]), sample_ratio([4600, 5400], [1, 1])
    assert right.p == 1.0
    assert not right.mismatch
    assert wrong.mismatch
    assert wrong.p == pytest.approx(np.exp(-wrong.evidence))
    assert sample_ratio_evidence([123], [1]) == pytest.approx(0.0, abs=1e-9)
    assert sample_ratio_evidence([0, 0], [1, 1]) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("counts", "weights", "message"),
    [
        ([1, 2], [1], "one entry"),
        ([1, -2], [1, 1], "counts"),
        ([1, np.inf], [1, 1], "counts"),
        ([1, 2], [0, 0], "nor all 0"),
    ],
)
def test_impossible_arguments(counts: list[float], weights: list[int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        sample_ratio_evidence(counts, weights)
