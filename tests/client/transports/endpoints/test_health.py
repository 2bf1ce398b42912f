"""When something is left out, against a model of it, and for how long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tritonkit.client.transports.endpoints.health import Health, HealthPolicy


def test_failures_in_a_row_suffice() -> None:
    """One success between them begins the row anew."""
    health = Health(HealthPolicy(failures=3, min_calls=100))
    outs = []
    for failed in (True, True, False, True, True, True):
        if failed:
            outs.append(health.failed(0.0))
        else:
            health.succeeded(0.0)
    assert outs == [False, False, False, False, True]


def test_a_rate_suffices_within_a_window() -> None:
    """Half of four calls; the same in two windows is no rate."""
    policy = HealthPolicy(failures=100, failure_rate=0.5, min_calls=4, window=10.0)
    one, two = Health(policy), Health(policy)
    for health, pause in ((one, 1.0), (two, 6.0)):
        health.succeeded(0.0)
        health.failed(0.0)
        health.succeeded(pause)
        health.failed(2 * pause)
    assert (one.out, two.out) == (True, False)


def test_thresholds_of_zero_are_met_by_the_first_failure() -> None:
    """And by no success."""
    for policy in (
        HealthPolicy(failures=0),
        HealthPolicy(failures=9, failure_rate=0.0, min_calls=0),
    ):
        health = Health(policy)
        health.succeeded(0.0)
        assert not health.out
        assert health.failed(0.0)


def test_comes_back_after_its_time_and_by_a_probe() -> None:
    """Neither alone suffices."""
    health = Health(HealthPolicy(ejection=2.0, probe_interval=0.5))
    health.eject(10.0)
    assert not health.probe_due(11.9)
    health.probed(True, 11.9)
    assert health.out
    assert health.probe_due(12.0)
    assert not health.probe_due(12.4)
    health.probed(False, 12.4)
    assert health.out
    assert health.probe_due(12.5)
    assert health.probed(True, 12.6)
    assert not health.out


@given(
    base=st.floats(0, 100),
    cap=st.floats(0, 1000),
    pauses=st.lists(st.floats(0, 1e4), min_size=1, max_size=30),
)
def test_ejections_grow_and_are_capped(base: float, cap: float, pauses: list[float]) -> None:
    """Soon after each other each is twice as long; never over the cap, never under the first."""
    cap = max(base, cap)
    health = Health(HealthPolicy(ejection=base, max_ejection=cap))
    now = 0.0
    for pause in pauses:
        before = health.period if health.ejections else None
        now += pause
        health.eject(now)
        assert min(base, cap) <= health.period <= cap
        if before is not None and pause < 0.99 * before:
            assert health.period == min(2 * before, cap)
        assert health.until == now + health.period
        now = health.until
        assert health.probed(True, now)


def test_keeping_well_shortens_the_next_one() -> None:
    """A period in peace takes one doubling back."""
    health = Health(HealthPolicy(ejection=1.0))
    now = 0.0
    for _ in range(4):
        health.eject(now)
        now = health.until
        health.probed(True, now)
    assert health.period == 8.0
    health.eject(now + 2 * 8.0)
    assert health.period == 4.0
