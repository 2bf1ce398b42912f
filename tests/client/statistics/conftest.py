"""What a simulation's count of errors may be, and streams to simulate with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

RUNS, STEPS = 500, 2000


@pytest.fixture
def most() -> Callable[[int, float], int]:
    """
    The errors that so many runs may show at an error rate: its binomial's 99.99 % quantile.

    A true rate at the bound fails one simulation of 10,000; with the fixed seed it
    either does or does not.
    """
    return lambda runs, rate: int(binom.ppf(0.9999, runs, rate))


@pytest.fixture
def least() -> Callable[[int, float], int]:
    """The successes that so many runs must show at a rate: its binomial's 0.01 % quantile."""
    return lambda runs, rate: int(binom.ppf(0.0001, runs, rate))


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> np.random.Generator:
    """Seeded by the test's own name, so that no test's draws depend on another."""
    return np.random.default_rng([*request.node.name.encode()])


@pytest.fixture
def steps() -> NDArray[np.int64]:
    """The sizes at which a simulated stream is looked at: every one."""
    return np.arange(1, STEPS + 1)
