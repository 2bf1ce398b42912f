"""The picture: the same for the same figures, and legible."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest

from tritonkit.export.search.candidate import Candidate
from tritonkit.export.search.front import pareto_front
from tritonkit.export.search.picture import front_picture

Make = Callable[..., Candidate]

SVG = "{http://www.w3.org/2000/svg}"


def picture(*candidates: Candidate, chosen: Candidate | None = None) -> str:
    return front_picture(candidates, pareto_front(candidates), chosen, title="a model")


@pytest.fixture
def several(candidate: Make) -> tuple[Candidate, ...]:
    return (
        candidate("fp32", size=90_000_000),
        candidate("int8", size=22_900_000, faster=2.3, loss=0.01, invariant=False),
        candidate("int8 per tensor", size=22_800_000, faster=2.3, loss=0.04, invariant=False),
        candidate("int8_static", size=23_000_000, faster=2.2, loss=0.7, cosine=0.4),
        candidate("w8", size=24_700_000, faster=1.1, loss=0.001),
    )


def test_the_same_figures_give_the_same_bytes(several: tuple[Candidate, ...]) -> None:
    first = picture(*several, chosen=several[1])

    assert first == picture(*several, chosen=several[1])
    assert first != picture(*several, chosen=several[4])


def test_it_is_svg_on_white_without_a_date_or_fonts(several: tuple[Candidate, ...]) -> None:
    text = picture(*several, chosen=several[1])

    root = ET.fromstring(text)
    assert root.tag == f"{SVG}svg"
    assert "fill: #ffffff" in text
    assert not root.findall(f".//{SVG}text")
    assert "dc:date" not in text


@pytest.mark.parametrize(
    "figures",
    [
        [{}],
        [{"invariant": False}],
        [{}, {"faster": math.nan}],
        [{}, {"cosine": 0.99}, {"cosine": 0.3, "size": 2000}],
        [{}, {}, {}],
        [{"loss": -0.1}, {"loss": 1.0}],
        [{"loss": 0.5}, {"loss": 0.9}],
        [{"cosine": 0.5}, {"cosine": 0.4}],
    ],
    ids=[
        "one",
        "all depend on the batch",
        "nan",
        "no loss",
        "equals",
        "a gain",
        "great losses",
        "far off",
    ],
)
def test_any_candidates_can_be_drawn(candidate: Make, figures: list[dict[str, float]]) -> None:
    every = [candidate(f"recipe {n}", **values) for n, values in enumerate(figures)]

    assert picture(*every, chosen=every[0]).startswith("<?xml")
    assert picture(*every).startswith("<?xml")


def test_recipes_of_strange_names_are_drawn_as_they_are(candidate: Make) -> None:
    assert picture(candidate("100 % <b> $x^$ & \\frac")).startswith("<?xml")
