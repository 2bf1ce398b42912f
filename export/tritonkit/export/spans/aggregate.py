"""Classes of tokens to spans of a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

__all__ = ["Span", "find_spans"]

_OUTSIDE = "O"


class Span(TypedDict):
    """
    A stretch of a text with a label.

    Its characters are start to end, end not included. The score is the mean
    probability of its tokens.
    """

    start: int
    end: int
    label: str
    score: float
    text: str


def find_spans(
    text: str,
    offsets: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    labels: Sequence[str],
) -> list[Span]:
    """
    Join neighbouring tokens of one class, by BIO or by plain labels.

    Args:
        text: What was tokenised.
        offsets: The characters of each token, shape (tokens, 2); -1 where a token is not
            of the text.
        probabilities: Of each class for each token, shape (tokens, classes).
        labels: Names of the classes: "B-PER" begins a span, "I-PER" and "PER" go on
            with one of that label or begin it, "O" is none.

    Source: transformers TokenClassificationPipeline, aggregation_strategy="simple".
    """
    inside = offsets[:, 0] >= 0
    offsets, probabilities = offsets[inside], probabilities[inside]
    best = probabilities.argmax(axis=1)
    scores = probabilities[np.arange(len(best)), best]
    # (begin, end) in tokens of each stretch with one label.
    stretches: list[tuple[int, int]] = []
    last: Any = None
    for position, label in enumerate(labels[n] for n in best):
        prefix, tag = _split(label)
        if tag == last and prefix != "B":
            stretches[-1] = (stretches[-1][0], position + 1)
        else:
            stretches.append((position, position + 1))
        last = tag
    spans: list[Span] = []
    for begin, end in stretches:
        label = labels[best[begin]].split("-", 1)[-1]
        if label != _OUTSIDE:
            first, behind = int(offsets[begin, 0]), int(offsets[end - 1, 1])
            score = float(np.mean(scores[begin:end]))
            spans.append(
                {
                    "start": first,
                    "end": behind,
                    "label": label,
                    "score": score,
                    "text": text[first:behind],
                }
            )
    return spans


def _split(label: str) -> tuple[str, str]:
    """("B", "PER") of "B-PER"; a label without a prefix goes on."""
    prefix, dash, tag = label.partition("-")
    return (prefix, tag) if dash and prefix in ("B", "I") else ("I", label)
