"""What is drawn is where it belongs, whatever the numbers."""

from __future__ import annotations

import re
from math import isfinite
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tritonkit.client.experiments.axes import ticks
from tritonkit.client.experiments.plots import (
    Bar,
    Line,
    Marks,
    Moment,
    forest,
    lines,
    narrowing,
    quantiles,
)

NUMBERS = st.one_of(
    st.floats(-1e3, 1e3), st.floats(-1e100, 1e100), st.sampled_from([float("nan"), float("inf")])
)
TONES = st.sampled_from(["better", "worse", "unsure"])
TEXTS = st.text(max_size=60)


def drawn(svg: str) -> ElementTree.Element:
    """The plot, in which everything is inside."""
    root = ElementTree.fromstring(svg)
    assert root.attrib["role"] == "img"
    assert root.findtext("title") == root.attrib["aria-label"]
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    for part in root.iter():
        places = [(part.get("x"), part.get("y")), (part.get("cx"), part.get("cy"))]
        places += [(part.get(f"x{n}"), part.get(f"y{n}")) for n in (1, 2)]
        places += [tuple(pair.split(",")) for pair in part.get("points", "").split()]  # type: ignore[misc]
        for x, y in places:
            assert x is None or 0 <= float(x) <= width, ElementTree.tostring(part)
            assert y is None or 0 <= float(y) <= height, ElementTree.tostring(part)
    return root


@given(st.lists(st.builds(Bar, TEXTS, NUMBERS, NUMBERS, NUMBERS, TONES), max_size=5))
@settings(max_examples=40, deadline=None)
def test_forests(bars: list[Bar]) -> None:
    root = drawn(forest(bars, title="effects", unit="%"))
    marks = list(root.iter("circle"))
    assert len(marks) <= sum(isfinite(bar.estimate) for bar in bars)


@given(
    st.lists(st.builds(Moment, st.floats(0, 2e9), NUMBERS, NUMBERS, NUMBERS), max_size=8),
    st.floats(0, 10),
)
@settings(max_examples=40, deadline=None)
def test_intervals_over_time(moments: list[Moment], least: float) -> None:
    moments.sort(key=lambda moment: moment.at)
    drawn(narrowing(moments, title="effect", unit="", least=least))


@given(
    st.lists(st.builds(Marks, TEXTS, st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), max_size=3)))
)
@settings(max_examples=40, deadline=None)
def test_quantiles(rows: list[Marks]) -> None:
    drawn(quantiles(rows, title="latency", unit=" ms"))


@given(
    st.lists(
        st.builds(
            Line,
            TEXTS,
            st.lists(
                st.tuples(st.floats(0, 2e9), st.one_of(st.floats(0, 1e9), st.just(float("nan")))),
                max_size=6,
            ),
        ),
        max_size=5,
    )
)
@settings(max_examples=40, deadline=None)
def test_lines(series: list[Line]) -> None:
    drawn(lines(series, title="answers", unit=""))


@given(st.floats(-1e12, 1e12), st.floats(1e-9, 1e12))
def test_ticks(low: float, span: float) -> None:
    """They are inside, few, and as far from each other."""
    found = ticks(low, low + span)
    assert len(found) <= 7
    slack = 1e-6 * (span + abs(low))
    assert all(low - slack <= value <= low + span + slack for value in found)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (-50, 50, [-40, -20, 0, 20, 40]),
        (0.0012, 0.0031, [0.0015, 0.002, 0.0025, 0.003]),
        (3, 3, [3]),
        (0, float("inf"), [0]),
        (0, 5e-324, [0]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


def places(svg: str, kind: str) -> list[Any]:
    return re.findall(rf'<line x1="([\d.]+)" y1="[\d.]+" x2="([\d.]+)"[^>]*class="{kind}"', svg)


def test_an_interval_is_as_long_as_it_says() -> None:
    """On an axis from -1.05 to 1.05 times the first one's reach; one beyond it is an arrow."""
    bars = [Bar("a", -50.0, 0.0, 100.0, "unsure"), Bar("b", 900.0, 950.0, 999.0, "worse")]
    svg = forest([*bars, *bars[:1] * 3], title="effects", unit="%")
    (zero,) = {(float(x), float(to)) for x, to in places(svg, "zero")}
    assert list(zero) == [220.0, 220.0]
    scale = 208 / 105
    assert [float(x) for x in places(svg, "bar unsure")[0]] == pytest.approx(
        [220 - 50 * scale, 220 + 100 * scale], abs=0.1
    )
    assert svg.count('class="mark worse"') == 1
    assert svg.count("<polygon") == 1


def test_a_gap_stays_a_gap() -> None:
    nan = float("nan")
    points = [(0.0, 1.0), (1.0, 2.0), (2.0, nan), (3.0, 1.0), (4.0, 1.0), (5.0, nan), (6.0, 2.0)]
    svg = lines([Line("a", points)], title="answers", unit="")
    assert (svg.count("<polyline"), svg.count("<circle")) == (2, 1)
