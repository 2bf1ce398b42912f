from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tritonkit.errors import ConfigError
from tritonkit.export.accuracy.accuracy import (
    Accuracy,
    BatchDependence,
    OutputDifference,
    WorstSample,
)
from tritonkit.export.accuracy.budget import Budget, default_budget, tightest
from tritonkit.export.accuracy.table import accuracy_table, worst_table
from tritonkit.export.sources.source import Comparison
from tritonkit.export.stages.recipe import PRECISIONS

ACCURACY = Accuracy(
    metric="MRR",
    value=0.72,
    source_value=0.8,
    agreement=0.9,
    cosine_mean=0.98,
    cosine_min=0.7,
    figures={"Spearman": 0.5, "R@1": 0.6, "R@1 of the source": 0.7},
    outputs={
        "embedding": OutputDifference(
            max_difference=0.1,
            mean_difference=0.01,
            cosine_mean=0.98,
            cosine_min=0.7,
            relative_difference=0.03,
        )
    },
    batch=BatchDependence(cosine_min=0.99, max_difference=0.1, agreement=0.95, invariant=False),
    worst=(
        WorstSample(position=3, preview="'a | b\nc'", score=0.7, detail="cat, not dog"),
        WorstSample(position=9, preview="''", score=0.8),
    ),
    score="cosine",
    samples=9,
    origin="built-in",
    extremes=2,
)

SHARES = st.none() | st.floats(0, 1)
BUDGETS = st.builds(
    Budget,
    max_loss=SHARES,
    min_agreement=SHARES,
    min_cosine=SHARES,
    min_cosine_each=SHARES,
    max_relative_difference=SHARES,
    batch_invariant=st.booleans(),
)


@pytest.mark.parametrize(
    ("limit", "finding"),
    [
        ({"max_loss": 0.09}, r"MRR 0\.7200 is 10\.00% below the source's 0\.8000"),
        ({"min_agreement": 0.91}, r"agreement 0\.9000, where 0\.91 is due"),
        ({"min_cosine": 0.99}, r"mean cosine 0\.9800, where 0\.99 is due"),
        ({"min_cosine_each": 0.71}, r"'embedding': cosine 0\.7000 for one sample"),
        ({"max_relative_difference": 0.02}, r"'embedding' differs by 3\.00% of its size"),
        ({"batch_invariant": True}, r"depends on its batch \(cosine 0\.9900 at worst\)"),
    ],
)
def test_each_limit_is_found_missed_in_words(limit: dict[str, Any], finding: str) -> None:
    (found,) = Budget(**limit).findings(ACCURACY)
    assert re.search(finding, found)


def test_what_is_just_kept_is_kept() -> None:
    budget = Budget(
        max_loss=0.11,
        min_agreement=0.9,
        min_cosine=0.98,
        min_cosine_each=0.7,
        max_relative_difference=0.03,
    )
    assert budget.findings(ACCURACY) == ()


@settings(deadline=None)
@given(BUDGETS)
def test_nan_in_one_of_the_two_is_within_no_budget(budget: Budget) -> None:
    broken = replace(ACCURACY.outputs["embedding"], not_finite=1)
    found = budget.findings(replace(ACCURACY, outputs={"embedding": broken}))
    assert "NaN or infinite for 1 sample," in found[0]


@settings(deadline=None)
@given(BUDGETS, BUDGETS)
def test_the_tightest_is_kept_by_what_keeps_both(one: Budget, other: Budget) -> None:
    both = tightest(one, other)
    assert both == tightest(other, one)
    kept = not one.findings(ACCURACY) and not other.findings(ACCURACY)
    assert (both.findings(ACCURACY) == ()) == kept
    assert tightest(one, Budget()) == one


@pytest.mark.parametrize("comparison", get_args(Comparison))
def test_every_precision_has_a_floor_and_fp32_the_highest(comparison: Comparison) -> None:
    exact = default_budget("fp32", comparison)
    for precision in PRECISIONS:
        floor = default_budget(precision, comparison)
        assert floor.min_cosine is not None
        assert tightest(exact, floor) == exact


def test_limits_are_told_in_words() -> None:
    every = Budget(
        max_loss=0.015,
        min_agreement=0.97,
        min_cosine=0.99,
        min_cosine_each=0.9,
        max_relative_difference=0.05,
        batch_invariant=True,
    )
    assert every.limits() == (
        "at most 1.50% of the metric lost",
        "agreement of 0.97 or more",
        "a mean cosine of 0.99 or more",
        "a cosine of 0.9 or more for each sample",
        "a difference of at most 5.00% of an output's size",
        "no dependence on the batch",
    )
    assert Budget().limits() == ()


def test_limits_have_ranges() -> None:
    with pytest.raises(ConfigError, match=r"min_cosine_each must be -1 to 1, but got 2"):
        Budget(min_cosine_each=2)
    with pytest.raises(ConfigError, match=r"max_loss must be 0 to 1, but got -0\.1"):
        Budget(max_loss=-0.1)


def test_the_tables() -> None:
    assert _unpadded(accuracy_table(ACCURACY)) == [
        "9 samples (built-in); each is worth 11.1% of a share such as agreement; "
        "2 extremes count in outputs and batch dependence only.",
        "",
        "| figure | model | source |",
        "| --- | --- | --- |",
        "| MRR | 0.7200 | 0.8000 |",
        "| agreement with the source | 0.9000 | |",
        "| cosine to the source | 0.9800, 0.7000 at worst | |",
        "| Spearman | 0.5 | |",
        "| R@1 | 0.6 | 0.7 |",
        "| alone and among others | depends on the batch: cosine 0.9900 at worst, "
        "agreement 0.9500 | |",
        "",
        "| output | largest difference | mean difference | mean cosine | lowest cosine "
        "| NaN or infinite unlike the source |",
        "| --- | --: | --: | --: | --: | --: |",
        "| `embedding` | 0.1 | 0.01 | 0.98000 | 0.70000 | 0 |",
    ]
    assert _unpadded(worst_table(ACCURACY)) == [
        "| sample | input | cosine | answer |",
        "| --- | --- | --- | --- |",
        "| 3 | 'a \\| b c' | 0.7000 | cat, not dog |",
        "| extreme | '' | 0.8000 | |",
    ]
    assert worst_table(ACCURACY, 1).count("\n") == 2
    assert "is worth" not in accuracy_table(replace(ACCURACY, samples=100))


def _unpadded(table: str) -> list[str]:
    return [
        re.sub("-+(:?)", lambda rule: "--" + (rule[1] or "-"), re.sub(" +", " ", line))
        if line.startswith("|")
        else line
        for line in table.split("\n")
    ]


@pytest.mark.parametrize("comparison", sorted(set(get_args(Comparison)) - {"ranks"}))
def test_fp32_never_depends_on_its_batch(comparison: Comparison) -> None:
    """Ranks may: two that are all but equal change places by rounding."""
    assert default_budget("fp32", comparison).batch_invariant
    assert not default_budget("int8", comparison).batch_invariant
