"""No text is on both sides, however it is written; pairs stay together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.errors import ConfigError
from tritonkit.export.samples.samples import Samples
from tritonkit.export.tiers.split import JUDGED, distinct, folded, split, split_samples

TEXTS = st.text(max_size=12)
WRITINGS = st.sampled_from(
    [
        str.upper,
        str.lower,
        str.title,
        str.swapcase,
        lambda text: f" \t{text}\n",
        lambda text: text.replace(" ", "\u00a0 "),
    ]
)


@given(TEXTS, WRITINGS)
def test_a_text_is_the_same_in_another_case_and_other_spaces(text, write):
    assert folded(write(text)) == folded(text)


@given(st.lists(TEXTS, min_size=1, max_size=30), st.lists(WRITINGS, min_size=1, max_size=5))
def test_no_text_is_on_both_sides(texts, writings):
    written = texts + [
        writings[at % len(writings)](text) for at, text in enumerate(texts) if at % 2
    ]
    train, judge = split(written)
    assert {folded(text) for text in train}.isdisjoint(map(folded, judge))
    assert {folded(text) for text in train + judge} == {folded(text) for text in texts}
    assert judge


@given(st.lists(TEXTS, min_size=1, max_size=30, unique_by=folded), st.randoms())
def test_sides_do_not_depend_on_the_order(texts, random):
    shuffled = random.sample(texts, len(texts))
    train, judge = split(shuffled)
    assert train == split(texts)[0]
    assert sorted(judge) == sorted(split(texts)[1])


def test_a_quarter_is_for_judging_and_no_more_than_needed():
    assert [len(side) for side in split([f"text {at}" for at in range(400)])] == [300, 100]
    train, judge = split([f"text {at}" for at in range(10_000)])
    assert len(judge) == JUDGED
    assert len(train) == 10_000 - JUDGED


def test_accents_do_not_make_another_text():
    assert distinct(["café au lait", "CAFE\u0301 AU  LAIT", "tea"]) in (
        ["café au lait", "tea"],
        ["tea", "café au lait"],
    )


@st.composite
def pairs(draw: st.DrawFn) -> Samples:
    """Samples some of which have a match, with texts that come several times."""
    count = draw(st.integers(1, 30))
    extremes = draw(st.integers(0, count - 1))
    texts = draw(st.lists(st.sampled_from("abcdefghij"), min_size=count, max_size=count))
    written = [draw(WRITINGS)(f"text {text}") for text in texts]
    last = count - extremes - 1
    found = draw(st.lists(st.integers(-1, last), min_size=count, max_size=count))
    matches = [-1 if match == at else match for at, match in enumerate(found)]
    return Samples(
        {"text": np.array(written, object)},
        "test",
        np.arange(count),
        np.array(matches, np.int64),
        extremes,
    )


@given(pairs())
def test_a_query_and_its_document_are_on_one_side(samples):
    train, judge = split_samples(samples)
    texts = judge.columns["text"]
    assert set(map(folded, train)).isdisjoint(map(folded, texts[: judge.judged]))
    assert judge.extremes == samples.extremes
    assert judge.labels is not None
    assert judge.matches is not None
    assert samples.matches is not None
    for at in range(judge.judged):
        original, found = judge.labels[at], judge.matches[at]
        assert texts[at] == samples.columns["text"][original]
        before = samples.matches[original]
        assert (found == -1) == (before == -1)
        if found >= 0:
            assert judge.labels[found] == before


def test_pairs_are_for_judging_first():
    texts = np.array([f"text {at}" for at in range(1000)], object)
    matches = np.full(1000, -1)
    matches[:100] = np.arange(100, 200)
    train, judge = split_samples(Samples({"text": texts}, "test", None, matches))
    assert set(texts[:200]) <= set(judge.columns["text"])
    assert judge.matches is not None
    assert (judge.matches >= 0).sum() == 100
    assert len(judge) == 250
    assert len(train) == 750


def test_samples_without_matches_stay_without():
    train, judge = split_samples(Samples({"text": np.array(["a", "b"], object)}, "file.txt"))
    assert len(train) == len(judge) == 1
    assert judge.matches is None
    assert judge.origin == "file.txt"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": ["x"], "b": ["y"]}, "one column of texts, but the samples have 2: a, b"),
        ({"a": [b"x"]}, "sample 0 is b'x'"),
    ],
)
def test_other_columns_are_refused(columns, message):
    arrays = {name: np.array(column, object) for name, column in columns.items()}
    with pytest.raises(ConfigError, match=message):
        split_samples(Samples(arrays, "test"))
