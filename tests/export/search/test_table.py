"""The table of candidates."""

from __future__ import annotations

from collections.abc import Callable

from tritonkit.export.accuracy.budget import Budget
from tritonkit.export.search.candidate import Candidate
from tritonkit.export.search.choice import choose
from tritonkit.export.search.front import pareto_front
from tritonkit.export.search.table import front_table

Make = Callable[..., Candidate]


def table(*candidates: Candidate, budget: Budget) -> str:
    choice = choose(candidates, budget=budget)
    return front_table(candidates, pareto_front(candidates), choice)


def test_it_has_a_row_for_each_candidate_and_says_why(candidate: Make) -> None:
    text = table(
        candidate("fp32"),
        candidate("int8", size=250, faster=2.3, alone=2.0, loss=0.01, invariant=False),
        candidate("w4", size=200, faster=0.9, loss=0.04, agreement=0.8, cosine=0.96),
        budget=Budget(max_loss=0.015),
    )

    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()[:5]]
    assert rows[0] == [
        "recipe", "size", "smaller", "faster (1)", "faster (32)", "MRR", "loss", "agreement",
        "cosine", "invariant", "front",
    ]  # fmt: skip
    assert rows[3] == [
        "**int8**", "250B", "4.00x", "2.00x", "2.30x", "0.4950", "1.00%", "100.0%", "1.0000",
        "no", "yes",
    ]  # fmt: skip
    assert rows[4][0] == "w4"
    assert text.splitlines()[6:] == [
        "Chosen: int8: the fastest within the budget, 2.30 times fp32 at batch 32.",
        "",
        "Not to be chosen:",
        "",
        "- w4: MRR 0.4800 is 4.00% below the source's 0.5000, where 1.50% is allowed; "
        "slower than fp32, 0.90 times at batch 32",
    ]


def test_where_nothing_is_chosen_it_says_so(candidate: Make) -> None:
    text = table(candidate("fp32", cosine=0.5), budget=Budget(min_cosine=0.99))

    assert "Nothing chosen: no candidate keeps the budget: fp32: mean cosine 0.5000" in text
