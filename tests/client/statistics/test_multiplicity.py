"""Many metrics at once."""

from __future__ import annotations

from math import exp, inf, log, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from tritonkit.client.statistics.multiplicity import bonferroni, e_bh, evidence_of_p
from tritonkit.errors import ConfigError


@given(evidences=st.lists(st.floats(-5, 12), max_size=12), alpha=st.floats(0.01, 0.5))
def test_rejects_the_most_that_its_rule_allows(evidences: list[float], alpha: float) -> None:
    """By trying every number of rejections."""
    ordered = sorted(evidences, reverse=True)
    count = len(ordered)
    allowed = [k for k in range(1, count + 1) if ordered[k - 1] >= log(count / (alpha * k))]
    found = e_bh(evidences, alpha)
    least = ordered[max(allowed) - 1] if allowed else inf
    assert found == [evidence >= least for evidence in evidences]


def test_false_discoveries_are_as_rare_as_said(chance: np.random.Generator) -> None:
    """
    2,000 experiments of 20 metrics, 15 without an effect, all correlated by 0.5. The
    mean share of false ones is alpha at most; its standard error is below 0.005, so
    0.05 + 4 * 0.005 bounds the simulation.
    """
    effect = np.where(np.arange(20) < 15, 0.0, 3.5)
    common, own = chance.normal(size=(2000, 1)), chance.normal(size=(2000, 20))
    seen = effect + np.sqrt(0.5) * (common + own)
    # The likelihood ratio of a mean of 3.5 to one of 0: an e-value without an effect.
    evidence = 3.5 * seen - 3.5**2 / 2
    shares, power = [], []
    for row in evidence:
        rejected = np.array(e_bh(row.tolist(), 0.05))
        shares.append(rejected[:15].sum() / max(1, rejected.sum()))
        power.append(rejected[15:].mean())
    assert np.std(shares) / np.sqrt(2000) < 0.005
    assert np.mean(shares) <= 0.05 + 4 * 0.005
    assert np.mean(power) > 0.4


def test_a_calibrated_p_value_is_an_e_value() -> None:
    """Its expectation under the uniform distribution is 1; it falls as p rises."""
    mean, _ = quad(lambda x: exp(evidence_of_p(exp(-x)) - x), 0, 600, limit=500)
    # What lies beyond is the integral of 1/x^2.
    assert mean == pytest.approx(1 - 1 / 600, abs=1e-4)
    values = [evidence_of_p(p) for p in (1e-300, 1e-6, 0.001, 0.5, 0.9989, 0.9991, 1.0)]
    assert values == sorted(values, reverse=True)
    assert exp(evidence_of_p(0.001)) == pytest.approx(20.8, abs=0.1)
    assert exp(evidence_of_p(1.0)) == pytest.approx(0.5)


def test_impossible_arguments() -> None:
    assert bonferroni(0.05, 4) == 0.0125
    assert e_bh([]) == []
    assert e_bh([inf, -inf]) == [True, False]
    with pytest.raises(ConfigError, match="nan"):
        e_bh([nan])
    with pytest.raises(ConfigError, match="count=0"):
        bonferroni(0.05, 0)
    with pytest.raises(ConfigError, match="p=0"):
        evidence_of_p(0)
