from __future__ import annotations

import numpy as np
import pytest

from tritonkit.bench.search.batcher import (
    Batching,
    ServiceTimes,
    simulate_closed,
    simulate_open,
)
from tritonkit.errors import ConfigError


def times(
    count: int, *, fixed: float = 1e-3, row: float = 0.0, noise: float = 1e-9, turn: float = 0.0
) -> ServiceTimes:
    one = np.ones(count)
    return ServiceTimes(fixed * one, row * one, 0.0 * one, turn * one, 0.0 * one, noise * one)


def test_a_queue_of_fixed_service_times_waits_as_theory_says() -> None:
    """
    M/D/1: the mean time in the system is s * (1 + r / (2 (1 - r))), Pollaczek and Khinchine.

    8,000 requests, correlated over about 1 / (1 - r)^2 of them: at r = 0.7 that is
    about 700 independent ones, so 2 sigma are about 8 % of a queue of 1.2 s.
    """
    rates = [0.3, 0.5, 0.7]
    one = Batching(max_batch=1)
    outcome = simulate_open([one] * 3, rates, times(3, fixed=1.0), percentiles=[50], requests=8000)
    expected = [1 + r / (2 * (1 - r)) for r in rates]
    np.testing.assert_allclose(outcome.mean, expected, rtol=0.1)


def test_requests_in_flight_are_rate_times_latency() -> None:
    """Little's law holds exactly but for what is in flight at the edges: 1 in 320 batches."""
    batching = [
        Batching(max_batch=size, delay=delay, instances=instances)
        for size in (1, 8, 32)
        for delay in (None, 0.0, 1e-3, 5e-3)
        for instances in (1, 2, 3)
    ]
    callers = [24] * len(batching)
    outcome = simulate_closed(
        batching, callers, times(len(batching), row=1e-4, noise=0.2, turn=2e-4), percentiles=[50]
    )
    np.testing.assert_allclose(outcome.rate * outcome.mean, 24, rtol=0.02)


def test_a_window_waits_for_its_end_unless_a_preferred_size_is_met() -> None:
    """Four callers and a window of 5 ms: 6 ms each without a preferred size, 1 ms with 4."""
    waits = Batching(max_batch=32, delay=5e-3)
    meets = Batching(max_batch=32, delay=5e-3, preferred=(4,))
    full = Batching(max_batch=4, delay=5e-3)
    odd = Batching(max_batch=32, delay=5e-3, preferred=(3,), rows=2)
    outcome = simulate_closed([waits, meets, full, odd], [4] * 4, times(4), percentiles=[50])
    np.testing.assert_allclose(outcome.percentiles[0], [6e-3, 1e-3, 1e-3, 6e-3], rtol=0.03)
    np.testing.assert_allclose(outcome.batch, [4, 4, 4, 8], rtol=0.01)


def test_requests_gather_while_the_instance_is_busy() -> None:
    """Without a window a batch is what came during the last one, up to the largest."""
    batching = [Batching(max_batch=size) for size in (1, 4, 64)]
    outcome = simulate_closed(batching, [16] * 3, times(3), percentiles=[50])
    np.testing.assert_allclose(outcome.rate, [1000, 4000, 16000], rtol=0.02)


def test_more_instances_serve_more_until_they_share_their_cores() -> None:
    one, four = Batching(), Batching(instances=4)
    shared = times(3)
    shared.contention[2] = 1.0
    outcome = simulate_closed([one, four, four], [8] * 3, shared, percentiles=[50])
    np.testing.assert_allclose(outcome.rate, [1000, 4000, 1000], rtol=0.05)


@pytest.mark.parametrize(
    "wrong", [{"max_batch": 0}, {"delay": -1.0}, {"instances": 0}, {"rows": 0}]
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Batching(**wrong)  # type: ignore[arg-type]
