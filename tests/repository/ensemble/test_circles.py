from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from tritonkit.repository.ensemble.circles import (
    Calls,
    bottom_up,
    circle_through,
    circles,
    circular_text,
    reached_circle,
)

MANY = 20_000


def _calls(of: Mapping[str, Sequence[str]]) -> Calls:
    return lambda name: of.get(name, ())


CHAIN = _calls({f"e{n}": [f"e{n + 1}"] for n in range(MANY)})
RING = _calls({f"e{n}": [f"e{(n + 1) % MANY}"] for n in range(MANY)})


def test_the_shortest_circle_is_told():
    calls = _calls({"a": ["b", "c"], "b": ["d"], "d": ["a"], "c": ["a"]})
    assert circle_through("a", calls) == ("a", "c")
    assert circle_through("d", calls) == ("d", "a", "b")
    assert circle_through("x", calls) == ()


def test_a_circle_is_met_from_outside():
    calls = _calls({"a": ["b"], "b": ["c"], "c": ["b"], "z": ["z"]})
    assert reached_circle("a", calls) == ("b", "c")
    assert reached_circle("b", calls) == ()
    assert list(circles(["a", "z"], calls)) == [("b", "c"), ("z",)]


def test_what_is_called_comes_before_what_calls():
    calls = _calls({"a": ["b", "c"], "b": ["c"], "c": ["d"]})
    assert bottom_up("a", calls) == ["d", "c", "b", "a"]


@pytest.mark.parametrize("name", ["l", "m", "n"])
def test_triton_names_the_circle_that_it_met_last(name: str):
    """As a real server says it of three ensembles, l -> m -> n -> l, whichever is asked for."""
    calls = _calls({"l": ["m"], "m": ["n"], "n": ["l"]})
    last = "l -> ... -> n -> l" if name == "m" else "n -> ... -> m -> n"
    assert circular_text(name, calls).endswith(last)


def test_nesting_is_as_deep_as_it_likes():
    assert circle_through("e0", CHAIN) == ()
    assert reached_circle("e0", CHAIN) == ()
    assert bottom_up("e0", CHAIN)[-1] == "e0"
    assert len(circle_through("e0", RING)) == MANY
    assert circular_text("e0", RING).startswith("circular dependency between ensembles: e")
