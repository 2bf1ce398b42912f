"""A share of the rows, whatever the scores are."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tritonkit.client.layers.tiers.rate import Rate
from tritonkit.errors import ConfigError


@given(
    share=st.floats(0, 1),
    scores=st.lists(st.floats() | st.sampled_from([0.0, 1.0]), min_size=1, max_size=400),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_the_bound_holds_for_any_scores(share: float, scores: list[float], seed: int) -> None:
    """After n rows the share is off by (1 + STEP) / (STEP * n) at the most: for every prefix."""
    rate = Rate(share, rng=random.Random(seed))
    for score in scores:
        rate.choose([score])
        off = abs(rate.chosen / rate.seen - share)
        assert off <= (1 + Rate.STEP) / (Rate.STEP * rate.seen) + 1e-9


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("kind", ["uniform", "equal", "falling", "rising", "moved", "worst"])
def test_within_a_percentage_point(share: float, kind: str) -> None:
    """10,100 rows of any kind are enough (E28); here with 12,000."""
    rng = random.Random(7)
    count = 12_000
    scores = {
        "uniform": lambda n: rng.random(),
        "equal": lambda n: 0.5,
        "falling": lambda n: -float(n),
        "rising": lambda n: float(n),
        "moved": lambda n: rng.random() + (n > count / 2) * 5,
        "worst": lambda n: float("nan"),
    }[kind]
    rate = Rate(share, rng=random.Random(1))
    rate.choose(map(scores, range(count)))
    assert abs(rate.chosen / count - share) <= 0.01


def test_the_chosen_are_the_least_sure() -> None:
    """Once enough scores are known, what is far from the quantile falls on its side of it."""
    rng = random.Random(3)
    rate = Rate("20%", rng=random.Random(1))
    rate.choose(rng.random() for _ in range(3000))
    scores = [rng.random() for _ in range(2000)]
    chosen = rate.choose(scores)
    sure = [one for one, score in zip(chosen, scores, strict=True) if score > 0.4]
    unsure = [one for one, score in zip(chosen, scores, strict=True) if score < 0.05]
    assert not any(sure)
    assert all(unsure)


@pytest.mark.parametrize("share", [0, 1])
def test_none_and_all(share: int) -> None:
    rate = Rate(share)
    assert set(rate.choose([0.0, 1.0, float("nan"), float("-inf")])) == {bool(share)}


def test_a_share_is_a_share() -> None:
    with pytest.raises(ConfigError, match="share"):
        Rate(1.5)
