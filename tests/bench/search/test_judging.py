"""How a benchmark judges a search: by what, and whether luck decides."""

from __future__ import annotations

import importlib.util
import random
import statistics
import sys
from pathlib import Path
from typing import Any

PATH = Path(__file__).parents[3] / "benchmarks" / "judging.py"
SPEC = importlib.util.spec_from_file_location("judging", PATH)
assert SPEC is not None
assert SPEC.loader is not None
judging = importlib.util.module_from_spec(SPEC)
# Its dataclasses look up where they were defined.
sys.modules.setdefault("judging", judging)
SPEC.loader.exec_module(judging)

EQUALS, ROUNDS = 4, 9


def rounds(rng: random.Random, rate: float, noise: float) -> list[Any]:
    return [judging.Ran(rate * rng.lognormvariate(0, noise), 1.0) for _ in range(ROUNDS)]


def test_a_choice_as_good_as_the_best_is_not_beaten_by_their_luck() -> None:
    """
    Four equals under a noise of 10 %, 400 times: the mean share is near 100 %.

    A share has a standard deviation of about 5 %, so the mean of 400 one of 0.25 %. Beside
    the best of the same rounds the choice loses 4 % by chance alone.
    """
    rng = random.Random(1)
    shares, lucky = [], []
    for _ in range(400):
        choice, *others = (rounds(rng, 100.0, 0.1) for _ in range(EQUALS))
        shares.append(judging.judged(choice, others, 2.0).share)
        middle = [statistics.median(one.rate for one in own) for own in (choice, *others)]
        lucky.append(middle[0] / max(middle))
    assert abs(statistics.mean(shares) - 1) < 0.02
    assert statistics.mean(lucky) < 0.97


def test_what_is_worse_is_seen() -> None:
    rng = random.Random(2)
    judgement = judging.judged(rounds(rng, 90.0, 0.01), [rounds(rng, 100.0, 0.01)], 2.0)
    assert judgement.low <= judgement.share <= judgement.high
    assert abs(judgement.share - 0.9) < 0.02


def test_what_breaks_the_target_is_out() -> None:
    slow = [judging.Ran(500.0, 3.0)] * ROUNDS
    fine = [judging.Ran(100.0, 1.0)] * ROUNDS
    assert judging.judged(fine, [slow], 2.0).share == 1.0
    assert judging.judged(slow, [fine], 2.0).share == 0.0


def test_a_limit_lies_away_from_what_would_matter_under_it() -> None:
    """The slow point in the gap does not count; those that are fast do."""
    ran = [
        judging.Ran(100.0, 4.0),
        judging.Ran(10.0, 7.0),
        judging.Ran(130.0, 12.0),
        judging.Ran(150.0, 14.0),
    ]
    limit = judging.limit_between(ran, 3.0, 15.0)
    assert abs(limit - (4.0 * 12.0) ** 0.5) < 0.1
    assert judging.contenders(ran, limit) == [0, 2]
