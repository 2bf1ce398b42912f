"""A threshold that holds an agreement, with a confidence (E28)."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tritonkit.client.layers.tiers.calibration import calibrate, samples_needed, upper_bound
from tritonkit.errors import ConfigError


def tail(failures: int, trials: int, probability: float) -> float:
    """P(Binomial <= failures), from the definition."""
    return sum(
        comb(trials, count) * probability**count * (1 - probability) ** (trials - count)
        for count in range(failures + 1)
    )


@pytest.mark.parametrize(
    ("failures", "trials", "confidence", "bound"),
    [
        (0, 299, 0.95, 1 - 0.05 ** (1 / 299)),
        (0, 10, 0.95, 1 - 0.05 ** (1 / 10)),
        # The 95th percentile of Beta(4, 97).
        (3, 100, 0.95, 0.0757072),
        (10, 10, 0.95, 1.0),
        (0, 0, 0.95, 1.0),
    ],
)
def test_clopper_and_pearson(failures: int, trials: int, confidence: float, bound: float) -> None:
    assert upper_bound(failures, trials, confidence) == pytest.approx(bound, rel=1e-4)


@given(trials=st.integers(1, 60), share=st.floats(0, 1), confidence=st.floats(0.5, 0.999))
@settings(max_examples=80, deadline=None)
def test_the_bound_is_where_the_tail_is_what_is_left(
    trials: int, share: float, confidence: float
) -> None:
    failures = int(share * (trials - 1))
    bound = upper_bound(failures, trials, confidence)
    assert tail(failures, trials, bound) == pytest.approx(1 - confidence, abs=1e-9)


def test_large_numbers() -> None:
    assert upper_bound(1000, 100_000, 0.95) == pytest.approx(0.01 + 1.645 * 0.000315, rel=0.01)


def draw(rng: np.random.Generator, count: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores u in [0, 1]; the models differ with probability 0.3 * (1 - u)."""
    scores = rng.random(count)
    return scores, rng.random(count) >= 0.3 * (1 - scores)


def risk(threshold: float) -> float:
    """The share of rows above *threshold* that differ, over all rows: the integral of the above."""
    left = min(1.0, max(0.0, threshold))
    return 0.15 * (1 - left) ** 2


@pytest.mark.parametrize(("agreement", "confidence"), [(0.98, 0.95), (0.95, 0.9), (0.99, 0.8)])
def test_the_agreement_holds_as_often_as_it_says(agreement: float, confidence: float) -> None:
    """
    Over 400 calibrations, the true risk exceeds what was asked for no more often than the
    confidence allows: up to the 99.9 % quantile of its binomial.
    """
    runs = 400
    broken = shares = 0.0
    for seed in range(runs):
        found = calibrate(
            *draw(np.random.default_rng(seed), 1000), agreement=agreement, confidence=confidence
        )
        assert found.threshold is not None
        broken += risk(found.threshold) > 1 - agreement
        shares += found.share
    allowed = next(count for count in range(runs) if tail(count, runs, 1 - confidence) >= 0.999)
    assert broken <= allowed
    # And it is not bought by sending everything on.
    ideal = 1 - ((1 - agreement) / 0.15) ** 0.5
    assert ideal <= shares / runs <= ideal + 0.2


def test_the_risk_on_held_out_rows() -> None:
    """The threshold of one draw, on another: within the bound."""
    found = calibrate(*draw(np.random.default_rng(1), 2000), agreement=0.98)
    assert found.threshold is not None
    scores, agreeing = draw(np.random.default_rng(2), 200_000)
    assert ((scores >= found.threshold) & ~agreeing).mean() <= 0.02
    assert found.bound <= 0.02


@given(
    scores=st.lists(
        st.sampled_from([0.1, 0.5, 0.7, 0.9, 0.99, float("nan")]) | st.floats(0, 1),
        min_size=60,
        max_size=120,
    ),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_the_lowest_threshold_that_holds(scores: list[float], data: st.DataObject) -> None:
    """Against a search of every threshold from the highest down."""
    agreeing = data.draw(
        st.lists(st.booleans() | st.just(True), min_size=len(scores), max_size=len(scores))
    )
    s, a = np.array(scores), np.array(agreeing)
    found = calibrate(s, a, agreement=0.9, confidence=0.9)
    least = len(s)
    for threshold in sorted({score for score in scores if score == score}, reverse=True):
        kept = s >= threshold
        if upper_bound(int((kept & ~a).sum()), len(s), 0.9) > 0.1:
            break
        least = len(s) - int(kept.sum())
    if found.threshold is None:
        assert least == len(s)
        assert found.reason
        return
    kept = s >= found.threshold
    assert found.escalated == least == len(s) - int(kept.sum())
    assert found.differing == int((kept & ~a).sum())
    assert found.bound == upper_bound(found.differing, len(s), 0.9) <= 0.1


@pytest.mark.parametrize(
    ("agreement", "confidence", "needed"), [(0.99, 0.95, 299), (0.95, 0.95, 59), (0, 0.95, 1)]
)
def test_how_many_samples_it_takes(agreement: float, confidence: float, needed: int) -> None:
    assert samples_needed(agreement, confidence) == needed
    options = {"agreement": agreement, "confidence": confidence}
    enough = calibrate(np.ones(needed), np.ones(needed, np.bool_), **options)
    assert (enough.threshold, enough.share) == (0.0, 0.0)
    few = calibrate(np.ones(needed - 1), np.ones(needed - 1, np.bool_), **options)
    assert few.threshold is None
    assert few.needed == needed


def test_too_few_samples_say_how_many_would_do() -> None:
    found = calibrate(np.ones(50), np.ones(50, np.bool_), agreement=0.99)
    assert "50 samples are too few" in found.reason
    assert "at least 299" in found.reason


def test_a_fast_model_that_is_surely_wrong() -> None:
    scores = np.linspace(0, 1, 400)
    found = calibrate(scores, scores < 0.9, agreement=0.99)
    assert found.threshold is None
    assert "only sending every row on" in found.reason


@pytest.mark.parametrize(
    "options", [{"agreement": 1.0}, {"agreement": -0.1}, {"agreement": 0.9, "confidence": 1.0}]
)
def test_what_cannot_be_asked(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        calibrate(np.ones(3), np.ones(3, np.bool_), **options)
