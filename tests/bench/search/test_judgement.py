from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tritonkit.bench.search.judgement import share_below, tail_spread


@pytest.mark.parametrize(
    ("hits", "count", "limit"), [(0, 300, 0.01), (3, 900, 0.01), (40, 900, 0.03)]
)
def test_share_below_is_the_posterior_of_a_rate(hits: int, count: int, limit: float) -> None:
    """Jeffreys' posterior of a small share is a beta; a cube root is within 0.02 of it."""
    exact = stats.beta.cdf(limit, hits + 0.5, count - hits + 0.5)
    assert share_below(limit, hits, count) == pytest.approx(exact, abs=0.02)


def test_tail_spread_is_that_of_exponential_latencies() -> None:
    """
    The spread of ln p99 of 2,000 values, over 1,000 samples.

    The sample's own standard deviation is known to 1/sqrt(2 * 1000), 2.2 %; the
    formula is the first order only, so 10 % are allowed.
    """
    values = np.random.default_rng(1).exponential(size=(1000, 2000))
    simulated = np.log(np.percentile(values, 99, axis=1)).std()
    assert tail_spread(0.99, 2000) == pytest.approx(simulated, rel=0.1)
