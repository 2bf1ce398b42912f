"""The mean of bounded values, at every look and for few of them (E37)."""

from __future__ import annotations

from collections.abc import Callable
from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tritonkit.client.statistics.bounded import bounded_evidence, bounded_sequence, log_capital
from tritonkit.errors import ConfigError

Bound = Callable[[int, float], int]
RUNS = 500
DRAWS: dict[str, tuple[float, Callable[[np.random.Generator], NDArray[np.float64]]]] = {
    "beta": (0.1, lambda chance: chance.beta(1, 9, (RUNS, 1000))),
    "rare": (0.01, lambda chance: (chance.random((RUNS, 1000)) < 0.01).astype(float)),
    "extremes": (0.5, lambda chance: chance.integers(0, 2, (RUNS, 1000)).astype(float)),
}


@pytest.mark.parametrize("kind", DRAWS)
def test_the_mean_is_inside_from_the_first_value_on(
    kind: str, chance: np.random.Generator, most: Bound
) -> None:
    """500 streams, looked at after each of 1,000 values."""
    mean, draw = DRAWS[kind]
    errors = (log_capital(draw(chance), mean) >= log(20)).any(axis=1).sum()
    assert errors <= most(RUNS, 0.05)


@given(values=st.lists(st.floats(0, 1), min_size=1, max_size=80))
@settings(max_examples=60, deadline=None)
def test_the_interval_is_what_no_gambler_has_won_against(values: list[float]) -> None:
    """Each mean of a grid is inside exactly where the evidence is less than log(20)."""
    found = bounded_sequence(values)
    assert 0 <= found.low <= found.estimate <= found.high <= 1
    for mean in np.linspace(0, 1, 23):
        clear = min(abs(mean - end) for end in (found.low, found.high, found.estimate)) > 1e-6
        if clear:
            rejected = bounded_evidence(values, float(mean)) >= log(20)
            assert rejected == found.excludes(float(mean))


def test_little_spread_is_made_use_of(chance: np.random.Generator) -> None:
    """Values of deviation 0.03: a tenth of what a bound that knows only the range would leave."""
    found = bounded_sequence(np.clip(chance.normal(0.5, 0.03, 400), 0, 1))
    hoeffding = 2 * np.sqrt(log(40) / (2 * 400))
    assert found.width < 0.25 * hoeffding
    assert not found.excludes(0.5)


def test_units_and_ends() -> None:
    scaled = bounded_sequence([20, 30, 40, 50] * 20, low=0, high=100)
    unit = bounded_sequence([0.2, 0.3, 0.4, 0.5] * 20)
    assert scaled.low == pytest.approx(100 * unit.low)
    assert scaled.high == pytest.approx(100 * unit.high)
    assert (bounded_sequence([]).low, bounded_sequence([]).high) == (0.0, 1.0)
    assert bounded_sequence([0.0] * 50).low == 0.0
    assert bounded_evidence([], 0.5) == 0.0
    with pytest.raises(ConfigError, match="values must be 0"):
        bounded_sequence([1.5])
    with pytest.raises(ConfigError, match="low must be below"):
        bounded_sequence([1.0], low=1.0)
    with pytest.raises(ConfigError, match="mean must be within"):
        bounded_evidence([0.5], 2.0)
