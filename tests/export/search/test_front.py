"""The Pareto front, by its definition."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tritonkit.export.search.candidate import Candidate
from tritonkit.export.search.front import dominates, inaccuracy, pareto_front

Make = Callable[..., Candidate]
Figures = tuple[int, float, float, float]

# Few values, so that ties and dominance are common.
FIGURES = st.lists(
    st.tuples(
        st.integers(1, 4),
        st.sampled_from([0.5, 1.0, 2.0, math.inf]),
        st.sampled_from([-0.1, 0.0, 0.1, 1.0]),
        st.sampled_from([-1.0, 0.9, 1.0]),
    ),
    max_size=12,
)


def candidates(make: Make, figures: Sequence[Figures]) -> list[Candidate]:
    return [
        make(f"recipe {number}", size=size, faster=faster, loss=loss, cosine=cosine)
        for number, (size, faster, loss, cosine) in enumerate(figures)
    ]


def better(one: Candidate, other: Candidate) -> bool:
    """Dominance, in other words than the module's."""
    sides = [
        (c.size_bytes, 1 / c.speed.throughput, max(c.accuracy.loss, 0), 1 - c.accuracy.cosine_mean)
        for c in (one, other)
    ]
    (a, b, *c), (d, e, *f) = sides
    return a <= d and b <= e and c <= f and sides[0] != sides[1]


@given(FIGURES)
def test_no_member_is_dominated_and_every_other_candidate_is(
    candidate: Make, figures: Sequence[Figures]
) -> None:
    every = candidates(candidate, figures)

    front = pareto_front(every)

    for one in every:
        assert (one in front) != any(better(other, one) for other in every)


@given(FIGURES)
def test_dominated_candidates_are_dominated_by_a_member(
    candidate: Make, figures: Sequence[Figures]
) -> None:
    every = candidates(candidate, figures)
    front = pareto_front(every)

    for one in every:
        assert one in front or any(dominates(member, one) for member in front)


@given(FIGURES, st.randoms(use_true_random=False))
def test_the_order_of_candidates_does_not_matter(
    candidate: Make, figures: Sequence[Figures], random: Random
) -> None:
    every = candidates(candidate, figures)
    shuffled = list(every)
    random.shuffle(shuffled)

    assert {one.recipe for one in pareto_front(every)} == {
        one.recipe for one in pareto_front(shuffled)
    }


@given(FIGURES, st.sampled_from(["faster", "loss", "cosine"]))
def test_nan_is_never_on_the_front_and_drives_nobody_off_it(
    candidate: Make, figures: Sequence[Figures], figure: str
) -> None:
    every = candidates(candidate, figures)
    broken = candidate("broken", size=0 + 1, **{"faster": 9.0, figure: math.nan})

    assert pareto_front([broken, *every]) == pareto_front(every)


def test_members_keep_the_order_they_came_in(candidate: Make) -> None:
    large = candidate("fp32")
    small = candidate("int8", size=250, loss=0.01)

    assert pareto_front([large, small]) == (large, small)
    assert pareto_front([small, large]) == (small, large)


def test_a_gain_over_the_source_counts_as_no_loss(candidate: Make) -> None:
    by_chance = candidate("w4", loss=-0.02, cosine=0.97)
    faithful = candidate("w8", loss=0.0, cosine=0.999)

    assert inaccuracy(faithful) < inaccuracy(by_chance)
