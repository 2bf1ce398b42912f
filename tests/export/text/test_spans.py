"""Spans against transformers' own pipeline, token by token."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import TokenClassificationPipeline
from transformers.pipelines.token_classification import AggregationStrategy

from tritonkit.export.spans.aggregate import find_spans

LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "MISC", "X-MISC", "B-O", "I-", "B")
OUTSIDE = np.array([[-1, -1]])


class Config:
    id2label = LABELS


class Words:
    """What the pipeline asks of a model and a tokenizer to join words, which we do not."""

    config = Config

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        return "".join(tokens)


class Pipeline(TokenClassificationPipeline):  # type: ignore[misc]
    def __init__(self) -> None:
        self.model = self.tokenizer = Words()


def one_hot(labels: list[str], score: float = 1.0) -> np.ndarray:  # type: ignore[type-arg]
    rest = (1 - score) / (len(LABELS) - 1)
    rows = np.full((len(labels), len(LABELS)), rest, np.float32)
    for row, label in zip(rows, labels, strict=True):
        row[LABELS.index(label)] = score
    return rows


@given(
    st.lists(
        st.tuples(st.booleans(), st.lists(st.floats(0, 1, width=32), min_size=10, max_size=10)),
        max_size=12,
    )
)
def test_spans_are_those_of_the_pipeline(tokens: list[tuple[bool, list[float]]]) -> None:
    """Also where a token is not of the text, and where classes are equally probable."""
    text = "".join(chr(0x1F600 + n) + "a" for n in range(len(tokens)))
    probabilities = np.array([row for _, row in tokens], np.float32).reshape(-1, len(LABELS))
    offsets = np.array(
        [[2 * n, 2 * n + 2] if inside else [-1, -1] for n, (inside, _) in enumerate(tokens)]
    ).reshape(-1, 2)
    pre_entities = [
        {"scores": row, "word": "x", "start": start, "end": end, "index": n}
        for n, (row, (start, end)) in enumerate(zip(probabilities, offsets.tolist(), strict=True))
        if start >= 0
    ]
    expected = [
        (group["start"], group["end"], group["entity_group"], pytest.approx(group["score"]))
        for group in Pipeline().aggregate(pre_entities, AggregationStrategy.SIMPLE)
        if group["entity_group"] != "O"
    ]
    found = find_spans(text, offsets, probabilities, LABELS)
    assert [(s["start"], s["end"], s["label"], s["score"]) for s in found] == expected
    assert all(text[s["start"] : s["end"]] == s["text"] for s in found)


def test_a_span_is_characters_of_the_text() -> None:
    text = "In Zürich, Ada Lovelace"
    offsets = np.array([[-1, -1], [0, 2], [3, 6], [6, 9], [9, 10], [11, 14], [15, 23], [-1, -1]])
    labels = ["B-LOC", "O", "B-LOC", "I-LOC", "O", "B-PER", "I-PER", "I-PER"]
    spans = find_spans(text, offsets, one_hot(labels, 0.9), LABELS)
    assert [(s["start"], s["end"], s["label"], s["text"]) for s in spans] == [
        (3, 9, "LOC", "Zürich"),
        (11, 23, "PER", "Ada Lovelace"),
    ]
    assert [s["score"] for s in spans] == [pytest.approx(0.9)] * 2


def test_a_begin_parts_neighbours_of_one_label() -> None:
    offsets = np.array([[0, 1], [1, 2], [2, 3]])
    spans = find_spans("abc", offsets, one_hot(["B-PER", "I-PER", "B-PER"]), LABELS)
    assert [s["text"] for s in spans] == ["ab", "c"]


def test_a_text_without_tokens_has_no_spans() -> None:
    assert find_spans("", OUTSIDE, one_hot(["B-PER"]), LABELS) == []
