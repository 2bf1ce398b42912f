from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from tritonkit.gateway.live.levels import LEVELS, level_for, step_for


@given(st.floats(1, 7 * 86400), st.integers(1, 2000))
def test_steps_are_made_of_a_level(seconds, points):
    """No more points than were asked for, each of whole rows."""
    step = step_for(seconds, points)

    assert math.ceil(seconds / step) <= points
    assert step % level_for(step).seconds == 0
    assert seconds <= 300 or step >= 15


def test_the_usual_views():
    """A minute and an hour on a page, a day and a week."""
    assert step_for(60, 240) == 1
    assert step_for(3600, 240) == 15
    assert step_for(86400, 240) == 360
    assert step_for(7 * 86400, 240) == 2520
    assert [level.seconds for level in LEVELS] == [1, 15, 60]
