"""How many requests may be sent besides."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tritonkit.client.layers.tokens import Tokens


@given(
    share=st.sampled_from([0.0, 0.01, 0.05, 0.07, 0.3, 1.0]),
    burst=st.integers(1, 5),
    calls=st.lists(st.integers(0, 3), max_size=120),
)
def test_the_budget_holds_over_any_window(share: float, burst: int, calls: list[int]) -> None:
    """Each call asks for so many tokens; whatever the order, no window has too many."""
    tokens = Tokens(share, burst)
    taken = []
    for wanted in calls:
        tokens.add()
        taken.append(sum(tokens.take() for _ in range(wanted)))
    assert sum(taken) <= share * len(taken) + 1e-9
    for start in range(len(taken)):
        for stop in range(start + 1, len(taken) + 1):
            assert sum(taken[start:stop]) <= share * (stop - start) + burst + 1e-9


def test_all_of_the_budget_may_be_used() -> None:
    tokens = Tokens(0.07)
    taken = 0
    for _ in range(10_000):
        tokens.add()
        taken += tokens.take()
    assert taken == 700


def test_what_was_not_used_is_given_back() -> None:
    tokens = Tokens(1.0)
    tokens.add()
    assert tokens.take()
    assert not tokens.take()
    tokens.give_back()
    assert tokens.take()
