"""Which candidate is taken."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.export.accuracy.budget import Budget
from tritonkit.export.search.candidate import Candidate
from tritonkit.export.search.choice import Objective, choose

Make = Callable[..., Candidate]

LOSS = Budget(max_loss=0.015)


def test_the_fastest_within_the_budget_is_taken(candidate: Make) -> None:
    every = [
        candidate("fp32"),
        candidate("int8", size=250, faster=2.3, loss=0.01),
        candidate("w8", size=270, faster=1.2, loss=0.001),
        candidate("int8_static", size=250, faster=2.6, loss=0.02),
    ]

    choice = choose(every, budget=LOSS)

    assert choice.candidate is every[1]
    assert choice.reason == "the fastest within the budget, 2.30 times fp32 at batch 32"
    assert choice.refused == {
        "int8_static": "MRR 0.4900 is 2.00% below the source's 0.5000, where 1.50% is allowed"
    }


def test_the_largest_batch_decides_what_is_fastest(candidate: Make) -> None:
    every = [
        candidate("fp32"),
        candidate("w8", faster=1.1, alone=3.0),
        candidate("int8", faster=2.0, alone=1.5),
    ]

    assert choose(every, budget=LOSS).candidate is every[2]


def test_candidates_as_fast_within_the_noise_go_by_size(candidate: Make) -> None:
    every = [
        candidate("fp32"),
        candidate("int8 a", size=500, faster=2.00),
        candidate("int8 b", size=250, faster=1.95),
        candidate("int8 c", size=200, faster=1.90),
    ]

    choice = choose(every, budget=LOSS)

    assert choice.candidate is every[2]
    assert "smallest of 2 that are as fast within the noise" in choice.reason


def test_of_the_same_speed_and_size_the_most_accurate_is_taken(candidate: Make) -> None:
    every = [
        candidate("int8 a", size=250, faster=2.00, loss=0.01),
        candidate("int8 b", size=252, faster=1.96, loss=0.001),
        candidate("int8 c", size=251, faster=1.99, loss=0.001, cosine=0.99),
    ]

    assert choose(every, budget=LOSS).candidate is every[1]


def test_a_measurement_full_of_noise_widens_the_tie_to_five_percent(candidate: Make) -> None:
    def every(error: float) -> list[Candidate]:
        return [
            candidate("int8 a", size=300, faster=2.00, error=error),
            candidate("int8 b", size=250, faster=1.91),
            candidate("int8 c", size=200, faster=1.85),
        ]

    assert choose(every(0.0), budget=LOSS).candidate == every(0.0)[0]
    assert choose(every(0.05), budget=LOSS).candidate == every(0.05)[1]
    assert choose(every(9.0), budget=LOSS).candidate == every(9.0)[1]


def test_the_smallest_is_taken_where_size_is_the_objective(candidate: Make) -> None:
    every = [
        candidate("fp32"),
        candidate("int8", size=250, faster=2.3),
        candidate("w4", size=150, faster=1.0),
        candidate("w4 odd", size=151, faster=1.2),
    ]

    choice = choose(every, budget=LOSS, objective="size")

    assert choice.candidate is every[3]
    assert "the smallest within the budget" in choice.reason


@pytest.mark.parametrize("objective", ["speed", "size"])
def test_one_slower_than_fp32_is_taken_only_by_force(candidate: Make, objective: Objective) -> None:
    slow = candidate("w4", size=150, faster=0.96)
    every = [candidate("fp32"), slow]

    choice = choose(every, budget=LOSS, objective=objective)

    assert choice.candidate is every[0]
    assert choice.reason == "no other candidate is as fast and keeps the budget"
    assert choice.refused == {"w4": "slower than fp32, 0.96 times at batch 32"}
    assert choose(every, budget=LOSS, objective="size", force=True).candidate is slow
    assert choose([slow], budget=LOSS, force=True).candidate is slow


def test_one_slower_by_no_more_than_noise_may_be_taken(candidate: Make) -> None:
    even = candidate("w8", size=270, faster=0.97)

    assert choose([candidate("fp32"), even], budget=LOSS).candidate is even


@pytest.mark.parametrize(
    ("faster", "error", "taken"),
    [(0.96, 0.01, False), (0.96, 0.021, True), (0.955, 0.2, True), (0.94, 0.2, False)],
)
def test_noise_is_what_was_measured_and_no_more_than_5_percent(
    candidate: Make, faster: float, error: float, taken: bool
) -> None:
    even = candidate("w8", size=270, faster=faster, error=error)

    assert (choose([candidate("fp32"), even], budget=LOSS).candidate is even) == taken


def test_batch_dependent_candidates_are_refused_on_demand(candidate: Make) -> None:
    every = [
        candidate("fp32"),
        candidate("int8", size=250, faster=2.3, invariant=False, agreement=0.98),
        candidate("w8", size=270, faster=1.1, agreement=0.98),
        candidate("w8 wide", size=260, faster=1.3, agreement=0.96),
    ]

    choice = choose(every, budget=Budget(min_agreement=0.97, batch_invariant=True))

    assert choice.candidate is every[2]
    assert choice.refused == {
        "int8": "an answer depends on its batch (cosine 0.9800 at worst)",
        "w8 wide": "agreement 0.9600, where 0.97 is due",
    }
    assert choose(every, budget=Budget(min_agreement=0.97)).candidate is every[1]


def test_where_not_even_fp32_keeps_the_budget_nothing_is_chosen(candidate: Make) -> None:
    every = [candidate("fp32", cosine=0.4), candidate("int8", faster=2.0, cosine=0.3)]

    choice = choose(every, budget=Budget(min_cosine=0.99))

    assert choice.candidate is None
    assert choice.reason == (
        "no candidate keeps the budget: fp32: mean cosine 0.4000, where 0.99 is due; "
        "int8: mean cosine 0.3000, where 0.99 is due"
    )


@pytest.mark.parametrize("figure", ["faster", "loss", "cosine"])
def test_one_with_nan_among_its_figures_is_never_taken(candidate: Make, figure: str) -> None:
    broken = candidate("int8", size=250, **{"faster": 2.0, figure: math.nan})

    choice = choose([broken, candidate("fp32")], budget=Budget(), force=True, objective="size")

    assert choice.candidate == candidate("fp32")
    assert choice.refused == {"int8": "a figure of it is not a number"}


def test_without_candidates_nothing_is_chosen() -> None:
    assert choose([], budget=LOSS).candidate is None


FIGURE = st.floats(0, 3) | st.just(math.nan)


@given(
    figures=st.lists(
        st.tuples(st.integers(1, 5), FIGURE, FIGURE, FIGURE, st.booleans()), max_size=8
    ),
    objective=st.sampled_from(["speed", "size"]),
    force=st.booleans(),
    invariant=st.booleans(),
    random=st.randoms(use_true_random=False),
)
def test_what_is_chosen_keeps_every_limit_in_any_order(
    candidate: Make,
    figures: list[tuple[int, float, float, float, bool]],
    objective: Objective,
    force: bool,
    invariant: bool,
    random: Random,
) -> None:
    budget = Budget(max_loss=0.5, min_cosine=0.5, batch_invariant=invariant)
    every = [
        candidate(f"recipe {n}", size=size, faster=fast, loss=loss, cosine=cosine, invariant=same)
        for n, (size, fast, loss, cosine, same) in enumerate(figures)
    ]

    choice = choose(every, budget=budget, objective=objective, force=force)

    if choice.candidate is None:
        assert set(choice.refused) == {one.recipe for one in every}
    else:
        assert choice.candidate.recipe not in choice.refused
        assert budget.findings(choice.candidate.accuracy) == ()
        assert force or choice.candidate.speed.throughput >= 0.97
    random.shuffle(every)
    again = choose(every, budget=budget, objective=objective, force=force)
    assert (again.candidate, again.refused) == (choice.candidate, choice.refused)
