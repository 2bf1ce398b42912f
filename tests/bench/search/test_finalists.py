from __future__ import annotations

import numpy as np
import pytest

from tritonkit.bench.search.finalists import beside, in_turn
from tritonkit.bench.search.judgement import Estimate
from tritonkit.bench.search.knowledge import Seen, likely_noise
from tritonkit.bench.search.neighbours import Neighbours
from tritonkit.bench.search.surrogate import Belief

GRID = [(callers, delay) for callers in (1.0, 4.0, 16.0) for delay in (0.0, 1.0, 2.0)]


def belief(mean: list[float], noise: float = 0.01) -> Belief:
    return Belief(np.array(mean), 1e-6 * np.eye(len(mean)), noise)


def seen(*gains: float) -> Seen:
    return Seen(gains=[Estimate(gain, 0.01) for gain in gains], count=len(gains))


def test_a_step_changes_one_factor_to_the_next() -> None:
    near = Neighbours(GRID)
    assert sorted(GRID[i] for i in near.of(GRID.index((4.0, 0.0)))) == [
        (1.0, 0.0),
        (4.0, 1.0),
        (16.0, 0.0),
    ]


def test_a_text_is_one_step_from_every_other() -> None:
    near = Neighbours([("a",), ("b",), ("c",)])
    assert sorted(near.of(0)) == [1, 2]


def test_of_the_neighbours_those_are_looked_at_that_may_be_as_good() -> None:
    """The second keeps no target, the third is far behind, the last was measured."""
    gain, margin = belief([1.0, 1.1, 0.7, 0.9, 1.2]), belief([1.0, -1.0, 1.0, 1.0, 1.0])
    known = {0: seen(1.0), 4: seen(1.2)}
    assert beside(0, [1, 2, 3, 4], known, gain, margin) == 3
    assert beside(0, [1, 2, 4], known, gain, margin) is None


@pytest.mark.parametrize(
    ("noise", "own", "other", "next_one"),
    [
        # A single run is never enough.
        (0.01, (1.0, 1.0), (0.95,), 1),
        # Two that agree, 5 % apart: the runs say it.
        (0.01, (1.0, 1.0), (0.95, 0.95), None),
        # The same under a noise of 10 %: they do not.
        (0.1, (1.0, 1.0), (0.95, 0.95), 1),
        # The best is measured where it was less.
        (0.1, (1.0,), (0.95, 0.95), 0),
        # Far behind: no finalist.
        (0.1, (1.0,), (0.5,), None),
    ],
)
def test_finalists_are_measured_in_turn_until_their_runs_tell(
    noise: float, own: tuple[float, ...], other: tuple[float, ...], next_one: int | None
) -> None:
    gain, margin = belief([own[0], other[0]], noise), belief([1.0, 1.0])
    known = {0: seen(*own), 1: seen(*other)}
    found = in_turn(0, lambda _: True, known, gain, margin, confidence=0.9, tolerance=0.02)
    assert found == next_one


def test_noise_is_what_is_usual_until_runs_tell() -> None:
    """And more than what two runs that happen to agree show."""
    once = [[Estimate(1.0, 0.01)]]
    assert likely_noise(once, 0.06) == pytest.approx(0.06)
    agree = likely_noise([[Estimate(1.0, 0.01)] * 2], 0.06)
    assert 0.03 < agree < 0.06
    differ = likely_noise([[Estimate(1.0, 0.01), Estimate(1.5, 0.01)]], 0.06)
    assert differ > 0.15
