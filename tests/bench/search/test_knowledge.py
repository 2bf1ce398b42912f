from __future__ import annotations

import numpy as np
import pytest
from tests.bench.search.landscape import measured

from tritonkit.bench.load.shape import Closed
from tritonkit.bench.measurement import Point
from tritonkit.bench.search.judgement import Estimate
from tritonkit.bench.search.knowledge import Knowledge, run_to_run
from tritonkit.bench.search.objective import Objective

PLACES = np.array([[0.0], [0.5], [1.0]])


def test_what_runs_differ_by_is_seen_in_those_of_one_candidate() -> None:
    """
    200 candidates of 2 runs each: 10 % between runs beyond 3 % within them.

    The estimator's own standard deviation is about a twentieth of it, so 20 % is four.
    """
    rng = np.random.default_rng(0)
    runs = [
        [Estimate(level + 0.1 * a + 0.03 * b, 0.03) for a, b in rng.standard_normal((2, 2))]
        for level in rng.standard_normal(200)
    ]
    assert run_to_run(runs) == pytest.approx(0.1, rel=0.2)


def test_runs_that_agree_show_nothing_between_them() -> None:
    assert run_to_run([[Estimate(1.0, 0.1), Estimate(1.01, 0.1)], [Estimate(5.0, 0.1)]]) == 0.0
    assert run_to_run([[Estimate(1.0, 0.1)]]) == 0.0


def test_runs_that_contradict_each_other_make_less_sure() -> None:
    """Not surer, as two runs that agree do."""
    spreads = []
    for second in (100.0, 150.0):
        known = Knowledge(Objective())
        for rate in (100.0, second):
            run = measured(Point(load=Closed(1)), rate=rate, percentiles={50.0: 0.01})
            known.add(0, run, 5.0)
        beliefs = known.beliefs(PLACES, None)
        assert beliefs is not None
        spreads.append(float(beliefs[0].spread[0]))
    assert spreads[1] > 2 * spreads[0]


def test_the_longest_is_by_what_was_asked_for() -> None:
    """A longer run whose warm-up was cut off still is the one that counts."""
    known = Knowledge(Objective())
    point = Point(load=Closed(1))
    known.add(0, measured(point, rate=1.0, percentiles={50.0: 0.01}, seconds=5.0), 5.0)
    verified = measured(point, rate=2.0, percentiles={50.0: 0.01}, seconds=4.5)
    known.add(0, verified, 10.0)
    assert known.seen[0].longest is verified
