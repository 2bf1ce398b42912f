"""Each route has a part of the time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.client.layers.tiers.allotment import allotted

TIMEOUTS = st.lists(st.none() | st.floats(0.001, 10), min_size=1, max_size=5)


@given(remaining=st.floats(0.001, 100), timeouts=TIMEOUTS)
def test_every_route_has_a_chance_and_none_more_than_is_left(
    remaining: float, timeouts: list[float | None]
) -> None:
    """Routes that use up their share leave time for each that follows."""
    left = remaining
    for position in range(len(timeouts)):
        share = allotted(left, timeouts[position:])
        assert 0 < share <= left * (1 + 1e-9)
        timeout = timeouts[position]
        assert timeout is None or share <= timeout * (1 + 1e-9)
        left = max(left - share, 1e-12)
        if position < len(timeouts) - 1:
            assert left > 1e-12


@pytest.mark.parametrize(
    ("remaining", "timeouts", "share"),
    [
        (0.2, [0.08, None], 0.08),
        (0.09, [0.08, 0.01], 0.08),
        (0.045, [0.08, 0.01], 0.04),
        (0.1, [None, None], 0.05),
        (0.1, [None, 0.02], 0.08),
        (0.1, [None], 0.1),
        (0.1, [None, 0.1], 1 / 30),
        (0.1, [0.0, None], 0.0),
        (0.1, [0.0, 0.0], 0.0),
    ],
)
def test_shares(remaining: float, timeouts: list[float | None], share: float) -> None:
    """Timeouts as they are where they fit, cut by one factor where not."""
    assert allotted(remaining, timeouts) == pytest.approx(share)
