from __future__ import annotations

import itertools
import math

import pytest
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


@pytest.mark.parametrize(
    ("seconds", "step", "rows"),
    [(60, 1, 60), (3600, 15, 240), (86400, 360, 240), (7 * 86400, 2520, 1680)],
)
def test_the_usual_views(seconds, step, rows):
    """A minute and an hour on a page, a day and a week, of no more rows than are read at once."""
    assert step_for(seconds, 240) == step
    assert seconds / level_for(step).seconds == rows


def test_a_level_is_made_of_those_before():
    """So a step ends where theirs do."""
    for finer, coarser in itertools.pairwise(LEVELS):
        assert coarser.seconds % finer.seconds == 0
