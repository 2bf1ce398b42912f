"""Sums of a window against a list of everything, and averages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.client.layers.recent import Recent
from tritonkit.client.layers.usual import MAX_KEYS, Usual

STEPS = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 1, 2, 7, 19, 20, 21, 500]), st.integers(0, 1), st.integers(1, 5)
    )
)


@given(steps=STEPS, window=st.sampled_from([10, 20]))
def test_sums_of_a_window(steps: list[tuple[int, int, int]], window: int) -> None:
    """What is younger than nine tenths of the window counts, what is older than it does not."""
    recent = Recent(window, 2)
    now, width = 1000, window // 10
    log: list[tuple[int, int, int]] = []
    for seconds, kind, amount in steps:
        now += seconds
        recent.add(now, kind, amount)
        log.append((now, kind, amount))
        expected = [
            sum(n for at, k, n in log if k == kind and at // width > now // width - 10)
            for kind in (0, 1)
        ]
        assert list(recent.sums(now)) == expected
    recent.clear()
    assert recent.sums(now) == (0, 0)


def test_a_moving_average() -> None:
    usual = Usual()
    assert usual.seconds("m") == 0.0
    usual.note("m", 1.0)
    assert usual.seconds("m") == 1.0
    usual.note("m", 2.0)
    assert usual.seconds("m") == pytest.approx(1.1)
    assert usual.seconds("n") == 0.0


def test_keys_without_end_are_forgotten() -> None:
    usual = Usual()
    for key in range(MAX_KEYS + 10):
        usual.note(key, 1.0)
    assert usual.seconds(9) == 0.0
    assert usual.seconds(10) == 1.0
