"""Numbers that must not change unless a method does: what an interval says is a contract."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import numpy as np
import pytest

from tritonkit.client.statistics.bounded import bounded_sequence
from tritonkit.client.statistics.correlation import correlate
from tritonkit.client.statistics.cuped import CupedArm, cuped
from tritonkit.client.statistics.means import (
    difference_evidence,
    difference_sequence,
    mean_sequence,
    relative_sequence,
)
from tritonkit.client.statistics.moments import Comoments, Moments
from tritonkit.client.statistics.planning import plan_mean, plan_rate, plan_threshold
from tritonkit.client.statistics.proportions import (
    evidence_above,
    evidence_against,
    evidence_below,
    needed,
    proportion_lower,
    proportion_sequence,
    proportion_upper,
)
from tritonkit.client.statistics.quantiles import (
    quantile_difference,
    quantile_evidence,
    quantile_ranks,
)
from tritonkit.client.statistics.rates import Trials, rate_difference, rate_ratio
from tritonkit.client.statistics.sample_ratio import sample_ratio_evidence
from tritonkit.client.statistics.thompson import NormalPosterior, best_shares

WAVE = np.sin(np.arange(400.0)) + np.arange(400) % 7
"""Values without a generator, whose stream a new numpy may change."""

ARMS = Moments(5000, 1.1, 5000.0), Moments(6000, 1.0, 6000.0)
TRIALS = Trials(120, 1000), Trials(100, 1000)


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    past = [CupedArm(Comoments.of(WAVE[i:300], WAVE[i:300] ** 2 + i)) for i in (0, 100)]
    shown = correlate(WAVE[1:], WAVE[:-1], lags=(0, 1), resamples=200)
    return {
        "proportion": astuple(proportion_sequence(12, 400)),
        "proportion of one side": (proportion_lower(12, 400), proportion_upper(12, 400)),
        "evidence": (
            evidence_above(12, 400, 0.01),
            evidence_below(12, 400, 0.06),
            evidence_against(12, 400, 0.02),
        ),
        "needed": (needed(12, 400, 0.02), needed(0, 0, 0.01)),
        "mean": astuple(mean_sequence(ARMS[0], tuned_for=5000)),
        "difference": astuple(difference_sequence(*ARMS)),
        "relative": astuple(relative_sequence(*ARMS)),
        "evidence of a difference": (difference_evidence(*ARMS),),
        "rate difference": astuple(rate_difference(*TRIALS)),
        "rate ratio": astuple(rate_ratio(*TRIALS)),
        "bounded": astuple(bounded_sequence(WAVE, low=-1, high=7)),
        "ranks": (*quantile_ranks(1000, 0.5), *quantile_ranks(1000, 0.99)),
        "quantile difference": astuple(quantile_difference(WAVE + 1, WAVE, 0.5)),
        "evidence of a quantile": (quantile_evidence(WAVE + 1, WAVE, 0.5),),
        "sample ratio": (
            sample_ratio_evidence((4800, 5200), (1, 1)),
            sample_ratio_evidence((10, 20, 30), (1, 0, 2)),
        ),
        "cuped": (cuped(past).coefficient, cuped(past).removed, cuped(past).arms[1].mean),
        "plans": tuple(
            plan.units
            for plan in (plan_mean(0.1, 1.0), plan_rate(0.1, 0.01), plan_threshold(0.03, 0.01))
        ),
        "two normal arms": tuple(
            best_shares(
                [NormalPosterior(1.0, 0.04), NormalPosterior(1.3, 0.05)], np.random.default_rng(0)
            )
        ),
        "correlation": (shown.lag, shown.correlation, shown.block),
    }


GOLDEN: dict[str, tuple[float, ...]] = {
    "proportion": (
        0.008911712895,
        0.0702005985,
        0.03,
    ),
    "proportion of one side": (
        0.008977112287,
        0.06240811702,
    ),
    "evidence": (
        2.104823547,
        2.491462216,
        -2.339250934,
    ),
    "needed": (
        2837,
        377,
    ),
    "mean": (
        1.05707137,
        1.14292863,
        1.1,
    ),
    "difference": (
        0.04187129523,
        0.1581287048,
        0.1,
    ),
    "relative": (
        0.04078200158,
        0.1626020808,
        0.1,
    ),
    "evidence of a difference": (11.09498553,),
    "rate difference": (
        -0.04420058954,
        0.08471861179,
        0.02,
    ),
    "rate ratio": (
        -0.3287450043,
        1.173244465,
        0.2,
    ),
    "bounded": (
        2.657577627,
        3.32675906,
        2.997053694,
    ),
    "ranks": (
        443,
        558,
        976,
        998,
    ),
    "quantile difference": (
        -0.1145040997,
        2.1145041,
        1,
    ),
    "evidence of a quantile": (1.704085092,),
    "sample ratio": (
        6.075817652,
        0.006890317424,
    ),
    "cuped": (
        5.978420351,
        0.888999087,
        113.5267247,
    ),
    "plans": (
        6012,
        56483,
        815,
    ),
    "two normal arms": (
        0.1586552539,
        0.8413447461,
    ),
    "correlation": (
        0,
        0.2758501024,
        99,
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_numbers_are_what_they_were(name: str, found: dict[str, Any]) -> None:
    assert found[name] == pytest.approx(GOLDEN[name], rel=1e-6, abs=1e-9)
