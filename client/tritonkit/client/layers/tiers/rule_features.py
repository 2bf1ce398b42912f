"""What a learned rule knows of a row, as numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.layers.tiers.row_sizes import elements, estimated_tokens, texts, tokens
from tritonkit.client.layers.tiers.seed_rule import VERBS
from tritonkit.client.types import InferRequest

__all__ = ["FEATURES", "features"]

_VERBS = re.compile(rf"\b(?:{'|'.join(VERBS)})", re.IGNORECASE)

_OF_TEXT: Mapping[str, Callable[[str], float]] = {
    "words": lambda text: math.log1p(len(text.split())),
    "characters": lambda text: math.log1p(len(text)),
    "question": lambda text: float("?" in text),
    "verb": lambda text: float(_VERBS.search(text) is not None),
    "digit": lambda text: float(any(map(str.isdigit, text))),
    "clauses": lambda text: math.log1p(sum(map(text.count, ",;:.!?"))),
}

FEATURES: tuple[str, ...] = (*_OF_TEXT, "tokens", "elements")
"""
By name. Sizes are logarithms: of twice the length there is a little more to know.
"verb" is a word that begins as one of those of `SeedRule`, "clauses" the signs
between them, "tokens" as in `TokenRule` without a tokenizer.
"""


def features(request: InferRequest, names: Sequence[str]) -> NDArray[np.float64] | None:
    """
    Numbers of each row, shape (rows, names); None where it has neither texts nor tokens nor size.

    What a request does not have is 0, as for an empty text.
    """
    rows = texts(request)
    joined = None if rows is None else [" ".join(row) for row in rows]
    sizes = elements(request)
    if sizes is None:
        return None
    columns = []
    for name in names:
        if name == "tokens":
            counts = tokens(request, estimated_tokens)
            column = None if counts is None else [math.log1p(count) for count in counts]
        elif name == "elements":
            column = [math.log1p(size) for size in sizes]
        else:
            column = None if joined is None else [_OF_TEXT[name](text) for text in joined]
        columns.append([0.0] * len(sizes) if column is None else column)
    if not names:
        return np.zeros((len(sizes), 0))
    if len({len(column) for column in columns}) > 1:
        return None
    return np.array(columns, dtype=np.float64).T
